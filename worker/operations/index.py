"""The index of contacts: its key, whom it finds, and how contacts that were stored before get in.

Contacts are listed under labels (``pipelines.labels``). Those of people and records are hashed with
a key, which is a secret and never in the state; without one contacts get none of these.
"""

from __future__ import annotations

import hmac

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from pipelines.labels import Keyed, label_of, relabel
from worker.clock import Clock
from worker.dynamics.secret import SecretsClientFactory, read_text
from worker.errors import ConfigError
from worker.moments import text_of
from worker.stores.protocol import ContactStore, Entry, Saved


#: The fewest characters of a key: 128 bits in hexadecimal.
KEY_CHARACTERS: Final = 32

#: How to make one.
MAKE: Final = "openssl rand -hex 32"

#: Under this name the state remembers with which key it is indexed: a hash that does not tell it.
NAME: Final = "index key"

#: Since when workers index people, and with which key all contacts of the state were indexed.
SINCE: Final = "index since"
WHOLE: Final = "index whole"

#: How many contacts are read at a time.
PAGE: Final = 200

#: What to do about a missing key, and about another one.
OFF: Final = (
    "the index of people is off, so nobody is found by number, address, agent or record: set"
    " CONNECT_DYNAMICS_INDEX_KEY, for the worker and here, then connect-dynamics state index"
)
OTHER: Final = (
    "this is not the key with which the state is indexed, so nobody would be found: name the"
    " worker's CONNECT_DYNAMICS_INDEX_KEY, or index it anew: connect-dynamics state index"
)

CHANGED: Final = (
    "contacts are indexed with another key, and found again as they are saved: index all of them"
    " now with connect-dynamics state index"
)


#: How those get in that were saved before.
ALL_OF_THEM: Final = "connect-dynamics state index adds those saved before"


async def index_key(spec: str, secrets: SecretsClientFactory | None = None) -> bytes | None:
    """The key that the setting ``index_key`` names; None if it names none.

    Raises:
        ConfigError: It cannot be read, or is too short.
        Unavailable: Secrets Manager cannot be reached at the moment.
    """
    if not spec:
        return None
    try:
        key = (await read_text(spec, secrets)).strip()
    except ConfigError as error:
        raise ConfigError(f"CONNECT_DYNAMICS_INDEX_KEY (index_key): {error}") from None
    if len(key) < KEY_CHARACTERS:
        raise ConfigError(
            f"CONNECT_DYNAMICS_INDEX_KEY (index_key): the key has {len(key)} characters and needs"
            f" {KEY_CHARACTERS}: {MAKE}"
        )
    return key.encode()


async def is_own(store: ContactStore, key: bytes, clock: Clock | None = None) -> bool:
    """Whether the state is indexed with this key; one that is indexed with none is from now on."""
    own = await store.remember(NAME, _fingerprint(key)) == _fingerprint(key)
    if own:
        await store.remember(SINCE, text_of((clock or Clock()).wall()))
    return own


async def own_key(
    store: ContactStore, spec: str, secrets: SecretsClientFactory | None = None
) -> bytes | None:
    """The key with which a command indexes what it saves in a state; None: the setting names none.

    Raises:
        ConfigError: See ``index_key``; or the state is indexed with another one.
        Unavailable: See ``index_key``.
    """
    key = await index_key(spec, secrets)
    if key is not None and not await is_own(store, key):
        raise ConfigError(OTHER)
    return key


async def covered(store: ContactStore) -> str:
    """Which contacts of a state its index of people knows, in words."""
    if (whole := await store.recall(WHOLE)) is not None and whole == await store.recall(NAME):
        return "all contacts of the state, if its workers have had the key ever since"
    if since := await store.recall(SINCE):
        return f"contacts saved since {since}; {ALL_OF_THEM}"
    return f"contacts saved since the worker has the key; {ALL_OF_THEM}"


def _fingerprint(key: bytes) -> str:
    return hmac.digest(key, b"fingerprint of the index's key", "sha256").hex()[:32]


# --- who is found ---------------------------------------------------------------------------------


async def found(store: ContactStore, label: str) -> AsyncIterator[Entry]:
    """The contacts that have a label now, newest first."""
    before = None
    while page := await store.labelled(label, before, PAGE):
        entries = {e.contact.id: e for e in await store.load([one.contact_id for one in page])}
        for one in page:
            if label in entries[one.contact_id].contact.labels:
                yield entries[one.contact_id]
        before = (page[-1].at, page[-1].contact_id)


async def label_in(store: ContactStore, kind: Keyed, text: str, key: bytes | None) -> str:
    """The label under which contacts of somebody or something are listed in a state.

    Args:
        store: The state.
        kind: What the text is.
        text: As people write it.
        key: The index's key; None: there is none.

    Raises:
        ConfigError: There is no key, or it is another one, or the text is nothing of the kind.
    """
    if key is None:
        raise ConfigError(OFF)
    known = await store.recall(NAME)
    if known is not None and known != _fingerprint(key):
        raise ConfigError(OTHER)
    label = label_of(kind, text, key)
    if label is None:
        raise ConfigError(f"that is not {_KINDS[kind]}")
    return label


_KINDS: Final = {
    "phone": "a telephone number: write it with its country code, +49 30 901820",
    "email": "a mail address",
    "agent": "a user name",
    "record": "a record's id, which is a GUID",
}


# --- contacts that were stored before -------------------------------------------------------------


@dataclass(slots=True)
class Indexed:
    """How many contacts were looked at, changed, and left because they cannot be read."""

    contacts: int = 0
    changed: int = 0
    unreadable: int = 0


async def index_all(
    store: ContactStore,
    key: bytes | None,
    on_page: Callable[[Indexed], None] = lambda _indexed: None,
) -> Indexed:
    """Give every contact the labels that it is to have, with this key from now on.

    It can be interrupted and begun again, and workers may be running. What they save meanwhile they
    index by themselves.
    """
    done, after = Indexed(), ""
    if key is not None:
        await _set(store, NAME, _fingerprint(key))
    while ids := await store.ids(after, PAGE):
        await _index(store, ids, key, done)
        after = ids[-1]
        on_page(done)
    if key is not None:
        await _set(store, WHOLE, _fingerprint(key))
    return done


async def _set(store: ContactStore, name: str, value: str) -> None:
    """Remember something, whatever was remembered under its name."""
    known = await store.recall(name)
    while known != value and not await store.replace(name, known, value):
        known = await store.recall(name)


async def _index(store: ContactStore, ids: list[str], key: bytes | None, done: Indexed) -> None:
    done.contacts += len(ids)
    while ids:
        changed = []
        for entry in await store.load(ids):
            done.unreadable += bool(entry.unreadable)
            if entry.version and not entry.unreadable:
                relabel(entry.contact, key)
                if entry.contact.labels != entry.labels:
                    changed.append(entry)
        saved = await store.save(changed)
        done.changed += saved.count(Saved.SAVED)
        pairs = zip(changed, saved, strict=True)
        ids = [entry.contact.id for entry, outcome in pairs if outcome is Saved.CONFLICT]
