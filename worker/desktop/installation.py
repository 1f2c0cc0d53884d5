"""Brings the desktop's rows into Dynamics by its Web API, and changes only what differs.

Rows are looked for by their unique names, so those that somebody made by hand are taken over. What
Dynamics itself makes (a tab's parameters) is found by what it belongs to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

from worker.desktop.templates import (
    FIELDS,
    HAS_FIELDS,
    NOTIFICATIONS,
    PARAMETERS,
    TABS,
    Row,
    key_column,
    key_of,
)
from worker.dynamics.errors import Exists, Forbidden, Missing
from worker.dynamics.protocol import Dynamics, Request
from worker.errors import ConfigError


#: Timeout of one request (s).
ASK_S: Final = 30.0

#: A row that was deactivated is as good as none.
_STATE: Final = ("statecode", "statuscode")
_ACTIVE: Final = {"statecode": 0, "statuscode": 1}

#: Given once: an update with it would be refused.
_ANCHOR: Final = "msdyn_anchortab"


@dataclass(frozen=True, slots=True)
class Change:
    """What is done for one row, or would be.

    Attributes:
        what: ``same``: nothing.
        table: Its entity set.
        name: Its unique name, or what it is in words.
        columns: The columns that are written.
    """

    what: Literal["create", "update", "relate", "same"]
    table: str
    name: str
    columns: Mapping[str, Any] = field(default_factory=dict)


class Installer:
    """Compares the rows of one environment with what they should be, and writes the difference.

    Args:
        dynamics: The way to it.
        base: Address of its Web API, with ``/`` at its end, for relations between rows.
        dry_run: Write nothing.
    """

    def __init__(self, dynamics: Dynamics, base: str, *, dry_run: bool = False) -> None:
        self._dynamics = dynamics
        self._base = base
        self._dry_run = dry_run
        #: (table, unique name) -> primary key, of rows that were seen or made.
        self._keys: dict[tuple[str, str], str] = {}
        self._new: set[str] = set()

    async def install(self, wanted: Iterable[Row]) -> AsyncIterator[Change]:
        """Go through the rows in their order; gives each change after it is done.

        Raises:
            ConfigError: Dynamics does not know a table, or refuses the application user.
            DynamicsError: No answer that counts, or a refusal.
        """
        for row in wanted:
            try:
                async for change in self._bring(row):
                    yield change
            except Missing as error:
                raise ConfigError(
                    f"{row.table}: {error}. Is Customer Service with its workspace installed in "
                    "this environment?"
                ) from None
            except Forbidden as error:
                raise ConfigError(
                    f"{row.table}: {error}. Give the application user a role that may read, create "
                    "and write it, such as App Profile Manager Administrator, while you install"
                ) from None

    async def _bring(self, row: Row) -> AsyncIterator[Change]:
        yield await self._row(row)
        if row.table == TABS:
            async for change in self._parameters(row):
                yield change
        if row.table == NOTIFICATIONS:
            async for change in self._fields(row):
                yield change

    async def _row(self, row: Row) -> Change:
        links = {_ANCHOR: self._keys[TABS, row.anchor]} if row.anchor else {}
        read = [*row.columns, *(f"_{name}_value" for name in links), *_STATE]
        found = await self._find(row, read)
        if found is None:
            await self._create(row.table, row.name, row.key, {**row.columns, **_bound(links)})
            self._keys[row.table, row.name] = row.key
            return Change("create", row.table, row.name, row.columns)
        key = str(found[key_column(row.table)]).lower()
        self._keys[row.table, row.name] = key
        differing = {c: v for c, v in row.columns.items() if found.get(c) != v}
        if found.get("statecode") != 0:
            differing |= _ACTIVE
        moved = {n: k for n, k in links.items() if str(found.get(f"_{n}_value")).lower() != k}
        written = {**differing, **_bound(moved)}
        if not written:
            return Change("same", row.table, row.name)
        await self._update(row.table, key, written)
        return Change("update", row.table, row.name, written)

    async def _parameters(self, tab: Row) -> AsyncIterator[Change]:
        """A tab's parameters. Dynamics makes some itself with the tab, with keys of its own."""
        key = self._keys[TABS, tab.name]
        asked = f"_msdyn_applicationtabtemplateid_value eq {key}"
        there = {
            str(one.get("msdyn_name")): one
            for one in await self._rows(PARAMETERS, ["msdyn_name", "msdyn_value"], asked, key)
        }
        for name, value in tab.parameters.items():
            called = f"{tab.name} {name}"
            found = there.get(name)
            if found is None:
                unique = f"{tab.name}_{name}"
                columns = {"msdyn_name": name, "msdyn_value": value}
                belonging = {"msdyn_applicationtabtemplateid@odata.bind": f"/{TABS}({key})"}
                made = key_of(PARAMETERS, unique)
                await self._create(PARAMETERS, unique, made, {**columns, **belonging})
                yield Change("create", PARAMETERS, called, columns)
            elif found.get("msdyn_value") != value:
                await self._update(
                    PARAMETERS, found[key_column(PARAMETERS)], {"msdyn_value": value}
                )
                yield Change("update", PARAMETERS, called, {"msdyn_value": value})
            else:
                yield Change("same", PARAMETERS, called)

    async def _fields(self, toast: Row) -> AsyncIterator[Change]:
        """The fields that a toast shows."""
        key = self._keys[NOTIFICATIONS, toast.name]
        there: set[str] = set()
        if key not in self._new:
            path = f"{NOTIFICATIONS}({key})/{HAS_FIELDS}?$select={key_column(FIELDS)}"
            body = (await self._send(Request("GET", path))).get("value") or []
            there = {str(one[key_column(FIELDS)]).lower() for one in body}
        for name in toast.fields:
            called = f"{toast.name} {name}"
            shown = self._keys[FIELDS, name]
            if shown in there:
                yield Change("same", HAS_FIELDS, called)
                continue
            reference = {"@odata.id": f"{self._base}{FIELDS}({shown})"}
            await self._write(
                Request("POST", f"{NOTIFICATIONS}({key})/{HAS_FIELDS}/$ref", body=reference)
            )
            yield Change("relate", HAS_FIELDS, called)

    async def _find(self, row: Row, columns: list[str]) -> dict[str, Any] | None:
        found = await self._rows(row.table, columns, f"msdyn_uniquename eq '{row.name}'")
        if len(found) > 1:
            raise ConfigError(f"{row.table}: there are {len(found)} called {row.name}; keep one")
        return found[0] if found else None

    async def _rows(
        self, table: str, columns: Iterable[str], condition: str, of: str = ""
    ) -> list[dict[str, Any]]:
        """The rows that fit; none of a row that a dry run would only now make."""
        if self._dry_run and of in self._new:
            return []
        select = ",".join([key_column(table), *columns])
        path = f"{table}?$select={select}&$filter={quote(condition)}"
        rows: list[dict[str, Any]] = (await self._send(Request("GET", path))).get("value") or []
        return rows

    async def _create(self, table: str, name: str, key: str, columns: Mapping[str, Any]) -> None:
        body = {key_column(table): key, "msdyn_uniquename": name, **columns}
        self._new.add(key)
        await self._write(Request("POST", table, body=body))

    async def _update(self, table: str, key: str, columns: Mapping[str, Any]) -> None:
        await self._write(
            Request("PATCH", f"{table}({key})", {"If-Match": "*"}, body=dict(columns))
        )

    async def _write(self, request: Request) -> None:
        if self._dry_run:
            return
        try:
            await self._send(request)
        except Exists:
            return  # an earlier try of ours, whose answer was lost

    async def _send(self, request: Request) -> dict[str, Any]:
        return (await self._dynamics.send(request, timeout_s=ASK_S)).body


def _bound(links: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}@odata.bind": f"/{TABS}({key})" for name, key in links.items()}
