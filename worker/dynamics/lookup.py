"""Carries out lookups: asks Dynamics, query by query, and remembers answers for some seconds.

Many contacts ask the same at once (an agent's user record, a customer who calls again), and the
flow Lambda asks what the worker asks.
"""

from __future__ import annotations

import time

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipelines.lookup import MOST_ROWS, Search, status
from worker.dynamics.errors import Unavailable
from worker.dynamics.protocol import Dynamics, Request


#: How long an answer is remembered (s), and how many are.
REMEMBERED_S = 30.0
MOST_REMEMBERED = 1_000


#: What was asked: the queries of a search.
Asked = tuple[str, ...]


@dataclass(slots=True)
class Remembered:
    """Answers of a few seconds ago, by what was asked; errors are none.

    Attributes:
        clock: Monotonic clock (s).
    """

    clock: Callable[[], float] = time.monotonic
    _answers: dict[Asked, tuple[float, dict[str, Any]]] = field(default_factory=dict)

    def get(self, asked: Asked) -> dict[str, Any] | None:
        """The answer, if it is known and not too old."""
        until, answer = self._answers.get(asked, (0.0, None))
        return None if answer is None or until <= self.clock() else dict(answer)

    def put(self, asked: Asked, answer: dict[str, Any]) -> None:
        """Remember an answer; the oldest is forgotten if there are too many."""
        self._answers.pop(asked, None)
        while len(self._answers) >= MOST_REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[asked] = self.clock() + REMEMBERED_S, dict(answer)


async def look_up(
    dynamics: Dynamics, search: Search, remembered: Remembered, *, timeout_s: float
) -> dict[str, Any]:
    """The answer of a search: its status and, of a single match, the columns asked for.

    Args:
        dynamics: Where to ask.
        search: What for.
        remembered: Earlier answers.
        timeout_s: How long each of its queries (two at most) may take.

    Raises:
        DynamicsError: One of them was refused or not answered.
    """
    asked = tuple(search.queries())
    answer = remembered.get(asked)
    if answer is None:
        answer = await _ask(dynamics, search, asked, timeout_s)
        remembered.put(asked, answer)
    return answer


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
