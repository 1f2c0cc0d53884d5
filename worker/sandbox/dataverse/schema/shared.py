"""Columns and states that many tables have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.schema.columns import (
    Column,
    StateCode,
    create_only,
    date,
    lookup,
    number,
    read_only,
)


if TYPE_CHECKING:
    from collections.abc import Mapping


#: Columns every table has.
AUDIT: Final = (
    read_only(date("createdon")),
    read_only(date("modifiedon")),
    read_only(lookup("createdby", "systemuser", nav="createdby")),
    read_only(lookup("modifiedby", "systemuser", nav="modifiedby")),
    read_only(lookup("createdonbehalfby", "systemuser", nav="createdonbehalfby")),
    read_only(lookup("modifiedonbehalfby", "systemuser", nav="modifiedonbehalfby")),
    create_only(date("overriddencreatedon")),
    create_only(number("importsequencenumber", -(2**31))),
    read_only(Column("versionnumber", "BigInt")),
)

OWNED: Final = (*AUDIT, lookup("ownerid", "systemuser", "team", nav="ownerid"))

ACTIVE_STATES: Final = {
    0: StateCode("Active", {1: "Active"}, 1),
    1: StateCode("Inactive", {2: "Inactive"}, 2),
}


def state_columns(states: Mapping[int, StateCode]) -> tuple[Column, ...]:
    """The columns statecode and statuscode; none for a table without states."""
    if not states:
        return ()
    labels = {value: state.label for value, state in states.items()}
    reasons = {value: label for state in states.values() for value, label in state.statuses.items()}
    return (
        Column("statecode", "State", options=labels, default=0),
        Column("statuscode", "Status", options=reasons, default=states[0].default),
    )
