"""Carries out lookups: asks Dynamics, query by query, and remembers answers for some seconds.

Many contacts ask the same at once (an agent's user record, a customer who calls again), and the
flow Lambda asks what the worker asks. Dataverse refuses some tries of a query that costs its
database too much (powerapps-docs ``query-throttling``): then a simpler one is asked, and where that
is refused too nobody is found. No contact waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from pipelines.formats import formats
from pipelines.lookup import MOST_ROWS, Search, status
from pipelines.odata import encoded
from worker.cache import TtlCache
from worker.clock import Clock
from worker.dynamics.classify import QUERY_THROTTLED
from worker.dynamics.errors import Refused, Unavailable
from worker.dynamics.metadata import UNKNOWN_NAME, Tables
from worker.dynamics.protocol import Dynamics, Request


#: How long an answer is remembered (s), and how many are.
REMEMBERED_S = 30.0
MOST_REMEMBERED = 1_000

#: How many rows show how numbers are written in a table, and for how long (s) that holds. In one of
#: fewer rows the next may be the first that is written so, also one of a second customer with the
#: number, who must not be overlooked: all are read for each question, which costs little.
SAMPLE_ROWS = 250
FORMATS_S = 86_400.0

#: How long reading them may take (s): an agent waits for who is calling.
SAMPLE_S = 5.0

#: What was asked: the queries of a search, and what the answer is to have.
Asked = tuple[str, ...]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Formats:
    """How numbers are written in the columns of a table.

    Attributes:
        forms: See ``pipelines.formats``.
        good_for_s: How long that holds.
    """

    forms: tuple[str, ...]
    good_for_s: float


@dataclass(frozen=True, slots=True)
class Lookups:
    """What lookups share.

    Attributes:
        answers: Those of a few seconds ago, by what was asked.
        formats: By table and columns.
        wildcard: Whether a number's end is asked for where nobody has the number in a spelling.
    """

    answers: TtlCache[Asked, dict[str, Any]]
    formats: TtlCache[Asked, Formats]
    wildcard: bool = False


def make_lookups(clock: Clock | None = None, *, wildcard: bool = False) -> Lookups:
    """Lookups that remember nothing yet."""
    return Lookups(
        TtlCache(REMEMBERED_S, MOST_REMEMBERED, clock),
        TtlCache(lambda found: found.good_for_s, MOST_REMEMBERED, clock),
        wildcard,
    )


async def look_up(
    dynamics: Dynamics,
    search: Search,
    lookups: Lookups,
    tables: Tables | None = None,
    *,
    timeout_s: float,
) -> dict[str, Any]:
    """The answer of a search: its status and, of a single match, the columns asked for.

    Where nobody is found, the search that comes next is made.

    Args:
        dynamics: Where to ask.
        search: What for.
        lookups: Earlier answers. Who asks the same meanwhile shares the answer or the error.
        tables: Tells what the columns hold that this program does not know; None: text.
        timeout_s: How long each of its queries (four at most in each table) may take.

    Raises:
        DynamicsError: One of them was refused or not answered.
    """
    answer: dict[str, Any] = status("NoMatch")
    for part in search.chain:
        one = await _typed(part, tables)
        try:
            answer = await _shared(dynamics, one, lookups, timeout_s)
        except Refused as error:
            now = await _typed(part, tables, anew=True) if error.code in UNKNOWN_NAME else one
            if now.queries() == one.queries():
                raise
            answer = await _shared(dynamics, now, lookups, timeout_s)
        if answer != status("NoMatch"):
            break
    return dict(answer)  # what is done with it does not change what others get


async def _shared(
    dynamics: Dynamics, search: Search, lookups: Lookups, timeout_s: float
) -> dict[str, Any]:
    """What is found, for all that ask the same meanwhile or some seconds later."""
    # The names of what is answered are not all in the queries.
    asked = (*search.queries(), *search.returning)
    return await lookups.answers.get(asked, partial(_ask, dynamics, search, lookups, timeout_s))


async def _typed(search: Search, tables: Tables | None, *, anew: bool = False) -> Search:
    """The search with a table that knows what its columns hold, where that matters.

    A column may be newer than what is remembered of its table: then it is learnt ``anew``.
    """
    table, way = search.table, search.way
    plain = way.by != "attribute" or all(map(table.holds, way.columns))
    if tables is None or (plain and table.known):
        return search
    learned = await tables.learn(table.set, anew=anew)
    return replace(search, table=replace(learned, key=table.key) if table.stated else learned)


async def _ask(
    dynamics: Dynamics, search: Search, lookups: Lookups, timeout_s: float
) -> dict[str, Any]:
    plain = search.queries()
    if search.way.by != "phone" or not plain:
        return await _found(dynamics, search, plain, timeout_s)
    columns = (search.table.set, *search.way.columns)
    sample = partial(_sample, dynamics, search, min(timeout_s, SAMPLE_S))
    here = await lookups.formats.get(columns, sample)
    whole, *ends = search.queries(here.forms, wildcard=lookups.wildcard)
    answer = await _found(dynamics, search, [whole, *plain], timeout_s)
    if ends and answer == status("NoMatch"):
        answer = await _found(dynamics, search, ends, timeout_s)
    return answer


async def _found(
    dynamics: Dynamics, search: Search, queries: list[str], timeout_s: float
) -> dict[str, Any]:
    """Whom a query finds: the first one that Dataverse does not throttle."""
    for query in dict.fromkeys(queries):
        try:
            body = (await dynamics.send(Request("GET", query), timeout_s=timeout_s)).body
        except Refused as error:
            if error.code not in QUERY_THROTTLED:
                raise
            note_throttled(search.table.set, error)
            continue
        rows = body["value"]
        if any(not isinstance(row.get(search.table.key), str) for row in rows):
            raise Unavailable(f"GET {search.table.set} answered rows without a key")
        return search.answer(rows, more=len(rows) >= MOST_ROWS)
    return status("NoMatch")


def note_throttled(table: str, error: Refused) -> None:
    """Note that Dataverse would not carry out a query, so that nobody may be found."""
    _log.warning("dynamics.query_throttled", table=table, code=error.code)


async def _sample(dynamics: Dynamics, search: Search, timeout_s: float) -> Formats:
    """How numbers are written, as some rows show; of what is read nothing is kept.

    If Dataverse throttles that, numbers are asked for as they are written most often. If it is
    refused otherwise, or not answered, so is the lookup: whom it would find depends on it.
    """
    columns = search.way.columns
    there = encoded(" or ".join(f"{column} ne null" for column in columns))
    query = f"{search.table.set}?$select={','.join(columns)}&$filter={there}&$top={SAMPLE_ROWS}"
    try:
        body = (await dynamics.send(Request("GET", query), timeout_s=timeout_s)).body
    except Refused as error:
        if error.code not in QUERY_THROTTLED:
            raise
        _log.warning("dynamics.formats_unread", table=search.table.set, code=error.code)
        return Formats((), REMEMBERED_S)
    rows = body["value"]
    stored = [row[name] for row in rows for name in columns if isinstance(row.get(name), str)]
    return Formats(formats(stored), FORMATS_S if len(rows) >= SAMPLE_ROWS else 0.0)
