"""What a column, a table and all the tables of an organisation are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.schema.links import linked


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


#: Attribute types by the names metadata gives them, with their OData types
#: [DOC webapi/web-api-types-operations].
EDM: Final = {
    "BigInt": "Edm.Int64",
    "Boolean": "Edm.Boolean",
    "DateTime": "Edm.DateTimeOffset",
    "Decimal": "Edm.Decimal",
    "Double": "Edm.Double",
    "EntityName": "Edm.String",
    "File": "Edm.Guid",
    "Integer": "Edm.Int32",
    "Lookup": "Edm.Guid",
    "Memo": "Edm.String",
    "Money": "Edm.Decimal",
    "MultiSelectPicklist": "Edm.String",
    "Picklist": "Edm.Int32",
    "State": "Edm.Int32",
    "Status": "Edm.Int32",
    "String": "Edm.String",
    "Uniqueidentifier": "Edm.Guid",
}

#: Whether a row must have it: Dataverse itself insists on SystemRequired alone, the forms on
#: ApplicationRequired too [DOC webapi/web-api-entitytypes].
REQUIRED_LEVELS: Final = ("None", "Recommended", "ApplicationRequired", "SystemRequired")

#: The table of all users and teams, to which owners belong.
OWNER: Final = "owner"


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: Logical name.
        type: Attribute type, one of ``EDM``.
        max_length: UTF-16 units, of String and Memo.
        minimum: Smallest number.
        maximum: Largest number.
        options: Labels of Boolean, Picklist, MultiSelectPicklist, State and Status values.
        choice: Name of the global choice that the options are; "" for options of its own.
        navs: For a Lookup, the navigation properties that reach it, with the tables each leads to.
            The first that leads to a table is the one that annotations and metadata name.
        relations: For a Lookup, the names of its relations by table, which are the names of the
            collections on the other side too; those left out follow from table and column.
        lookup: For a Lookup, ``Owner`` or ``Customer`` if it is one of these; else "".
        required: One of ``REQUIRED_LEVELS``.
        create: Whether a create may set it; what may not be set is dropped silently.
        update: Whether an update may set it.
        default: What a create gives it.
    """

    name: str
    type: str
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    options: Mapping[int, str] = field(default_factory=dict)
    choice: str = ""
    navs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    relations: Mapping[str, str] = field(default_factory=dict)
    lookup: str = ""
    required: str = "None"
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

    @property
    def targets(self) -> tuple[str, ...]:
        """The tables it leads to."""
        return tuple(dict.fromkeys(target for names in self.navs.values() for target in names))


@dataclass(frozen=True, slots=True)
class StateCode:
    """One value of statecode: its label, its statuscodes' labels, and the default among those."""

    label: str
    statuses: Mapping[int, str]
    default: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A many-to-one relation, seen from either side.

    Attributes:
        name: Its schema name, and the name of the collection on the ``target``'s side.
        table: The table whose rows refer, by logical name.
        column: Its lookup column.
        nav: The navigation property that leads from the row that refers to the other.
        target: The table referred to, by logical name.
    """

    name: str
    table: str
    column: str
    nav: str
    target: str


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
        schema_name: With capitals (``PhoneCall``); "" if only the first letter is one.
        ownership: ``UserOwned``, ``OrganizationOwned`` or ``None``.
        activity: Whether it has parties and can be closed.
        elastic: Whether its rows are in partitions, by ``partitionid``.
        has_activities: Whether activities may be regarding its rows.
        has_notes: Whether notes may be about its rows.
        in_queues: Whether its rows may be in queues.
        is_party: Whether its rows may take part in activities.
        bulk: Whether it takes CreateMultiple and its like.
        keys: Columns of each alternate key, by the key's name.
        joins: For the table of a many-to-many relation, the logical names of its two sides; rows
            come and go by associating, not by a create.
        association: The navigation property of that relation, on both sides, and its schema name;
            "" if it is the logical name.
        schema: The tables it is one of; on its own, none.
    """

    logical: str
    entity_set: str
    key: str
    title: str
    columns: tuple[Column, ...]
    states: Mapping[int, StateCode]
    schema_name: str = ""
    ownership: str = "UserOwned"
    activity: bool = False
    elastic: bool = False
    has_activities: bool = False
    has_notes: bool = False
    in_queues: bool = False
    is_party: bool = False
    bulk: bool = False
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    joins: tuple[str, ...] = ()
    association: str = ""
    schema: Schema = field(default_factory=lambda: Schema(()), compare=False, repr=False)

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
    def capitalized(self) -> str:
        """Its schema name."""
        return self.schema_name or self.logical.capitalize()

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

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """The many-to-one relations of its lookups, one for each column and table referred to.

        An owner is a row of the table ``owner``, which is every user and team.
        """
        found = []
        for column in self.columns:
            if column.lookup == "Owner":
                name = column.relations.get(OWNER, f"owner_{self.entity_set}")
                nav = next(iter(column.navs))
                found.append(Relation(name, self.logical, column.name, nav, OWNER))
                continue
            for target in column.targets:
                prefix = "lk" if target == "systemuser" else target
                name = column.relations.get(target, f"{prefix}_{self.logical}_{column.name}")
                nav = column.nav(target)
                found.append(Relation(name, self.logical, column.name, nav, target))
        return tuple(found)

    @cached_property
    def collections(self) -> dict[str, Relation]:
        """The one-to-many relations by collection: what other rows refer to a row of this table."""
        return {
            relation.name: relation
            for table in self.schema.tables.values()
            for relation in table.relations
            if relation.target == self.logical
        }


