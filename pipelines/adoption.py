"""Adoption: what the ledger learns of a record in Dynamics that was there and has been read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipelines.action import Change
from pipelines.contact import UNKNOWN, Contact, RecordLedger
from pipelines.entity import STATE, entity
from pipelines.ledger import NULL, digest, record_of
from pipelines.link import linked, rivals
from pipelines.outcome import Found
from pipelines.row import DID, actor, as_sent, current, same


def adopt(contact: Contact, look: Change, found: Found) -> None:
    """Settle what to do with an existing record, having read it.

    A record that we made and nobody changed since is brought up to date fully. In anybody else's
    only columns that are null or at their default are filled, and it is closed if it is open.
    One that is doubted is judged column by column, see ``_stays``.

    Args:
        contact: Its contact.
        look: The ADOPT; its columns are all that are desired.
        found: The record as read, and who we are.
    """
    row = found.row
    record = record_of(contact, look)
    table = entity(record.entity)
    made, changed = (actor(row, did) in found.users for did in DID)
    doubted = record.state == "doubted"
    if doubted:
        record.ours &= changed
        ours = found.overwrite or record.ours
    else:
        untouched = made and changed
        ours = found.overwrite or (record.ours and record.state == "found") or untouched
        record.ours = untouched
    # We closed it for facts that the restored state does not have yet: they will come again.
    behind = contact.restored and ours and row.get("statecode") and not {*STATE} & {*look.columns}
    for column, value in look.columns.items():
        actual = current(row, column)
        free = actual in (None, []) or actual == table.defaults.get(column)
        if column in STATE:
            free = row.get("statecode") == 0
        names = (column, *rivals(column, record.columns))
        known = NULL if not doubted else _acknowledged(record, names)
        sent = as_sent(row, column, value, actual)
        settled = behind or _stays(known, column, value, sent, free=ours or free, ours=ours)
        if column in look.forced:
            settled = same(column, value or None, actual or None)
        for name in names:
            record.columns.pop(name, None)
        if settled or table.fixes(column):
            record.columns[column] = digest(value)
        else:  # a link is emptied by the name that it was filled by
            record.columns[linked(row, column)[1] if value is None else column] = UNKNOWN
    for column in [
        c for c in record.columns if not {c, *rivals(c, look.columns)} & {*look.columns}
    ]:
        if not (ours or doubted) or current(row, column) in (None, []):
            del record.columns[column]
    record.answer = {name: row[name] for name in look.returning if name in row}


def _acknowledged(record: RecordLedger, names: Iterable[str]) -> str:
    """The digest that a column was acknowledged with, under whichever of its names."""
    known = (record.columns.get(name, NULL) for name in names)
    return next((one for one in known if one != NULL), NULL)


def _stays(known: str, column: str, value: Any, sent: list[Any], *, free: bool, ours: bool) -> bool:
    """Whether a column of a record that was read is left as it is.

    What the ledger has acknowledged is not written again whatever is there now: its facts are
    unchanged. Otherwise it replaces the value that the ledger acknowledged, no value, and whatever
    we were the last to write; anything else is what a person did after that ledger was saved.

    Args:
        known: What the ledger has of the column.
        column: The column.
        value: What it should hold.
        sent: What it holds, first as it was read; see ``pipelines.row.as_sent``.
        free: Whether nobody's value is lost.
        ours: Whether nobody else has written the record.
    """
    if known == digest(value) or same(column, value, sent[0]):
        return True
    if known in (NULL, UNKNOWN):
        return not free
    return not (ours or known in map(digest, sent))
