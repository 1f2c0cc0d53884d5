"""Dynamics in this process: scripted to fail, or behind the client that is used over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.errors import DynamicsError
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.dynamics.protocol import Answer, Request
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.dataverse.rows.records import CLOCKED, Party, Row, Rows
from worker.sandbox.dataverse.schema.tables import TABLES
from worker.sandbox.dataverse.switches import Switches
from worker.sandbox.dataverse.users import CLIENT_ID, application_user
from worker.sandbox.inprocess import InProcessDynamics


#: Our application user, and somebody else.
USER_ID = application_user(CLIENT_ID)
PERSON_ID = "bbbbbbbb-0000-4000-8000-000000000002"

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error to raise for one request; ``committed``: after the request was carried out."""

    error: DynamicsError
    committed: bool = False


#: Decides which requests fail.
Script = Callable[[Request], Failure | None]


def nothing_fails(_request: Request) -> None:
    """The script of a quiet day."""


def in_turn(*failures: Failure | None) -> Script:
    """A script that gives each request its own: None lets it pass, later ones pass too."""
    left = iter(failures)
    return lambda _request: next(left, None)


class Records(MutableMapping[tuple[str, str], Record]):
    """Rows by (entity set, key), without our application users.

    A record is a copy, null where a column has no value, without the columns that say when it was
    written: assign it to change the row. What is assigned is kept unchecked.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __getitem__(self, place: tuple[str, str]) -> Record:
        table = TABLES[place[0]]
        row = self._rows.get(table, place[1])
        if row is None:
            raise KeyError(place)
        columns = {name: value for name, value in row.columns.items() if name not in CLOCKED}
        if row.parties:
            columns[table.parties] = [dict(party.columns) for party in row.parties]
        return _Nullable(columns)

    def __setitem__(self, place: tuple[str, str], record: Record) -> None:
        table, key = TABLES[place[0]], place[1]
        parties = tuple(Party(columns) for columns in record.get(table.parties) or ())
        columns = {
            name: value
            for name, value in record.items()
            if value is not None and name != table.parties
        }
        with self._rows.transaction():
            self._rows.put(table, Row(key, self._rows.next_version(), columns, {}, parties))

    def __delitem__(self, place: tuple[str, str]) -> None:
        table = TABLES[place[0]]
        if self._rows.get(table, place[1]) is None:
            raise KeyError(place)
        with self._rows.transaction():
            self._rows.remove(table, place[1])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        places = [(name, row.id) for name in TABLES for row in self._rows.all(TABLES[name])]
        return iter([place for place in places if not self._is_ours(*place)])

    def _is_ours(self, name: str, key: str) -> bool:
        row = self._rows.get(TABLES[name], key) if name == "systemusers" else None
        return row is not None and "applicationid" in row.columns

    def __len__(self) -> int:
        return len(list(iter(self)))


class _Nullable(Record):
    """A record with null for every column without a value."""

    def __missing__(self, _name: str) -> None:
        return None


class ScriptedDynamics(InProcessDynamics):
    """Dynamics in this process, some of whose requests fail.

    Attributes:
        records: Its records.
        requests: All requests in the order they came, the failed ones too.
        script: Decides which requests fail.
    """

    def __init__(self, *, refuse_closed: bool = False, script: Script = nothing_fails) -> None:
        """Use an organisation of its own; ``refuse_closed``: see ``Switches.closed``."""
        switches = Switches(closed="0x80040230" if refuse_closed else "allow")
        super().__init__(create_organisation(switches=switches, random=Random(1)))
        self.records = Records(self.organisation.records)
        self.requests: list[Request] = []
        self.script = script

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Carry the request out, unless the script says otherwise."""
        self.requests.append(request)
        failure = self.script(request)
        if failure is not None and not failure.committed:
            raise failure.error
        answer = await super().send(request, timeout_s=timeout_s)
        if failure is not None:
            raise failure.error
        return answer

    def edit(self, entity_set: str, key: str, **columns: Any) -> None:
        """Change a record by hand, as a person does in Dynamics."""
        record = self.records[entity_set, key]
        self.records[entity_set, key] = {**record, **columns, "_modifiedby_value": PERSON_ID}

    def delete(self, entity_set: str, key: str) -> None:
        """Delete a record by hand."""
        del self.records[entity_set, key]


@asynccontextmanager
async def connect_in_process(transport: httpx.AsyncBaseTransport) -> AsyncIterator[DataverseClient]:
    """A client of something in this process that asks for no token."""
    async with make_http(transport=transport) as http:
        yield DataverseClient("https://sandbox.invalid", http, StaticTokens("none"), make_gate())
