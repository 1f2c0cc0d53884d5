"""A JSON body, read as the change of a row that it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.keys import resolve, split_reference
from worker.sandbox.dataverse.rows.records import Party, Rows
from worker.sandbox.dataverse.rows.values import coerce, text


if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.dataverse.schema.columns import Table
    from worker.sandbox.dataverse.switches import Switches


BIND = "@odata.bind"

#: Columns of a party beside whom it is: their types and, of text, the greatest length.
PARTY_TEXTS = {"addressused": 320, "unresolvedpartyname": 200}
PARTICIPATION = range(1, 14)  # participationtypemask, 1 = From, 2 = To, 3 = CC …


@dataclass(slots=True)
class Change:
    """What a body sets.

    Attributes:
        columns: Values by property; None empties.
        targets: Tables of the lookups among them.
        parties: All parties, if the body names any.
        names: The name that each lookup among them was set by.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    parties: tuple[Party, ...] | None = None
    names: dict[str, str] = field(default_factory=dict)


class Reader:
    """Reads bodies.

    Args:
        records: Where bound rows are looked for.
        switches: How bad binds are answered.
    """

    def __init__(self, records: Rows, switches: Switches) -> None:
        self._records = records
        self._switches = switches

    def read(self, table: Table, body: Mapping[str, Any], *, creating: bool) -> Change:
        """The change a body asks for; columns the server alone sets are dropped.

        Raises:
            Refusal: A property that is not there, a value that does not fit, a bad bind.
        """
        change = Change()
        for name, value in body.items():
            column = table.by_property.get(name)
            if column is None:
                if not self._is_dropped(table, name, creating=creating):
                    self._read_other(table, name, value, change)
            elif column.type == "Lookup":
                raise refusals.lookup_as_value()
            elif column.create if creating else column.update:
                change.columns[name] = coerce(table, column, value)
        return change

    def parties(self, table: Table, value: Any) -> tuple[Party, ...]:
        """The parties of a collection in a body."""
        if not isinstance(value, list) or not all(isinstance(party, dict) for party in value):
            raise refusals.wrong_type(table.entity_set, "Collection(mscrm.activityparty)")
        return tuple(self._party(table, party) for party in value)

    def _is_dropped(self, table: Table, name: str, *, creating: bool) -> bool:
        """Whether it is a lookup that a create, or an update, may not set."""
        column = table.navs.get(name.removesuffix(BIND))
        return column is not None and not (column.create if creating else column.update)

    def _read_other(self, table: Table, name: str, value: Any, change: Change) -> None:
        if name.endswith(BIND):
            self._bind(table, name.removesuffix(BIND), value, change)
        elif name == table.parties and table.activity:
            change.parties = self.parties(table, value)
        elif "@" in name:
            return  # annotations are for readers
        elif name in table.navs and value is None:
            self._set(table, name, None, "", change)
        elif name in table.navs:
            raise refusals.wrong_type(table.entity_set, "mscrm.crmbaseentity")
        else:
            raise refusals.unknown_column(table, name)

    def _bind(self, table: Table, nav: str, value: Any, change: Change) -> None:
        column = table.navs.get(nav)
        if column is None or not self._accepts(table, nav):
            raise refusals.undeclared(table, nav)
        if value is None:
            match self._switches.null_bind:
                case "refuse":
                    raise refusals.null_bind(table, nav)
                case "fail":
                    raise refusals.unexpected()
            return
        target, record_id = self._target(table, value, column.navs[nav])
        self._set(table, nav, record_id, target, change)

    def _set(
        self, table: Table, nav: str, record_id: str | None, target: str, change: Change
    ) -> None:
        """Set the lookup that a navigation property reaches, or empty it."""
        name = table.navs[nav].json_name
        if change.names.setdefault(name, nav) != nav and self._switches.two_binds == "refuse":
            raise refusals.two_binds(table.logical, table.entity_set, change.names[name], nav)
        change.columns[name] = record_id
        if record_id is not None:
            change.targets[name] = target

    def _accepts(self, table: Table, nav: str) -> bool:
        short = nav.startswith("regardingobjectid_") and not nav.endswith(f"_{table.logical}")
        return not short or self._switches.short_regarding == "accept"

    def _target(self, table: Table, value: Any, targets: tuple[str, ...]) -> tuple[str, str]:
        """The table and id of the row a bind names."""
        decoded = self._switches.bind_text == "decoded" and isinstance(value, str)
        reference = unquote(value) if decoded else value
        found = split_reference(table.schema, reference) if isinstance(reference, str) else None
        if found is None or found[0].logical not in targets:
            raise refusals.payload(
                table.entity_set,
                "Microsoft.OData.ODataException: The entity reference of an '@odata.bind' does not "
                "name a row of a table this property leads to.",
            )
        target, key = found
        status = self._switches.bad_bind_status
        if isinstance(key, str):
            if self._records.get(target, key) is None:
                raise refusals.no_row(target, key, status)
            return target.logical, key
        if self._switches.bind_by_key == "refuse":
            raise refusals.payload(table.entity_set, "Microsoft.OData.ODataException: Invalid key.")
        record = resolve(self._records, self._switches, target, key)
        if record is None:
            raise refusals.no_row_by_key(target, status)
        return target.logical, record.id

    def _party(self, table: Table, body: Mapping[str, Any]) -> Party:
        columns: dict[str, Any] = {}
        target = ""
        for name, value in body.items():
            nav = name.removesuffix(BIND)
            if nav in table.schema.party_navs and name != nav:
                if target and self._switches.two_binds == "refuse":
                    raise refusals.two_binds("activityparty", table.entity_set, "partyid", nav)
                to = (table.schema.party_navs[nav],)
                target, columns["_partyid_value"] = self._target(table, value, to)
            elif name == "participationtypemask":
                columns[name] = _participation(table, value)
            elif name in PARTY_TEXTS:
                columns[name] = _party_text(table, name, value)
            elif name.endswith(BIND):
                raise refusals.undeclared(table, nav)
            elif "@" not in name:
                raise refusals.unknown_column(table, name)
        if "participationtypemask" not in columns:
            raise refusals.invalid_argument("A party needs a participationtypemask.")
        return Party({name: value for name, value in columns.items() if value is not None}, target)


def _participation(table: Table, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise refusals.wrong_type(table.entity_set, "Edm.Int32")
    if value not in PARTICIPATION:
        options = ",".join(map(str, PARTICIPATION))
        raise refusals.no_such_option(table, "participationtypemask", value, options)
    return value


def _party_text(table: Table, name: str, value: Any) -> str | None:
    if value is None:
        return None
    return text(table.entity_set, "activityparty", name, value, PARTY_TEXTS[name])
