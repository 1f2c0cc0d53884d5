"""The ledger: what Dynamics last acknowledged, record by record and column by column.

It holds digests, not values. These functions are the only ones that write it; each says what one
outcome of one write means for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from pipelines.contact import UNKNOWN, Contact, RecordLedger, State
from pipelines.decode.timestamp import normalise
from pipelines.entity import STATE, entity
from pipelines.write import Kind, Write


#: Record address -> column -> digest.
Columns = Mapping[str, Mapping[str, str]]

#: What stands in place of an entity set where attributes are written back to Connect.
ATTRIBUTES = "attributes"

#: Kinds that change columns of a record and so are recorded as intent before they are sent.
CHANGING = frozenset(Kind) - {Kind.LOOKUP, Kind.ADOPT, Kind.OPEN}


def digest(value: Any) -> str:
    """A short hash of a JSON value; an empty list says what null says."""
    data = orjson.dumps(None if value == [] else value, option=orjson.OPT_SORT_KEYS)
    return blake2b(data, digest_size=8).hexdigest()


NULL = digest(None)
OPEN = digest(0)  # of a statecode


def digests(columns: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each column's value."""
    return {column: digest(value) for column, value in columns.items()}


def record_of(contact: Contact, write: Write) -> RecordLedger:
    """The ledger's record that a write is about, begun if it is new.

    A record that no step of ours creates is taken to be there.
    """
    known = contact.ledger.get(write.record)
    if known is None:
        state: State = "unsent" if write.kind in (Kind.CREATE, Kind.ADOPT) else "there"
        known = contact.ledger[write.record] = named(write.record, state)
    if write.creatable and write.kind in (Kind.CREATE, Kind.ADOPT):
        known.by = known.by or write.steps[0]
    return known


def named(name: str, state: State) -> RecordLedger:
    """A new record of this ledger name (``phonecalls(<key>)``)."""
    entity_set, _, key = name.partition("(")
    return RecordLedger(entity_set, key.removesuffix(")"), state)


def intend(contact: Contact, writes: Iterable[Write]) -> bool:
    """Note what is about to be sent; whether that says more than the contact's intent did."""
    changed = False
    for write in writes:
        if write.kind in CHANGING:
            noted = contact.intent.setdefault(write.record, {})
            about = digests(write.columns) | (
                {"": write.steps[0]} if write.kind is Kind.CREATE else {}
            )
            if not about.items() <= noted.items():
                noted.update(about)
                changed = True
    return changed


