"""What Connect says in a run, and what Dynamics should show in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final

import orjson

from pipelines.identity import record_id
from pipelines.loader import load
from pipelines.pipeline import Pipeline
from simulated.conduct import CONTACT, MOOD, REVISION
from worker.definitions import SHIPPED
from worker.sandbox.oracle.verdict import OF_CHANNELS, Expected, expected
from worker.sandbox.traffic import (
    KINDS,
    RECORDS,
    START,
    Leg,
    SentMessage,
    disturb,
    history,
    malformed,
)


#: How fast the day goes by: a call of ten minutes is told in one.
COMPRESS: Final = 0.1

#: Kinds with phone calls.
CALLS: Final = tuple(
    kind for kind in KINDS if kind.startswith("voice") and kind != "voice_midnight"
)

_COLUMNS: Final = f"""
[[step]]
name   = "CONTACT"
on     = "created"
method = "PATCH"
entity = "phonecalls"
query  = "({{{{STEP2-Response.activityid}}}})"
body   = '''{{"{CONTACT}": "{{{{ContactId}}}}"}}'''

[[step]]
name   = "REVISION"
on     = "record"
method = "PATCH"
entity = "phonecalls"
query  = "({{{{STEP2-Response.activityid}}}})"
body   = '''{{"{REVISION}": "{{{{Attributes.revision}}}}", "{MOOD}": "{{{{Attributes.mood}}}}"}}'''
"""


_NOTE: Final = """
[[step]]
name   = "WHO"
on     = "created"
method = "GET"
entity = "contacts"
[[step.lookup]]
by      = "phone"
columns = ["telephone1"]
suffix  = 9

[[step]]
name   = "NOTE"
on     = "ended"
method = "POST"
entity = "annotations"
body   = '''{
  "subject": "{{ContactId}}",
  "objectid_phonecall@odata.bind": "/phonecalls({{STEP2-Response.activityid}})"
}'''
"""


@cache
def pipelines(*, noted: bool = False) -> list[Pipeline]:
    """The shipped one for calls, with shorter waits and the simulation's own columns.

    If ``noted``, callers are looked up, and each call has a note.
    """
    shipped = (SHIPPED / "phonecall.toml").read_text(encoding="utf-8")
    told = shipped.replace('within = "15m"', 'within = "2m"') + _COLUMNS
    return [load(told + _NOTE if noted else told)]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Messages and their truth.

    Attributes:
        sent: Messages in their order; ``at_s`` is the virtual time they come at.
        wanted: The records that Dynamics should show: phone calls first, then notes.
        contacts: Their keys -> contact.
        calls: Keys of phone calls.
    """

    sent: list[SentMessage]
    wanted: list[Expected]
    contacts: dict[str, str]
    calls: frozenset[str]


def traffic(rng: Random, contacts: int, over_s: float, *, noted: bool = False) -> Traffic:
    """Calls that begin within so many seconds, disturbed.

    Contact events get lost, everything comes late, twice and in any order. Each contact record
    comes in several versions, numbered, with a value that changes to and fro. ``noted``: see
    ``pipelines``.
    """
    sent: list[SentMessage] = []
    wanted: list[Expected] = []
    legs: list[Leg] = []
    for _ in range(contacts):
        begins_s = rng.random() * over_s
        start = START + timedelta(seconds=begins_s)
        told = history(rng.choice(CALLS), rng, start, COMPRESS)
        legs += told.contacts
        revisions: dict[str, dict[str, Any]] = {}
        messages = list(_revised(told.sent, rng, revisions, rng.choice((60.0, 250.0))))
        sent += [message._replace(at_s=message.at_s + begins_s) for message in messages]
        wanted += [_with(one, revisions) for one in _expected(told.contacts)]
    if rng.random() < 0.3:
        sent += [malformed(rng, rng.random() * over_s) for _ in range(rng.randint(1, 3))]
    lost = rng.choice((0.0, 0.0, 0.3, 1.0))
    disturbed = disturb(sent, rng, lose_events=lost, late=0.0, compress=COMPRESS, reorder=0.5)
    calls = {_key(leg.id): leg.id for leg in legs}
    notes = {_key(leg.id, "NOTE"): leg.id for leg in legs} if noted else {}
    if noted:
        wanted += [_note(calls[one.key]) for one in wanted]
    return Traffic(disturbed, wanted, calls | notes, frozenset(calls))


def _note(contact_id: str) -> Expected:
    columns = {"subject": contact_id, "_objectid_value": _key(contact_id)}
    return Expected("annotations", _key(contact_id, "NOTE"), columns, "phonecall")


def _expected(legs: list[Leg]) -> Iterator[tuple[str, Expected]]:
    for leg in legs:
        for one in expected([leg], OF_CHANNELS):
            yield leg.id, one


def _with(found: tuple[str, Expected], revisions: dict[str, dict[str, Any]]) -> Expected:
    contact_id, one = found
    last = revisions[contact_id]
    columns = {REVISION: last["revision"], MOOD: last["mood"]}
    return replace(one, columns=one.columns | columns)


def _revised(
    messages: list[SentMessage], rng: Random, revisions: dict[str, dict[str, Any]], every_s: float
) -> Iterator[SentMessage]:
    """The messages, with several versions of each contact record; the last are noted."""
    for message in messages:
        if message.stream != RECORDS:
            yield message
        elif message.contact_id not in revisions:
            record = orjson.loads(message.body)
            written = datetime.fromisoformat(record["LastUpdateTimestamp"])
            for number in range(1, rng.randint(2, 7)):
                at = (written + timedelta(seconds=number)).astimezone(UTC)
                said = {
                    "revision": f"2026-01-01T00:00:{number:02d}Z",
                    "mood": f"2026-01-0{1 + number % 2}T00:00:00Z",
                }
                record["LastUpdateTimestamp"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
                record["Attributes"] = revisions[message.contact_id] = said
                later_s = (number - 1) * rng.random() * every_s
                yield message._replace(at_s=message.at_s + later_s, body=orjson.dumps(record))


def _key(contact_id: str, step: str = "STEP2") -> str:
    return record_id(contact_id, "phonecall", step)
