"""Lookups that lead to every table of a kind: what an activity is regarding, what a note is about.

A table says that it has activities, notes or a place in queues; the columns follow from that
[DOC reference/entities/phonecall, annotation, queueitem].
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.sandbox.dataverse.schema.columns import Column, Table


#: The navigation property that leads to a table, and the name of the relation.
Link = tuple[str, str]

REGARDING: Final = "regardingobjectid"

#: The end of a regarding relation's name (``Contact_Phonecalls``), where it is not the entity set.
_PLURALS: Final = {
    "appointment": "Appointments",
    "campaignresponse": "CampaignResponses",
    "email": "Emails",
    "fax": "Faxes",
    "letter": "Letters",
    "phonecall": "Phonecalls",
    "task": "Tasks",
}


def linked(tables: tuple[Table, ...]) -> tuple[Table, ...]:
    """The tables with these lookups completed; what a lookup says already stays as it is."""
    return tuple(_complete(table, tables) for table in tables)


def _complete(table: Table, tables: Iterable[Table]) -> Table:
    if table.activity:
        targets = [other for other in tables if other.has_activities]
        named = _with(table, REGARDING, targets, lambda other: _regarding(table, other))
        return replace(named, columns=tuple(_inherited(named, c) for c in named.columns))
    if table.logical == "annotation":
        targets = [other for other in tables if other.has_notes]
        return _with(table, "objectid", targets, lambda other: _about(other, "Annotation"))
    if table.logical == "queueitem":
        targets = [other for other in tables if other.in_queues]
        return _with(table, "objectid", targets, lambda other: _about(other, "QueueItem"))
    return table


def _inherited(table: Table, column: Column) -> Column:
    """An activity's ``ownerid_phonecall`` with the ``ownerid`` that activitypointer hands down."""
    ending = f"_{table.logical}"
    short = {
        nav.removesuffix(ending): targets
        for nav, targets in column.navs.items()
        if nav.endswith(ending)
    }
    return replace(column, navs={**column.navs, **short}) if short else column


def _with(
    table: Table, name: str, targets: Iterable[Table], link: Callable[[Table], Link]
) -> Table:
    """The table with one more way from a column to each of the tables it does not lead to yet."""

    def completed(column: Column) -> Column:
        missing = {t.logical: link(t) for t in targets if t.logical not in column.targets}
        navs = {nav: (target,) for target, (nav, _) in missing.items()}
        names = {target: name for target, (_, name) in missing.items()}
        return replace(
            column, navs={**column.navs, **navs}, relations={**column.relations, **names}
        )

    columns = tuple(completed(c) if c.name == name else c for c in table.columns)
    return replace(table, columns=columns)


def _regarding(table: Table, other: Table) -> Link:
    """``regardingobjectid_contact_phonecall``; ``Contact_Phonecalls``."""
    plural = _PLURALS.get(table.logical, table.entity_set)
    nav = f"{REGARDING}_{other.logical}_{table.logical}"
    return nav, f"{other.capitalized}_{plural}"


def _about(other: Table, ending: str) -> Link:
    """``objectid_phonecall``; ``PhoneCall_Annotation``."""
    return f"objectid_{other.logical}", f"{other.capitalized}_{ending}"