def unsettle(contact: Contact) -> None:
    """Somebody's intent was not followed by an outcome: its columns may or may not be there."""
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

    Each record is read before it is written from now on, and so it goes for as long as the contact
    knows of anything from before the restoration: messages that come again are no news to Dynamics,
    and what people did there after the first time must not be undone.

    Args:
        contact: As loaded; its intent is settled.
        number: How many restorations the state has seen; 0: the ledger is true.
        before: UTC time (``YYYY-MM-DDTHH:MM:SS.mmmZ``) of the last one.
    """
    told_before = any("" != fact.at < before for fact in contact.facts.values())
    if not number or (contact.restored == number and not told_before):
        return
    if contact.restored != number:
        # Reading tells what came of a change; of a create, whose it is stays known.
        creates = {n: {"": about[""]} for n, about in contact.intent.items() if "" in about}
        contact.intent = creates
    unsettle(contact)
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


def contradict(contact: Contact, late: Contact, before: Columns) -> bool:
    """What somebody wrote who held the contact no more, and others wrote too, is unknown.

    Args:
        contact: As the others left it.
        late: As it is to the latecomer.
        before: What the latecomer began with.

    Returns:
        Whether there is any such column.
    """
    contradicted = False
    for name, theirs in contact.ledger.items():
        if name not in late.ledger or late.ledger[name].state in ("sent", "found"):
            continue  # a create changes nothing about a record that is there
        known = before.get(name, {})
        for column, written in late.ledger[name].columns.items():
            sent = written == UNKNOWN or written != known.get(column)
            if sent and written != theirs.columns.get(column):
                theirs.columns[column] = UNKNOWN
                contradicted = True
    return contradicted


def acknowledge(contact: Contact, write: Write, answer: Mapping[str, Any]) -> None:
    """Dynamics has carried the write out."""
    if write.kind is Kind.LOOKUP:
        asked = {"asked": digest(write.url), "answer": dict(answer)}
        contact.lookups[write.steps[0]] = asked
        return
    if write.kind is Kind.OPEN:
        contact.effects[write.steps[0]] = "done"
        return
    record = record_of(contact, write)
    if write.kind is Kind.CREATE:
        record.state = "there"
        record.ours = True
        record.columns.clear()
        record.answer = {name: answer[name] for name in write.returning if name in answer}
    record.columns.update(digests(write.columns))


def taken(contact: Contact, write: Write) -> None:
    """A create met an existing record (412): read it before doing anything to it."""
    record = record_of(contact, write)
    record.ours = record.state == "sent"
    record.state = "found"


def adopt(
    contact: Contact, write: Write, row: Mapping[str, Any], user_id: str, *, overwrite: bool
) -> None:
    """Settle what to do with an existing record, having read it.

    A record that we made and nobody changed since is brought up to date fully. Of anybody else's
    only columns that are null or at their default are filled, and it is closed if it is open.
    One that is doubted is judged column by column, see ``_stays``.

    Args:
        contact: Its contact.
        write: The ADOPT write; its columns are all that are desired.
        row: The record as read, with annotations.
        user_id: Our application user, lower case.
        overwrite: Treat it as ours whoever made it.
    """
    record = record_of(contact, write)
    table = entity(record.entity)
    makers = {str(row.get(f"_{by}_value", "")).lower() for by in ("createdby", "modifiedby")}
    doubted = record.state == "doubted"
    if doubted:
        record.ours &= str(row.get("_modifiedby_value", "")).lower() == user_id
        ours = overwrite or record.ours
    else:
        ours = overwrite or (record.ours and record.state == "found") or makers == {user_id}
        record.ours = makers == {user_id}
    # We closed it, and do not know why yet: what we know is older, and the rest comes again.
    behind = contact.restored and ours and row.get("statecode") and not {*STATE} & {*write.columns}
    for column, value in write.columns.items():
        actual = current(row, column)
        free = actual in (None, []) or actual == table.defaults.get(column)
        if column in STATE:
            free = row.get("statecode") == 0
        known = record.columns.get(column, NULL) if doubted else NULL
        settled = behind or _stays(known, column, value, actual, free=ours or free, ours=ours)
        record.columns[column] = digest(value) if settled else UNKNOWN
    for column in [c for c in record.columns if c not in write.columns]:
        if not (ours or doubted) or current(row, column) in (None, []):
            del record.columns[column]
    record.answer = {name: row[name] for name in write.returning if name in row}
    record.state = "there"


def _stays(known: str, column: str, value: Any, actual: Any, *, free: bool, ours: bool) -> bool:
    """Whether a column of a record that was read is left as it is.

    What the ledger has acknowledged is not written again whatever is there now: its facts are
    unchanged. Otherwise it is written over what the ledger vouches for, over nothing, and over
    what we wrote last of all; anything else is what a person did after that ledger was saved.
    """
    if known == digest(value) or same(column, value, actual):
        return True
    if known in (NULL, UNKNOWN):
        return not free
    return not (ours or known in map(digest, _as_sent(value, actual)))


def _as_sent(value: Any, actual: Any) -> list[Any]:
    """The forms in which a value that is read may have been sent, if it was sent like another."""
    forms = [actual]
    if isinstance(actual, str):
        if at := normalise(actual):
            forms += [at, f"{at[:19]}Z"]
        if isinstance(value, str) and value.endswith(")"):  # /contacts(<guid>)
            forms.append(f"{value.rpartition('(')[0]}({actual})")
    return forms


def missing(contact: Contact, write: Write) -> bool:
    """The record is not there (404); False if an operator must decide (``on_missing = "park"``)."""
    record = record_of(contact, write)
    if write.kind is Kind.ADOPT and record.state == "found":
        record.state = "unsent"  # the 412 was about another record: an alternate key is taken
        return False
    if write.kind is Kind.ADOPT and record.state != "doubted":
        record.state = "absent"
        return True
    if write.on_missing == "recreate" and write.creatable:
        record.state = "unsent"
        record.columns.clear()
        return True
    if write.kind is Kind.ADOPT or write.on_missing == "skip":
        record.state = "gone"
        return True
    return False


def closed(contact: Contact, write: Write) -> None:
    """Dynamics refused the write because the record is closed; see ``Record.refusals``."""
    record = record_of(contact, write)
    tried = write.kind is Kind.REOPEN or record.refusals > 0
    record.refusals = 2 if tried else 1
    if record.columns.get("statecode", OPEN) == OPEN:  # it is not, whatever we thought
        record.columns["statecode"] = UNKNOWN


def let_go(contact: Contact, name: str) -> None:
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
        let_go(contact, name)
    else:
        contact.parked.pop(name, None)


def current(row: Mapping[str, Any], column: str) -> Any:
    """The value a column written by us has in a record read with annotations."""
    if not column.endswith("@odata.bind"):
        return row.get(column)
    link = column.removesuffix("@odata.bind")
    annotation = "@Microsoft.Dynamics.CRM.associatednavigationproperty"
    for name, value in row.items():
        if name.startswith("_") and name.endswith("_value") and row.get(name + annotation) == link:
            return value
    return None


def same(column: str, desired: Any, actual: Any) -> bool:
    """Whether Dynamics' value says what we would write."""
    if isinstance(desired, list) and isinstance(actual, list):
        return sorted(map(_party, desired)) == sorted(map(_party, actual))
    if desired == actual:
        return True
    if not isinstance(desired, str) or not isinstance(actual, str):
        return False
    if column.endswith("@odata.bind"):  # /contacts(<guid>)
        return desired.rpartition("(")[2].removesuffix(")").lower() == actual.lower()
    return "" != normalise(desired)[:19] == normalise(actual)[:19]


def _party(party: Mapping[str, Any]) -> str:
    """What of a party counts: its role and who it is."""
    links = [str(v) for k, v in party.items() if k.endswith("@odata.bind")]
    who = links[0].rpartition("(")[2].removesuffix(")") if links else party.get("_partyid_value")
    who = who or party.get("addressused") or party.get("unresolvedpartyname")
    return f"{party.get('participationtypemask')} {who}".lower()
