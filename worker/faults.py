"""Faults: bugs of ours, reported as type and place, and what each may take down with it.

Every loop has a *boundary*, which says what one failure inside may take with it: one contact, one
message, one shard; never the process. What the seams declare (``worker.errors``) passes through or
is handled before; what comes here is a bug of ours, or something that no declared error describes
yet. Its text may quote what was being worked on, so only its type and place are ever reported.
"""

from __future__ import annotations

import asyncio
import traceback

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from worker.clock import Clock
from worker.errors import WorkerError
from worker.retry import retry_until


_log = structlog.get_logger(__name__)

#: Boundary -> what a fault inside it takes with it, and what becomes of that.
BOUNDARIES: Final = {
    "contact": "one contact's round: it waits with growing pauses, then it is parked",
    "push": "one look at what is due: the next one follows, after a pause",
    "message": "one message: it is quarantined",
    "shard": "one shard's reader: it begins again at the checkpoint, after a pause",
    "source": "one stream's or queue's reader: it begins again, after a pause",
    "archive": "one file of an archive: it is quarantined, the next ones are read",
    "enrichment": "one question to Connect: the contact goes on without the answer",
    "desktop": "one page or write-back: it is tried again or recorded as expired",
    "file": "one file's contents: the contact goes on with the link alone",
    "gate": "what other workers know of Dynamics: this worker goes by what it sees itself",
    "housekeeping": "one round of housekeeping: the next one follows",
    "census": "one look at the store: the figures are missing until the next one",
    "telemetry": "one answer to whoever scrapes",
}

#: Packages whose frames are reported as a place; other frames name nothing we could fix.
_OURS: Final = ("pipelines", "worker")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What went wrong and where; never what was in it.

    Attributes:
        kind: The exception's type.
        place: ``module:line`` of the innermost frame of ours.
    """

    kind: str
    place: str

    def __str__(self) -> str:
        """As it stands in logs and lists."""
        return f"our bug: {self.kind} at {self.place}"


def fault_of(error: BaseException) -> Fault:
    """The fault that an exception is; of a group, its first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    place = "unknown"
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in _OURS and module != __name__:
            place = f"{module}:{line}"
    return Fault(type(error).__name__, place)


class Faults:
    """Contains faults and counts them.

    Attributes:
        counts: (boundary, fault) -> how often.
    """

    def __init__(self) -> None:
        """None yet."""
        self.counts: Counter[tuple[str, Fault]] = Counter()

    def note(self, boundary: str, error: BaseException, **where: str) -> Fault:
        """Count a fault and log it; ``where`` names contact, shard or file, never a value."""
        assert boundary in BOUNDARIES  # noqa: S101 - a boundary that the table does not know
        fault = fault_of(error)
        self.counts[boundary, fault] += 1
        _log.error(
            "fault.contained", boundary=boundary, kind=fault.kind, place=fault.place, **where
        )
        return fault

    @contextmanager
    def contained(self, boundary: str, **where: str) -> Iterator[None]:
        """Whatever the block raises ends the block alone; declared errors pass through.

        Raises:
            WorkerError: The block did.
        """
        try:
            yield
        except WorkerError:
            raise
        except Exception as error:  # noqa: BLE001 - that is what a boundary is for
            self.note(boundary, error, **where)

    async def again(
        self,
        boundary: str,
        loop: Callable[[], Awaitable[None]],
        clock: Clock,
        *,
        stop: asyncio.Event,
        **where: str,
    ) -> None:
        """Run a loop until it returns; after a fault begin it again, after growing pauses.

        Args:
            boundary: See ``BOUNDARIES``.
            loop: Begins it.
            clock: For the pauses.
            stop: Once it is set, no fault begins it again.
            where: Names what it is about.

        Raises:
            WorkerError: The loop did: this boundary does not judge declared errors.
        """

        def failed(failure: Exception, _pause_s: float) -> None:
            with self.contained(boundary, **where):
                raise failure

        await retry_until(loop, clock=clock, errors=(Exception,), failed=failed, stop=stop)
