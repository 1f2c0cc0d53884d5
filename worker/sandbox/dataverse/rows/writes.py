"""Creates, updates and deletes: what a row becomes when a change reaches it."""

from __future__ import annotations

import time

from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.bodies import Change, Reader
from worker.sandbox.dataverse.rows.derived import DERIVED
from worker.sandbox.dataverse.rows.keys import Key, resolve
from worker.sandbox.dataverse.rows.records import Party, Row, Rows
from worker.sandbox.dataverse.rows.values import folded
from worker.sandbox.dataverse.schema.desktop import (
    APPLICATION_TAB_TEMPLATE,
    PAGE_PARAMETERS,
    TEMPLATE_PARAMETER,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from worker.sandbox.dataverse.schema.columns import Column, Table
    from worker.sandbox.dataverse.switches import Switches


#: Duplicate detection compares this column, as the published default rules do.
DUPLICATE_COLUMN: Final = "emailaddress1"

#: Who wrote a row, and on whose behalf.
_BY_USERS: Final = (
    *("_createdby_value", "_createdonbehalfby_value"),
    *("_modifiedby_value", "_modifiedonbehalfby_value"),
)

CLOSED_STATES: Final = frozenset({1, 2})  # completed, cancelled
STATE_COLUMNS: Final = frozenset({"statecode", "statuscode"})


class RowWriter:
    """Writes rows as one user or another.

    Args:
        records: The rows.
        switches: What is done where Dataverse's behaviour is not documented.
        clock: Wall-clock time (s since 1970).
        new_id: Makes primary keys for creates that bring none.

    Attributes:
        delegate: Who writes on behalf of the user that is named; "" if nobody does.
    """

    def __init__(
        self,
        records: Rows,
        switches: Switches,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.reader = Reader(records, switches)
        self._records = records
        self._switches = switches
        self._clock = clock
        self._new_id = new_id
        self.delegate = ""

    def find(self, table: Table, key: Key) -> Row | None:
        """The row a key names, or None.

        Raises:
            Refusal: No such alternate key, or none that is ready.
        """
        return resolve(self._records, self._switches, table, key)

    def create(
        self,
        table: Table,
        body: Mapping[str, Any],
        user: str,
        *,
        record_id: str | None = None,
        detect: bool = False,
    ) -> Row:
        """Make a row.

        Args:
            table: Where.
            body: Columns, binds, parties.
            user: The systemuserid it is made by.
            record_id: Its primary key from the URL; else the body's, else a new one.
            detect: Whether duplicate detection is asked for.

        Raises:
            Refusal: It is there already, or the body does not fit.
        """
        change = self.reader.read(table, body, creating=True)
        record_id = record_id or change.columns.get(table.key) or self._new_id()
        if self._records.get(table, record_id):
            raise refusals.key_taken(self._switches.key_taken_code)
        if detect:
            self._detect(table, change, record_id)
        if table.states:
            self._first_state(table, change, record_id)
        written = self._write(table, self._born(table, change, record_id, user), change)
        if (
            table.logical == APPLICATION_TAB_TEMPLATE.logical
            and self._switches.tab_parameters == "made"
        ):
            self._make_parameters(written, user)
        return written

    def update(
        self,
        table: Table,
        record: Row,
        body: Mapping[str, Any],
        user: str,
        *,
        detect: bool = False,
    ) -> Row:
        """Change a row.

        Raises:
            Refusal: It is closed to changes, or the body does not fit.
        """
        change = self.reader.read(table, body, creating=False)
        self._check_parties(table, change)
        return self._changed(table, record, change, user, detect=detect)

    def link(
        self, table: Table, record: Row, column: Column, target: tuple[str, str] | None, user: str
    ) -> Row:
        """Let a lookup lead to the row of a table, by logical name and id, or nowhere.

        Raises:
            Refusal: The row is closed to changes.
        """
        change = Change(columns={column.json_name: target[1] if target else None})
        if target:
            change.targets[column.json_name] = target[0]
        return self._changed(table, record, change, user)

    def _changed(
        self, table: Table, record: Row, change: Change, user: str, *, detect: bool = False
    ) -> Row:
        self._check_open(table, record, change)
        if detect:
            self._detect(table, change, record.id)
        if table.states:
            self._next_state(table, record, change)
        return self._write(table, self._touched(record, user), change)

    def upsert(
        self,
        table: Table,
        key: Key,
        body: Mapping[str, Any],
        user: str,
        *,
        detect: bool = False,
    ) -> Row:
        """Update the row a key names, or make it. Only inside a transaction.

        Values of an alternate key are taken from the URL on a create, unless the body has others,
        and dropped from the body on an update [DOC webapi/use-upsert-insert-update-record].

        Raises:
            Refusal: As ``create``, ``update`` and ``find``.
        """
        alternate = {} if isinstance(key, str) else key
        if record := self.find(table, key):
            rest = {name: value for name, value in body.items() if name not in alternate}
            return self.update(table, record, rest, user, detect=detect)
        record_id = key if isinstance(key, str) else None
        return self.create(table, {**alternate, **body}, user, record_id=record_id, detect=detect)

    def replace_parties(self, table: Table, record: Row, value: Any, user: str) -> Row:
        """Give an activity these parties and no others."""
        change = Change(parties=self.reader.parties(table, value))
        self._check_open(table, record, change)
        return self._write(table, self._touched(record, user), change)

    def delete(self, table: Table, record: Row) -> None:
        """Remove a row and its many-to-many relations; other references to it stay."""
        self._records.remove(table, record.id)
        for join in table.schema.joins.values():
            for row in [row for row in self._records.all(join) if table.logical in join.joins]:
                if row.columns[table.key] == record.id:
                    self._records.remove(join, row.id)

    def _make_parameters(self, template: Row, user: str) -> None:
        parameters = self._records.schema.by_logical[TEMPLATE_PARAMETER.logical]
        bound = f"/{APPLICATION_TAB_TEMPLATE.entity_set}({template.id})"
        for name in PAGE_PARAMETERS.get(template.columns.get("msdyn_pagetype", 0), ()):
            body = {
                "msdyn_name": name,
                "msdyn_uniquename": f"msdyn_{template.id.replace('-', '')}_{name}",
                "msdyn_applicationtabtemplateid@odata.bind": bound,
            }
            self.create(parameters, body, user)

    def _born(self, table: Table, change: Change, record_id: str, user: str) -> Row:
        now = self._now()
        columns = {
            **table.defaults,
            **self._modified(user),
            table.key: record_id,
            "createdon": now,
            "_createdby_value": user,
            "_createdonbehalfby_value": self.delegate or None,
        }
        targets = dict.fromkeys(_BY_USERS, "systemuser")
        if "ownerid" in table.navs:
            columns["_ownerid_value"] = user
            targets["_ownerid_value"] = "systemuser"
        if overridden := change.columns.get("overriddencreatedon"):
            columns["createdon"], change.columns["overriddencreatedon"] = overridden, now
        return Row(record_id, 0, columns, targets)

    def _touched(self, record: Row, user: str) -> Row:
        columns = {**record.columns, **self._modified(user)}
        targets = {**record.targets, **dict.fromkeys(_BY_USERS, "systemuser")}
        return Row(record.id, 0, columns, targets, record.parties)

    def _modified(self, user: str) -> dict[str, str | None]:
        return {
            "modifiedon": self._now(),
            "_modifiedby_value": user,
            "_modifiedonbehalfby_value": self.delegate or None,
        }

    def _now(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock()))

    def _write(self, table: Table, base: Row, change: Change) -> Row:
        version = self._records.next_version()
        columns = {**base.columns, **change.columns, table.key: base.id, "versionnumber": version}
        targets = {**base.targets, **change.targets}
        if derive := DERIVED.get(table.logical):
            derive(table, columns, targets)
        columns = {name: value for name, value in columns.items() if value is not None}
        targets = {name: target for name, target in targets.items() if name in columns}
        parties: tuple[Party, ...] = base.parties if change.parties is None else change.parties
        record = Row(base.id, version, columns, targets, parties)
        self._records.put(table, record)
        return record

    def _check_parties(self, table: Table, change: Change) -> None:
        if change.parties is None or self._switches.patch_parties == "replace":
            return
        if self._switches.patch_parties == "refuse":
            raise refusals.payload(
                table.entity_set,
                f"Microsoft.OData.ODataException: '{table.parties}' cannot be set by an update.",
            )
        change.parties = None

    def _check_open(self, table: Table, record: Row, change: Change) -> None:
        mode = self._switches.closed
        if mode == "allow" or not table.activity:
            return
        if record.columns["statecode"] not in CLOSED_STATES:
            return
        state_alone = change.parties is None and change.columns.keys() <= STATE_COLUMNS
        if not state_alone or self._switches.reopen == "refuse":
            raise refusals.closed(mode)

    def _detect(self, table: Table, change: Change, record_id: str) -> None:
        wanted = folded(change.columns.get(DUPLICATE_COLUMN))
        if wanted is None:
            return
        for other in self._records.all(table):
            if other.id != record_id and folded(other.columns.get(DUPLICATE_COLUMN)) == wanted:
                raise refusals.duplicate(self._switches.duplicate_status)

    def _first_state(self, table: Table, change: Change, record_id: str) -> None:
        status = change.columns.pop("statuscode", None)
        state = change.columns.pop("statecode", None)
        if state is None:
            state = _state_of(table, status)
        mode = self._switches.create_closed
        if state and mode == "refuse":
            raise self._bad_pair(table, record_id, status or table.states[state].default, 0)
        if state and mode == "reset":
            return
        self._set_state(table, change, record_id, state, status)

    def _next_state(self, table: Table, record: Row, change: Change) -> None:
        status = change.columns.pop("statuscode", None)
        state = change.columns.pop("statecode", None)
        if status is None:
            ignored = self._switches.state_alone == "ignore"
            if state is None or ignored or state == record.columns["statecode"]:
                return
        if state is None:
            state = record.columns["statecode"]
        self._set_state(table, change, record.id, state, status)

    def _set_state(
        self, table: Table, change: Change, record_id: str, state: int, status: int | None
    ) -> None:
        if status is not None and status not in table.states[state].statuses:
            raise self._bad_pair(table, record_id, status, state)
        change.columns["statecode"] = state
        change.columns["statuscode"] = table.states[state].default if status is None else status

    def _bad_pair(self, table: Table, record_id: str, status: int, state: int) -> refusals.Refusal:
        label = table.states[state].label
        return refusals.state_pair(
            table, record_id, status, label, self._switches.state_pair_status
        )


def _state_of(table: Table, status: int | None) -> int:
    if status is None:
        return 0
    return next(value for value, state in table.states.items() if status in state.statuses)
