"""Exchanges: what it took to carry out one action, as the clients that carry it out report it.

It goes with the task, like ``worker.precedence``: whoever sends requests does not know for which
action, and whoever asks for an action does not see its requests.
"""

from __future__ import annotations

import re

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final


#: Ids are bounded, and of characters that can be shown anywhere.
_ID: Final = re.compile(r"[\w.:=/+-]{1,80}", re.ASCII)


@dataclass(slots=True)
class Exchange:
    """The requests of one action.

    Attributes:
        requests: How many were sent.
        status: HTTP status of the last answer; 0: there was none.
        ids: Of the last request without success, for a support case: whose id -> id.
        duration_s: How long the action took, with its waits for a place at the gate.
    """

    requests: int = 0
    status: int = 0
    ids: Mapping[str, str] = field(default_factory=dict)
    duration_s: float = 0.0


_running: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def collected(into: Exchange, monotonic: Callable[[], float]) -> Iterator[None]:
    """While the block lasts, what the task sends is noted there; then how long (s) it lasted."""
    token, began = _running.set(into), monotonic()
    try:
        yield
    finally:
        _running.reset(token)
        into.duration_s += monotonic() - began


def answered(status: int | None, failed: Mapping[str, str] | None = None) -> None:
    """Note a request that was sent and what came back.

    Args:
        status: HTTP status; None: no answer.
        failed: Of a request without success, whose id -> id; what is no id is left out, for it
            might be anything. None: it had success.
    """
    exchange = _running.get()
    if exchange is None:
        return
    exchange.requests += 1
    exchange.status = status or 0
    if failed is not None:
        exchange.ids = {whose: one for whose, one in failed.items() if _ID.fullmatch(one)}
