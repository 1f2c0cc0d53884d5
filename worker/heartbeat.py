"""Heartbeats: every loop has one of its own, and a loop that falls silent is named.

A loop that fails ends the process. What that leaves is a loop that hangs, or ends silently while
the rest looks healthy (https://github.com/amazon-connect/voicemail-for-amazon-connect/issues/54).

Which loop a ``beat()`` is for is known from the context of the task that calls it, as with
structlog's context, so loops need not be wired for it; where nobody watches it does nothing. A
beat means that a loop goes on, not that it succeeds: a restart would not bring back a service.
"""

from __future__ import annotations

import asyncio

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from worker.clock import Clock


#: A store that did not answer for so long (s) counts as unavailable, even if it did not fail.
STORE_SILENCE_S: Final = 90.0

_heart: ContextVar[Heartbeat | None] = ContextVar("heart", default=None)


def beat() -> None:
    """The loop that calls this goes on."""
    if heart := _heart.get():
        heart.beat()


def rest() -> None:
    """The loop waits, until its next beat, for others that are watched themselves."""
    if heart := _heart.get():
        heart.beat(for_s=inf)


def connected() -> None:
    """The loop has reached what it reads from."""
    if heart := _heart.get():
        heart.reached.set()


@contextmanager
def apart(part: str) -> Iterator[None]:
    """Watch the block as a loop of its own, since it may hang while its siblings go on."""
    whole = _heart.get()
    if whole is None:
        yield
        return
    own = whole.health.add(replace(whole, name=f"{whole.name}/{part}", connects=False))
    token = _heart.set(own)
    try:
        yield
    finally:
        _heart.reset(token)
        whole.health.remove(own)


@dataclass(eq=False, slots=True)
class Heartbeat:
    """One loop's heartbeat.

    Attributes:
        health: Who watches.
        name: The loop's name, for operators.
        silence_s: The longest time (s) between two beats of a loop that goes on.
        connects: Whether it reads from a source that must be reached before the worker is ready.
        reached: Set once it has.
    """

    health: Health
    name: str
    silence_s: float
    connects: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    _until: float = 0.0

    def beat(self, *, for_s: float = 0.0) -> None:
        """Go on; the next beat may come ``for_s`` later than usual."""
        self._until = self.health.clock.monotonic() + self.silence_s + for_s

    @property
    def silent(self) -> bool:
        """Whether it has not beaten for too long."""
        return self.health.clock.monotonic() > self._until

    def context(self) -> Context:
        """A context for the loop's task: ``create_task(loop(), context=heart.context())``."""
        context = copy_context()
        context.run(_heart.set, self)
        return context


class Health:
    """Knows all heartbeats, and whether the store answers.

    Attributes:
        clock: Its monotonic clock says how long a loop has been silent.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._hearts: list[Heartbeat] = []
        self._store_answers_until = -inf

    def heart(self, name: str, silence_s: float, *, connects: bool = False) -> Heartbeat:
        """A new heartbeat, which begins now; for its attributes see ``Heartbeat``.

        It stays when its loop ends, and so falls silent: only a stop may end a loop.
        """
        return self.add(Heartbeat(self, name, silence_s, connects))

    def add(self, heart: Heartbeat) -> Heartbeat:
        """Watch a loop from now on."""
        heart.beat()
        self._hearts.append(heart)
        return heart

    def remove(self, heart: Heartbeat) -> None:
        """Stop watching it."""
        self._hearts.remove(heart)

    def store_answered(self) -> None:
        """The store is there."""
        self._store_answers_until = self.clock.monotonic() + STORE_SILENCE_S

    def store_failed(self) -> None:
        """The store cannot be used."""
        self._store_answers_until = -inf

    @property
    def store_answers(self) -> bool:
        """Whether the store can be used, as far as known."""
        return self.clock.monotonic() <= self._store_answers_until

    def silent(self) -> list[str]:
        """The names of loops that do not go on."""
        return [heart.name for heart in self._hearts if heart.silent]

    def awaited(self) -> list[str]:
        """What must answer for the first time, or again, before this worker is ready."""
        store = [] if self.store_answers else ["store"]
        sources = {h.name for h in self._hearts if h.connects and not h.reached.is_set()}
        return store + sorted(sources)
