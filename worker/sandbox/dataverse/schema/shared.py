"""Columns and states that many tables have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.schema.columns import Column, StateCode
from worker.sandbox.dataverse.schema.kinds import (
    create_only,
    date,
    lookup,
    number,
    read_only,
    required,
)


if TYPE_CHECKING:
    from collections.abc import Mapping


ACTIVE_STATES: Final = {
    0: StateCode("Active", {1: "Active"}, 1),
    1: StateCode("Inactive", {2: "Inactive"}, 2),
}


def audit(activity: str = "") -> tuple[Column, ...]:
    """Columns every table has; an activity, named here, has its own names for the lookups."""
    users = ("createdby", "modifiedby", "createdonbehalfby", "modifiedonbehalfby")
    return (
        read_only(date("createdon")),
        read_only(date("modifiedon")),
        *(read_only(lookup(name, "systemuser", nav=_nav(name, activity))) for name in users),
        create_only(date("overriddencreatedon")),
        create_only(number("importsequencenumber", -(2**31))),
        read_only(Column("versionnumber", "BigInt")),
    )


def owner(activity: str = "") -> Column:
    """Whose row it is: a user's or a team's."""
    to = lookup("ownerid", "systemuser", "team", nav=_nav("ownerid", activity))
    return required(replace(to, lookup="Owner"))


def currency(activity: str = "") -> Column:
    """The currency of a row's amounts."""
    name = "transactioncurrencyid"
    return lookup(name, "transactioncurrency", nav=_nav(name, activity))


def _nav(name: str, activity: str) -> str:
    return f"{name}_{activity}" if activity else name


#: Columns of every table.
AUDIT: Final = audit()

#: Columns of every table whose rows belong to somebody.
OWNED: Final = (*AUDIT, owner())


def state_columns(states: Mapping[int, StateCode]) -> tuple[Column, ...]:
    """The columns statecode and statuscode; none for a table without states."""
    if not states:
        return ()
    labels = {value: state.label for value, state in states.items()}
    reasons = {value: label for state in states.values() for value, label in state.statuses.items()}
    return (
        required(Column("statecode", "State", options=labels, default=0)),
        Column("statuscode", "Status", options=reasons, default=states[0].default),
    )
