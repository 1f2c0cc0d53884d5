"""What an expression may name: the columns of rows, and where their navigation leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from worker.sandbox.dataverse.rows.navigation import follower, navigation
from worker.sandbox.dataverse.rows.records import Rows
from worker.sandbox.dataverse.schema.columns import Table


#: A value of an item; None for null.
Get = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Operand:
    """A column an expression names.

    Attributes:
        edm: OData type.
        get: Its value.
    """

    edm: str
    get: Get


@dataclass(frozen=True, slots=True)
class Step:
    """A navigation property an expression follows.

    Attributes:
        scope: What may be named behind it.
        single: Whether it leads to one item at most.
        follow: The items it leads to from one.
    """

    scope: Scope
    single: bool
    follow: Callable[[Any], list[Any]]


class Scope(Protocol):
    """What may be named. ``type`` is the OData type of the items."""

    @property
    def type(self) -> str:
        """OData type of the items."""

    def operand(self, name: str) -> Operand | None:
        """The column of that name."""

    def attribute(self, name: str) -> Operand | None:
        """The column of that logical name, which is what query functions go by."""

    def step(self, name: str) -> Step | None:
        """The navigation property of that name."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Items that are plain mappings, without navigation: metadata."""

    type: str
    edms: Mapping[str, str]

    def operand(self, name: str) -> Operand | None:
        """The property of that name."""
        edm = self.edms.get(name)
        return Operand(edm, lambda item: item.get(name)) if edm else None

    def attribute(self, name: str) -> Operand | None:
        """The property of that name."""
        return self.operand(name)

    def step(self, name: str) -> Step | None:  # noqa: ARG002 - there is nowhere to go
        """None: there is no navigation."""
        return None


@dataclass(frozen=True, slots=True)
class TableScope:
    """The rows of a table."""

    records: Rows
    table: Table
    type: str = field(init=False)

    def __post_init__(self) -> None:
        """Take the type from the table."""
        object.__setattr__(self, "type", self.table.type)

    def operand(self, name: str) -> Operand | None:
        """The column of that name in JSON."""
        edm = self.table.edms.get(name)
        return Operand(edm, lambda row: row.columns.get(name)) if edm else None

    def attribute(self, name: str) -> Operand | None:
        """The column of that logical name."""
        found = next((column for column in self.table.columns if column.name == name), None)
        return self.operand(found.json_name) if found else None

    def step(self, name: str) -> Step | None:
        """The navigation property of that name."""
        nav = navigation(self.table, name)
        if nav is None:
            return None
        scope = TableScope(self.records, nav.target)
        follow = follower(self.records, self.table, nav)
        return Step(scope, nav.single, lambda row: [found for _, found in follow(row)])


def behind(step: Step, operand: Operand) -> Operand:
    """A column behind a single-valued navigation property; null where that leads nowhere."""

    def get(item: Any) -> Any:
        return next((operand.get(found) for found in step.follow(item)), None)

    return Operand(operand.edm, get)
