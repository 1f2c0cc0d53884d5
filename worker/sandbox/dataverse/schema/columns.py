"""What a column and a table of Dataverse are, and short ways of writing them down."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final


if TYPE_CHECKING:
    from collections.abc import Mapping


#: Attribute types by the names metadata gives them, with their OData types
#: [DOC webapi/web-api-types-operations].
EDM: Final = {
    "BigInt": "Edm.Int64",
    "Boolean": "Edm.Boolean",
    "DateTime": "Edm.DateTimeOffset",
    "Integer": "Edm.Int32",
    "Lookup": "Edm.Guid",
    "Memo": "Edm.String",
    "Picklist": "Edm.Int32",
    "State": "Edm.Int32",
    "Status": "Edm.Int32",
    "String": "Edm.String",
    "Uniqueidentifier": "Edm.Guid",
}

INT32_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: Logical name.
        type: Attribute type, one of ``EDM``.
        max_length: Characters, of String and Memo.
        minimum: Smallest Integer.
        maximum: Largest Integer.
        options: Labels of Picklist, State and Status values.
        navs: For a Lookup, the navigation properties that reach it, with the tables each leads to.
            The first that leads to a table is the one annotations name.
        create: Whether a create may set it; what may not be set is dropped silently.
        update: Whether an update may set it.
        default: What a create gives it.
    """

    name: str
    type: str
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    options: Mapping[int, str] = field(default_factory=dict)
    navs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    create: bool = True
    update: bool = True
    default: Any = None

    @property
    def json_name(self) -> str:
        """Its name in JSON and in queries."""
        return f"_{self.name}_value" if self.type == "Lookup" else self.name

    @property
    def edm(self) -> str:
        """Its OData type."""
        return EDM[self.type]

    def nav(self, target: str) -> str:
        """The navigation property that leads from it to a table."""
        return next(name for name, targets in self.navs.items() if target in targets)


@dataclass(frozen=True, slots=True)
class StateCode:
    """One value of statecode: its label, its statuscodes' labels, and the default among those."""

    label: str
    statuses: Mapping[int, str]
    default: int


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        logical: Logical name (``phonecall``).
        entity_set: Its name in URLs (``phonecalls``).
        key: Primary key column.
        title: Primary name column.
        columns: All columns.
        states: By statecode; empty for a table without states.
        activity: Whether it has parties and can be closed.
        bulk: Whether it takes CreateMultiple and its like.
        joins: For the table of a many-to-many relation, the logical names of its two sides; rows
            come and go by associating, not by a create.
    """

    logical: str
    entity_set: str
    key: str
    title: str
    columns: tuple[Column, ...]
    states: Mapping[int, StateCode]
    activity: bool = False
    bulk: bool = False
    joins: tuple[str, ...] = ()

    @cached_property
    def by_property(self) -> dict[str, Column]:
        """Columns by their names in JSON."""
        return {column.json_name: column for column in self.columns}

    @cached_property
    def navs(self) -> dict[str, Column]:
        """Lookup columns by navigation property."""
        return {nav: column for column in self.columns for nav in column.navs}

    @cached_property
    def edms(self) -> dict[str, str]:
        """OData types by name in JSON."""
        return {column.json_name: column.edm for column in self.columns}

    @cached_property
    def parties(self) -> str:
        """The collection of parties, of an activity."""
        return f"{self.logical}_activity_parties"

    @cached_property
    def type(self) -> str:
        """OData type."""
        return f"Microsoft.Dynamics.CRM.{self.logical}"

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What a create gives every row."""
        given = {c.json_name: c.default for c in self.columns if c.default is not None}
        if self.activity:
            given["activitytypecode"] = self.logical
        return given


def text(name: str, max_length: int) -> Column:
    """A line of text."""
    return Column(name, "String", max_length=max_length)


def memo(name: str, max_length: int) -> Column:
    """Several lines of text."""
    return Column(name, "Memo", max_length=max_length)


def flag(name: str, *, default: bool | None = None) -> Column:
    """Yes or no."""
    return Column(name, "Boolean", options={0: "No", 1: "Yes"}, default=default)


def number(name: str, minimum: int = 0, maximum: int = INT32_MAX) -> Column:
    """A whole number."""
    return Column(name, "Integer", minimum=minimum, maximum=maximum)


def date(name: str) -> Column:
    """A moment, kept in UTC to the second."""
    return Column(name, "DateTime")


def choice(name: str, *labels: str, start: int = 0, default: int | None = None) -> Column:
    """One of several, numbered from ``start``."""
    return Column(name, "Picklist", options=dict(enumerate(labels, start)), default=default)


def guid(name: str) -> Column:
    """An id that leads nowhere."""
    return Column(name, "Uniqueidentifier")


def lookup(name: str, *targets: str, nav: str = "") -> Column:
    """A reference to a row. Without ``nav`` each table has its own ``<name>_<table>``."""
    navs = {nav: targets} if nav else {f"{name}_{target}": (target,) for target in targets}
    return Column(name, "Lookup", navs=navs)


def regarding(table: str, *targets: str) -> Column:
    """An activity's regarding: ``…_contact_phonecall`` and the inherited ``…_contact``."""
    navs = {f"regardingobjectid_{target}_{table}": (target,) for target in targets}
    short = {f"regardingobjectid_{target}": (target,) for target in targets}
    return Column("regardingobjectid", "Lookup", navs=navs | short)


def read_only(column: Column) -> Column:
    """The same, set by the server alone."""
    return _writable(column, create=False, update=False)


def create_only(column: Column) -> Column:
    """The same, set by a create alone."""
    return _writable(column, create=True, update=False)


def _writable(column: Column, *, create: bool, update: bool) -> Column:
    values = {name: getattr(column, name) for name in Column.__slots__}
    return Column(**(values | {"create": create, "update": update}))
