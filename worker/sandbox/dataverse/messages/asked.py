"""What a message is asked with."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.keys import resolve, split_reference


if TYPE_CHECKING:
    from worker.sandbox.dataverse.metadata.service import Definitions
    from worker.sandbox.dataverse.rows.keys import Key
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.rows.writes import RowWriter
    from worker.sandbox.dataverse.schema.columns import Schema, Table
    from worker.sandbox.dataverse.switches import Switches
    from worker.sandbox.dataverse.users import Denied


Fields = dict[str, Any]

#: A row and its table.
Item = tuple["Table", "Row"]

MODEL: Final = "Microsoft.Dynamics.CRM."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message is asked with.

    Attributes:
        records: The rows.
        switches: What is done where Dataverse's behaviour is not documented.
        writer: Writes.
        new_id: Makes ids.
        user: Who asks.
        given: Arguments by name.
        denied: What users may not do.
        definitions: Of tables and columns.
        bound: What it is asked of: a row of a table; None for the organisation.
    """

    records: Rows
    switches: Switches
    writer: RowWriter
    new_id: Callable[[], str]
    user: str
    given: Fields
    denied: Collection[Denied]
    definitions: Definitions
    bound: Item | None = None

    def text(self, name: str) -> str:
        """An argument that is a text.

        Raises:
            Refusal: It is missing.
        """
        value = self.given.get(name)
        if not isinstance(value, str) or not value:
            raise refusals.invalid_argument(f"The parameter '{name}' is missing.")
        return value

    def row(self, name: str) -> Item:
        """An argument that names a row, by ``@odata.id`` or by type and primary key.

        Raises:
            Refusal: It names none, or one that is not there.
        """
        value = self.given.get(name)
        named = self._reference(value) if isinstance(value, dict) else None
        if named is None:
            raise refusals.invalid_argument(f"The parameter '{name}' names no row.")
        table, key = named
        found = resolve(self.records, self.switches, table, key)
        if found is None:
            raise refusals.no_row(table, str(key))
        return table, found

    def table(self, logical: str) -> Table:
        """The table of that name.

        Raises:
            Refusal: There is none.
        """
        table = self.schema.by_logical.get(logical)
        if table is None:
            raise refusals.invalid_argument(f"There is no table '{logical}'.")
        return table

    @property
    def schema(self) -> Schema:
        """The tables there are."""
        return self.records.schema

    def _reference(self, value: Fields) -> tuple[Table, Key] | None:
        if isinstance(value.get("@odata.id"), str):
            return split_reference(self.schema, value["@odata.id"])
        kind = str(value.get("@odata.type", "")).lstrip("#").removeprefix(MODEL)
        table = self.schema.by_logical.get(kind)
        key = value.get(table.key) if table else None
        return (table, key.strip("{}").lower()) if table and isinstance(key, str) else None


Answer = Callable[[Asked], Fields | None]
