"""Carries out lookups: asks Dynamics, query by query, and remembers answers for some seconds.

Many contacts ask the same at once (an agent's user record, a customer who calls again), and the
flow Lambda asks what the worker asks.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from pipelines.lookup import MOST_ROWS, Search, status
from worker.cache import TtlCache
from worker.clock import Clock
from worker.dynamics.errors import Unavailable
from worker.dynamics.protocol import Dynamics, Request


#: How long an answer is remembered (s), and how many are.
REMEMBERED_S = 30.0
MOST_REMEMBERED = 1_000

#: What was asked: the queries of a search, and what the answer is to have.
Asked = tuple[str, ...]


#: Answers of a few seconds ago, by what was asked.
LookupCache = TtlCache[Asked, dict[str, Any]]


def lookup_cache(clock: Clock | None = None) -> LookupCache:
    """An empty one."""
    return TtlCache(REMEMBERED_S, MOST_REMEMBERED, clock)


async def look_up(
    dynamics: Dynamics, search: Search, remembered: LookupCache, *, timeout_s: float
) -> dict[str, Any]:
    """The answer of a search: its status and, of a single match, the columns asked for.

    Where nobody is found, the search that comes next is made.

    Args:
        dynamics: Where to ask.
        search: What for.
        remembered: Earlier answers. Who asks the same meanwhile shares the answer or the error.
        timeout_s: How long each of its queries (two at most in each table) may take.

    Raises:
        DynamicsError: One of them was refused or not answered.
    """
    answer: dict[str, Any] = status("NoMatch")
    for one in search.chain:
        queries = tuple(one.queries())
        # The names of what is answered are not all in the queries.
        asked = (*queries, *one.returning)
        answer = await remembered.get(asked, partial(_ask, dynamics, one, queries, timeout_s))
        if answer != status("NoMatch"):
            break
    return dict(answer)  # what is done with it does not change what others get


async def _ask(
    dynamics: Dynamics, search: Search, asked: Asked, timeout_s: float
) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {}
    more = False
    answer = status("NoMatch")
    for query in asked:
        found = (await dynamics.send(Request("GET", query), timeout_s=timeout_s)).body["value"]
        if any(not isinstance(row.get(search.table.key), str) for row in found):
            raise Unavailable(f"GET {search.table.set} answered rows without a key")
        rows |= {row[search.table.key]: row for row in found}
        more = more or len(found) >= MOST_ROWS
        answer = search.answer(rows.values(), more=more)
        if answer == status("MultiMatch"):
            break
    return answer
