"""Precedence: whether somebody waits for what a task does; what queues for a limit asks it.

It goes with the task, as all that is done for one contact is one task, and is asked for whenever
there is a choice: somebody may begin to wait, or give up, while the task stands in a queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


#: Says since when (s since 1970) somebody waits; 0.0: nobody does.
Since = Callable[[], float]

NOBODY: Final = 0.0


def nobody() -> float:
    """Says that nobody waits."""
    return NOBODY


_since: ContextVar[Since] = ContextVar("precedence", default=nobody)


def precedence() -> Since:
    """The running task's: the later somebody began to wait, the sooner it goes."""
    return _since.get()


@contextmanager
def waited_for(since: Since) -> Iterator[None]:
    """While the block lasts, this says whether somebody waits for what the task does."""
    token = _since.set(since)
    try:
        yield
    finally:
        _since.reset(token)
