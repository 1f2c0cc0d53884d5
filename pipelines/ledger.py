"""The ledger: what Dynamics last acknowledged, record by record and column by column.

It holds digests, not values. These functions are the only ones that write it, with
``pipelines.adoption``, for a record that was there before; which of them an outcome of an action
asks for, and which state a record is in then, is ``pipelines.settle``'s table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from pipelines.action import (
    Action,
    Change,
    LiveAction,
    Lookup,
    OpenPage,
    Reading,
    Verb,
    WriteBack,
)
from pipelines.contact import UNKNOWN, Contact, RecordLedger, State
from pipelines.effect import Effect, is_final
from pipelines.link import rivals
from pipelines.lookup import status
from pipelines.outcome import (
    Delayed,
    Done,
    Exists,
    Logged,
    Missing,
    Outcome,
    Refusal,
    Shown,
    Undeliverable,
)


#: Record address -> column -> digest.
Columns = Mapping[str, Mapping[str, str]]

#: What stands in place of an entity set where attributes are written back to Connect.
ATTRIBUTES = "attributes"

#: A record that these are about may be one that we have never made.
_FIRST = (Verb.CREATE, Verb.ADOPT)


def digest(value: Any) -> str:
    """A short hash of a JSON value; an empty list counts as null."""
    data = orjson.dumps(None if value == [] else value, option=orjson.OPT_SORT_KEYS)
    return blake2b(data, digest_size=8).hexdigest()


NULL = digest(None)
OPEN = digest(0)  # of a statecode


def digests(columns: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each column's value."""
    return {column: digest(value) for column, value in columns.items()}


def state_of(contact: Contact, change: Change) -> State:
    """The state of the record that a change is about.

    A record that no step of ours creates is taken to be there.
    """
    known = contact.ledger.get(change.record)
    if known is not None:
        return known.state
    return "unsent" if change.verb in _FIRST else "there"


def record_of(contact: Contact, change: Change) -> RecordLedger:
    """The ledger's record that a change is about, begun if it is new."""
    known = contact.ledger.get(change.record)
    if known is None:
        known = named(change.record, state_of(contact, change))
        contact.ledger[change.record] = known
    if change.creatable and change.verb in _FIRST:
        known.by = known.by or change.steps[0]
    return known


def named(name: str, state: State) -> RecordLedger:
    """A new record of this ledger name (``phonecalls(<key>)``)."""
    entity_set, _, key = name.partition("(")
    return RecordLedger(entity_set, key.removesuffix(")"), state)


def intend(contact: Contact, actions: Iterable[Action]) -> bool:
    """Note what is about to be sent; whether that says more than the contact's intent did."""
    changed = False
    for action in actions:
        match action:
            case WriteBack():
                about = digests(action.attributes)
            case Change(verb=Verb.CREATE):
                about = digests(action.columns) | {"": action.steps[0]}
            case Change() if action.verb is not Verb.ADOPT:
                about = digests(action.columns)
            case _:
                continue  # it changes no columns
        noted = contact.intent.setdefault(action.record, {})
        if not about.items() <= noted.items():
            noted.update(about)
            changed = True
    return changed


def mark_unknown(contact: Contact) -> None:
    """An intent was saved and no outcome followed: its columns may or may not be written."""
    for name, columns in contact.intent.items():
        created = "" in columns
        record = contact.ledger.setdefault(name, named(name, "unsent" if created else "there"))
        if created and record.state in ("unsent", "absent"):
            record.state = "sent"
            if "/" in columns[""]:  # older states say "create"
                record.by = record.by or columns[""]
        record.columns.update(dict.fromkeys((c for c in columns if c), UNKNOWN))
    contact.intent.clear()


def doubt(contact: Contact, number: int, before: str) -> None:
    """The state was restored: what the ledger says may be older than what Dynamics has.

    Each record is read before it is written from now on, for as long as the contact knows of
    anything from before the restoration: messages that are read again may have reached Dynamics
    before, and what people changed there since must not be undone.

    Args:
        contact: As loaded; its intent is settled.
        number: How many restorations the state has seen; 0: none.
        before: UTC time (``YYYY-MM-DDTHH:MM:SS.mmmZ``) of the last one.
    """
    known_before = any("" != fact.at < before for fact in contact.facts.values())
    if not number or (contact.restored == number and not known_before):
        return
    if contact.restored != number:
        # Reading shows what came of a change; of a create, the step that made it is kept.
        creates = {n: {"": about[""]} for n, about in contact.intent.items() if "" in about}
        contact.intent = creates
    mark_unknown(contact)
    for record in contact.ledger.values():
        if record.state == "sent":
            record.state = "unsent"  # its record, if there is one, may have been changed since
        elif record.state == "there" and record.entity != ATTRIBUTES:
            record.state = "doubted"
            record.ours |= not contact.restored
    contact.restored = number


def columns_of(contact: Contact) -> Columns:
    """What the ledger says of every record's columns, as it is now."""
    return {name: dict(record.columns) for name, record in contact.ledger.items()}


