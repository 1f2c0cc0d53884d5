"""Record reader: reads the records that are expected, many in one request."""

from __future__ import annotations

import asyncio

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pipelines.entity import is_party_list
from pipelines.expectation import Expected
from pipelines.odata import GUID
from worker.dynamics.errors import Missing, Refused
from worker.dynamics.metadata import Tables
from worker.dynamics.protocol import Dynamics, Request
from worker.dynamics.requests import ANNOTATIONS, request_for
from worker.operations.verified import Period


#: Records that one request reads by key, and that a page of a whole table has.
RECORDS_AT_ONCE: Final = 20
PER_PAGE: Final = 1000

#: How long one request may take in all its tries (s).
REQUEST_S: Final = 60.0

Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads records.

    Attributes:
        dynamics: Is asked.
        tables: Knows their keys.
    """

    dynamics: Dynamics
    tables: Tables

    async def row(self, request: Request) -> Row | None:
        """One record; None: it is not there."""
        try:
            return (await self.dynamics.send(request, timeout_s=REQUEST_S)).body
        except Missing:
            return None

    async def read(self, expected: Iterable[Expected]) -> dict[str, Row]:
        """The records that are there, by address.

        In a partition of an elastic table a record is read by itself: there its key alone finds
        it in no query that names no partition.
        """
        rows: dict[str, Row] = {}
        together: defaultdict[tuple[str, tuple[str, ...]], list[Expected]] = defaultdict(list)
        alone = []
        for one in expected:
            if one.ours and GUID.fullmatch(one.look.key) and not one.look.partition:
                lists = tuple(sorted(filter(is_party_list, one.columns)))
                together[one.look.entity, lists].append(one)
            else:
                alone.append(one)
        pages = [
            self._read_page(entity_set, lists, some[at : at + RECORDS_AT_ONCE], rows)
            for (entity_set, lists), some in together.items()
            for at in range(0, len(some), RECORDS_AT_ONCE)
        ]
        await at_once([*pages, *(self._read_one(one, rows) for one in alone)])
        return rows

    async def _read_page(
        self, entity_set: str, lists: Sequence[str], page: Sequence[Expected], rows: dict[str, Row]
    ) -> None:
        table = await self.tables.learn(entity_set)
        either = " or ".join(f"{table.key} eq {one.look.key}" for one in page)
        expand = f"&$expand={','.join(lists)}" if lists else ""
        request = Request("GET", f"{entity_set}?$filter={_quoted(either)}{expand}", ANNOTATIONS)
        try:
            answer = await self.dynamics.send(request, timeout_s=REQUEST_S)
        except Refused as error:
            if error.status != _OK or len(page) == 1:
                raise
            half = len(page) // 2  # together they are more than one answer may hold
            await self._read_page(entity_set, lists, page[:half], rows)
            await self._read_page(entity_set, lists, page[half:], rows)
            return
        for row in answer.body.get("value", ()):
            rows[f"{entity_set}({str(row[table.key]).lower()})"] = row

    async def _read_one(self, one: Expected, rows: dict[str, Row]) -> None:
        row = await self.row(request_for(one.look))
        if row is not None:
            rows[one.record] = row

    async def made(
        self, entity_set: str, users: Collection[str], period: Period
    ) -> AsyncIterator[tuple[str, Row]]:
        """The records of a table that one of these users made in the period, by address.

        What a user made in somebody else's name is among them.
        """
        table = await self.tables.learn(entity_set)
        by = " or ".join(
            f"_created{how}_value eq {user}" for user in sorted(users) for how in _MADE_BY
        )
        limits = [f"({by})"]
        limits += [f"createdon ge {period.since}"] if period.since else []
        limits += [f"createdon lt {period.until}"] if period.until else []
        columns = [table.key, *(["subject"] if entity_set == "annotations" else [])]
        path = f"{entity_set}?$select={','.join(columns)}&$filter={_quoted(' and '.join(limits))}"
        while path:
            page = Request("GET", path, {"Prefer": f"odata.maxpagesize={PER_PAGE}"})
            answer = await self.dynamics.send(page, timeout_s=REQUEST_S)
            for row in answer.body.get("value", ()):
                yield f"{entity_set}({str(row[table.key]).lower()})", row
            path = _following(str(answer.body.get("@odata.nextLink", "")))


#: The status of an answer that was too long to be read.
_OK: Final = 200

#: The columns that say who made a record.
_MADE_BY: Final = ("by", "onbehalfby")


async def at_once(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What these come to, in order, done side by side; the first error ends them all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _quoted(text: str) -> str:
    return text.replace(" ", "%20")


def _following(link: str) -> str:
    """The address of the next page below the service root."""
    return link.partition("/api/data/")[2].partition("/")[2]
