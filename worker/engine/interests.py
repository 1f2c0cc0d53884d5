"""Interests: what the pipelines of all live workers read of a contact, shared through the state.

Any worker may take in a message that only another one's pipelines read, as while a changed pipeline
is rolled out. So each writes down what its pipelines read (``pipelines.interest``), under a digest
of it, and beats; ingest goes by what all that beat read together. If that cannot be known, because
the state does not answer, or holds what a newer release wrote, or damage, everything is read.
"""

from __future__ import annotations

import asyncio

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final, Protocol

import orjson
import structlog

from pipelines.interest import Interest, interest_of, together
from pipelines.pipeline import Pipeline
from worker import heartbeat
from worker.clock import Clock
from worker.dynamics.live_workers import EXPIRY_S, HEARTBEAT_S, LiveWorkers
from worker.errors import WorkerError
from worker.faults import Faults


_log = structlog.get_logger(__name__)

#: The name of what all workers write, and the beginning of those of what each reads.
NOTE: Final = "interests"
READ: Final = "interest/"

#: How both are written down.
FORM: Final = 1

#: How often the state is asked at most (s), and how long that may take.
ASK_EVERY_S: Final = 1.0
TIMEOUT_S: Final = 5.0

#: How often it is tried at once because another worker wrote meanwhile.
TRIES: Final = 5


class InterestMemory(Protocol):
    """What a contact store keeps under names."""

    async def remember(self, name: str, value: str) -> str:
        """See ``ContactStore.remember``."""
        ...

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore.recall``."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore.replace``."""
        ...


class UnreadableError(WorkerError):
    """What the state has of interests is not what this release writes."""


class Interests:
    """What live workers read.

    Args:
        memory: The state.
        pipelines: This worker's.
        worker: This worker's name, unlike any other's.
        clock: Its monotonic clock counts.
        faults: Contains bugs.
    """

    def __init__(
        self,
        memory: InterestMemory,
        pipelines: Iterable[Pipeline],
        worker: str,
        clock: Clock | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._memory = memory
        self._worker = worker
        self._clock = clock or Clock()
        self._faults = faults or Faults()
        self._own = interest_of(pipelines)
        self._own_text = written(self._own)
        self._own_digest = blake2b(self._own_text.encode(), digest_size=16).hexdigest()
        self._known = {self._own_digest: self._own}
        self._live = LiveWorkers(worker)
        self._asking = asyncio.Lock()
        self._all: Interest | None = None
        self._failure = ""
        self._asked_at = self._beat_at = self._damaged_at = float("-inf")

    async def run(self) -> None:
        """Beat, until cancelled, however little is ingested."""
        while True:
            heartbeat.beat()
            await self.read()
            await self._clock.sleep(HEARTBEAT_S)

    async def read(self) -> Interest | None:
        """What any live worker reads; None: everything. At most a second old."""
        async with self._asking:
            if self._clock.monotonic() >= self._asked_at + ASK_EVERY_S:
                self._all = await self._ask()
                self._asked_at = self._clock.monotonic()
        return self._all

    async def _ask(self) -> Interest | None:
        found, failure = None, "a bug in this program"  # unless it is something else
        with self._faults.contained("housekeeping"):
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    found = await self._exchange()
                failure = ""
            except (WorkerError, TimeoutError) as error:
                failure = str(error) or "no answer in time"
        if failure and not self._failure:
            _log.warning("interests.unknown", reason=failure)
        self._failure = failure
        return found

    async def _exchange(self) -> Interest | None:
        """Beat if it is time, and see who else does."""
        for _ in range(TRIES):
            text = await self._memory.recall(NOTE)
            workers = self._workers(text)
            now = self._clock.monotonic()
            self._live.see({name: beat for name, (beat, _) in workers.items()}, now)
            ours = workers.get(self._worker, (0, ""))
            if ours[1] == self._own_digest and now < self._beat_at:
                return await self._together(workers)
            await self._memory.remember(READ + self._own_digest, self._own_text)
            beats = self._live.heartbeats()
            workers = {name: (beats[name], workers.get(name, ours)[1]) for name in beats}
            workers[self._worker] = beats[self._worker], self._own_digest
            document = orjson.dumps({"form": FORM, "workers": workers}).decode()
            if await self._memory.replace(NOTE, text, document):
                self._beat_at = now + HEARTBEAT_S
                return await self._together(workers)
        return None

    def _workers(self, text: str | None) -> dict[str, tuple[int, str]]:
        """Each worker's number and the digest of what it reads; none, if that is damaged.

        Raises:
            UnreadableError: A newer release wrote it, so it stays as it is.
        """
        if text is None:
            return {}
        try:
            document = orjson.loads(text)
            if document["form"] > FORM:
                raise UnreadableError("written by a newer release")
            listed = document["workers"].items()
            return {str(name): (int(beat), str(digest)) for name, (beat, digest) in listed}
        except (ValueError, TypeError, KeyError, AttributeError):
            _log.warning("interests.damaged")
            self._damaged_at = self._clock.monotonic()
            return {}

    async def _together(self, workers: Mapping[str, tuple[int, str]]) -> Interest | None:
        """What those that are alive read; after damage only once all have beaten again."""
        if self._clock.monotonic() < self._damaged_at + EXPIRY_S:
            return None
        digests = {workers[name][1] for name in self._live.names if name in workers}
        # What nobody reads any more goes: pipelines change for as long as a worker lives.
        self._known = {
            digest: self._known.get(digest) or understood(await self._memory.recall(READ + digest))
            for digest in digests
        }
        return together([self._own, *self._known.values()])


def written(interest: Interest) -> str:
    """An interest as it is stored: JSON."""
    names = {on: sorted(read) for on, read in sorted(interest.names.items())}
    document = {"form": FORM, "names": names, "moments": sorted(interest.moments)}
    return orjson.dumps(document).decode()


def understood(text: str | None) -> Interest:
    """The interest in a text that ``written`` made.

    Raises:
        UnreadableError: It is missing, damaged, or a newer release's.
    """
    try:
        document: dict[str, Any] = orjson.loads(text or "null")
        if document["form"] != FORM:
            raise UnreadableError("written by another release")
        names = {str(on): frozenset(map(str, read)) for on, read in document["names"].items()}
        return Interest(names, frozenset(map(str, document["moments"])))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UnreadableError("what a worker reads is damaged") from None
