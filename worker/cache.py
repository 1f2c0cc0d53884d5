"""A cache of answers, limited by age and number, that asks once for all who wait."""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.clock import Clock, cancel_and_wait, disregard


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(slots=True)
class _Question(Generic[V]):
    """A question that is being asked, and how many wait for its answer."""

    asking: asyncio.Task[V]
    askers: int = 0


class TtlCache(Generic[K, V]):
    """Answers by what was asked; failures are not kept.

    Args:
        keep_s: How long an answer is good (s), or what says so of each.
        most: How many are kept; the oldest goes first.
        clock: Its ``monotonic`` says how old an answer is.
    """

    def __init__(
        self, keep_s: float | Callable[[V], float], most: int, clock: Clock | None = None
    ) -> None:
        self._keep_s = keep_s if callable(keep_s) else lambda _answer: keep_s
        self._most = most
        self._clock = clock or Clock()
        self._kept: dict[K, tuple[float, V]] = {}
        self._questions: dict[K, _Question[V]] = {}

    def __len__(self) -> int:
        """How many answers are kept, old ones included."""
        return len(self._kept)

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """The answer that is kept, or else what ``ask`` returns.

        Whoever comes while the question is being asked shares its outcome. It is asked for as long
        as anybody waits for it: an asker that is cancelled costs the others nothing.

        Raises:
            Exception: What ``ask`` raised; the next one to come asks again.
        """
        kept = self._kept.get(key)
        if kept is not None and self._clock.monotonic() < kept[0]:
            return kept[1]
        question = self._questions.get(key)
        if question is None or question.asking.done():
            question = _Question(asyncio.create_task(self._ask(key, ask)))
            question.asking.add_done_callback(disregard)
            self._questions[key] = question
        question.askers += 1
        try:
            # ``wait`` does not cancel the task when this asker is cancelled.
            await asyncio.wait((question.asking,))
            return question.asking.result()
        finally:
            question.askers -= 1
            if not question.askers:
                if self._questions.get(key) is question:
                    del self._questions[key]
                if not question.asking.done():
                    await cancel_and_wait(question.asking)

    def put(self, key: K, answer: V) -> None:
        """Keep an answer that came another way."""
        self._kept.pop(key, None)
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = self._clock.monotonic() + self._keep_s(answer), answer

    async def _ask(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        answer = await ask()
        self.put(key, answer)
        return answer