def mark_late_writes(contact: Contact, late: Contact, before: Columns) -> bool:
    """Mark as unknown what a late writer, whose claim had lapsed, and others have both written.

    Args:
        contact: As the others left it.
        late: As the late writer has it.
        before: What the late writer began with.

    Returns:
        Whether there is any such column.
    """
    marked = False
    for name, theirs in contact.ledger.items():
        if name not in late.ledger or late.ledger[name].state in ("sent", "found"):
            continue  # a create changes nothing about a record that is there
        known = before.get(name, {})
        for column, written in late.ledger[name].columns.items():
            sent = written == UNKNOWN or written != known.get(column)
            if sent and written != theirs.columns.get(column):
                theirs.columns[column] = UNKNOWN
                marked = True
    return marked


# --- what an outcome changes; ``pipelines.settle`` says which of these applies ---


def remember(contact: Contact, asked: Reading, found: Done) -> None:
    """What was looked up or read is known to later steps."""
    contact.lookups[asked.step] = {"asked": digest(asked.question), "answer": dict(found.answer)}


def remember_no_match(contact: Contact, asked: Lookup, _: Missing) -> None:
    """There is no record under the key that was asked for."""
    remember(contact, asked, Done(status("NoMatch")))


def acknowledge(contact: Contact, change: Change, _: Outcome) -> None:
    """Dynamics has the columns; a link has replaced the others of its lookup."""
    record = record_of(contact, change)
    for column in change.columns:
        record.columns.update(dict.fromkeys(rivals(column, record.columns), NULL))
    record.columns.update(digests(change.columns))


def acknowledge_create(contact: Contact, create: Change, made: Done) -> None:
    """Dynamics has the record, with these columns and no others."""
    record = record_of(contact, create)
    record.ours = True
    record.columns = dict.fromkeys(create.forced, NULL) | digests(create.columns)
    record.answer = {name: made.answer[name] for name in create.returning if name in made.answer}


def create_conflicted(contact: Contact, create: Change, _: Exists) -> None:
    """A create found an existing record (412), which an unanswered one of ours may have made."""
    record = record_of(contact, create)
    record.ours = record.state == "sent"


def forget_columns(contact: Contact, change: Change, _: Missing) -> None:
    """The record is gone, and is made again from nothing."""
    record_of(contact, change).columns.clear()


def refused_as_closed(contact: Contact, change: Change, _: Refusal) -> None:
    """Dynamics refused the change because the record is closed; see ``RecordLedger.refusals``."""
    record = record_of(contact, change)
    tried = change.verb is Verb.REOPEN or record.refusals > 0
    record.refusals = 2 if tried else 1
    if record.columns.get("statecode", OPEN) == OPEN:  # it is closed, whatever we thought
        record.columns["statecode"] = UNKNOWN


def park(contact: Contact, action: Change | Lookup, refused: Refusal) -> None:
    """Park the action for an operator."""
    contact.parked[action.place] = refused.parked


def acknowledge_attributes(contact: Contact, written: WriteBack, _: Done) -> None:
    """Connect has the attributes."""
    record = contact.ledger.setdefault(written.record, named(written.record, "there"))
    record.columns.update(digests(written.attributes))
    if not is_final(contact.effects.get(written.step)):
        contact.effects.pop(written.step, None)  # it was delayed, and has been taken now


def acknowledge_open(contact: Contact, page: OpenPage, told: Shown | Logged) -> None:
    """The page was shown, or logged, and is not again."""
    contact.effects[page.step] = str(Effect(told.says, told.at))


def delay(contact: Contact, action: LiveAction, delayed: Delayed) -> None:
    """It is tried again while it matters; should it expire, this is why."""
    contact.effects[action.step] = str(Effect("delayed", delayed.at, delayed.reason))


def give_up(contact: Contact, action: LiveAction, refused: Undeliverable) -> None:
    """What the agent's desktop or Connect will not accept is not tried again."""
    contact.effects[action.step] = str(Effect("refused", refused.at, refused.reason))


def learn_nothing(_contact: Contact, _action: Action, _outcome: Outcome) -> None:
    """The ledger is as before, but for the state of the record perhaps."""


def forget(contact: Contact, step: str) -> None:
    """What a step has read was redacted or deleted since: nothing is kept of it."""
    contact.lookups.pop(step, None)


def expire(contact: Contact, step: str, effect: Effect) -> None:
    """It is too late for what a step does live, for this reason: it is not done any more."""
    contact.effects[step] = str(effect)


def drop(contact: Contact, name: str) -> None:
    """An operator dropped a parked write: no more writes to that record, no more such lookups."""
    contact.parked.pop(name, None)
    if name in contact.ledger:
        contact.ledger[name].state = "gone"
    elif "(" in name:
        contact.ledger[name] = named(name, "gone")
    else:
        contact.effects[name] = "dropped"


def unpark(contact: Contact, fresh: Contact, name: str) -> None:
    """Follow an operator who retried or dropped a parked write while the contact was claimed."""
    record = fresh.ledger.get(name)
    if name in fresh.effects or (record is not None and record.state == "gone"):
        drop(contact, name)
    else:
        contact.parked.pop(name, None)