class Schema:
    """All the tables of an organisation.

    Lookups that lead to all tables of a kind (regarding, notes, queue items) are completed.

    Attributes:
        tables: By entity set.
        by_logical: By logical name.
        joins: Tables of many-to-many relations, by the navigation property both sides have.
        party_navs: The tables a party may come from, by navigation property.
    """

    def __init__(self, tables: Iterable[Table]) -> None:
        own = [replace(table, schema=self) for table in linked(tuple(tables))]
        self.tables = {table.entity_set: table for table in own}
        self.by_logical = {table.logical: table for table in own}
        self.joins = {t.association or t.logical: t for t in own if t.joins}
        self.party_navs = {f"partyid_{t.logical}": t.logical for t in own if t.is_party}

    @cached_property
    def activity_party(self) -> Table:
        """The table of parties, which are read and written with their activity."""
        return _activity_party(self)

    def with_keys(self, keys: Mapping[str, Iterable[tuple[str, ...]]]) -> Schema:
        """The same with more alternate keys: the columns of each, by entity set."""

        def extended(table: Table) -> Table:
            more = {"_".join(columns): columns for columns in keys.get(table.entity_set, ())}
            return replace(table, keys={**table.keys, **more})

        return Schema(extended(table) for table in self.tables.values()) if keys else self


#: participationtypemask.
PARTICIPATION: Final = {
    1: "Sender",
    2: "To Recipient",
    3: "CC Recipient",
    4: "BCC Recipient",
    5: "Required attendee",
    6: "Optional attendee",
    7: "Organizer",
    8: "Regarding",
    9: "Owner",
    10: "Resource",
    11: "Customer",
    12: "Chat Participant",
    13: "Related",
}


def _activity_party(schema: Schema) -> Table:
    tables = schema.tables.values()

    def to(name: str, leads: Iterable[Table]) -> Column:
        navs = {f"{name}_{table.logical}": (table.logical,) for table in leads}
        names = {table.logical: table.parties for table in leads}
        return Column(name, "Lookup", navs=navs, relations=names)

    columns = (
        Column("activitypartyid", "Uniqueidentifier", create=False, update=False),
        to("activityid", [table for table in tables if table.activity]),
        to("partyid", [table for table in tables if table.is_party]),
        Column("participationtypemask", "Picklist", options=PARTICIPATION),
        Column("addressused", "String", max_length=320),
        Column("unresolvedpartyname", "String", max_length=200),
    )
    return Table(
        "activityparty",
        "activityparties",
        "activitypartyid",
        "activitypartyid",
        columns,
        {},
        schema_name="ActivityParty",
        ownership="None",
        schema=schema,
    )
