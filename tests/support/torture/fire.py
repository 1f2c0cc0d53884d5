"""Carries out what was planned: on workers, on the ways to the services, and in the sandbox."""

from __future__ import annotations

import asyncio
import signal
import time

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Any, Final, TypeVar

from fleet.crew import Crew, Worker
from fleet.ground import Ground
from fleet.proxy import Proxy, Trouble
from fleet.reshard import Reshard
from fleet.watch import Place, Watch
from hostile.behaviours import COMMON, OWN, PARKING
from hostile.middle import Middle
from torture.plan import NETWORK, Act, Stroke
from worker.sandbox.dataverse.faults import (
    InjectedFault,
    dropped,
    forbidden,
    gateway,
    hang,
    latency,
    throttle,
    unexpected,
)
from worker.sandbox.dataverse.rules import Rule


T = TypeVar("T")

#: What happens in the sandbox, and to which share of the requests that fit.
_FAULTS: Final[Mapping[Act, tuple[InjectedFault, float]]] = {
    Act.THROTTLED: (throttle(3), 0.3),
    Act.BROKEN: (unexpected(), 0.3),
    Act.AWAY: (gateway(503), 0.5),
    Act.SLOW: (latency(5), 0.5),
    Act.LOST: (gateway(502, carried_out=True), 0.5),
    Act.DROPPED: (dropped(), 0.5),
    Act.HANGING: (hang(), 0.1),
    Act.POISONED: (unexpected(), 1.0),
    Act.UNTAKEN: (dropped(carried_out=False), 1.0),
    Act.DOUBTED: (gateway(502, carried_out=True), 1.0),
    Act.RATIONED: (InjectedFault(status=429, code="", retry_after_s=2), 1.0),
    Act.FORBIDDEN: (forbidden(), 1.0),
    Act.UNREADABLE: (forbidden(), 1.0),
    Act.UNSEARCHED: (InjectedFault(status=429, code="0x80048644", retry_after_s=5), 1.0),
}

#: Which requests it befalls, if not any: see ``Rule``.
_WHERE: Final[Mapping[Act, Mapping[str, str]]] = {
    Act.FORBIDDEN: {"table": "annotations", "action": "create"},
    Act.UNREADABLE: {"table": "contacts", "action": "read"},
    Act.UNSEARCHED: {"query": "endswith"},
}
_SOME_RECORDS: Final = (Act.POISONED, Act.UNTAKEN, Act.DOUBTED, Act.RATIONED)

#: A hostile service spoils this share of what each of its behaviours could happen to.
_SPOILED: Final = 0.3

#: Longest time (s) until two workers are at work again.
BACK_LIMIT_S: Final = 300.0

#: How often it is looked whether a worker has ended that nobody struck (s).
_LOOK_S: Final = 0.5


class Fire:
    """Strikes.

    Args:
        ground: Where the workers are.
        crew: They.
        watch: Who holds which shard.
        proxies: The ways to the services.
        middles: Who spoils what they answer, by service.

    Attributes:
        struck: How often each thing was done.
        fallen: Workers that ended though nobody struck them, or otherwise than in order.
    """

    def __init__(
        self,
        ground: Ground,
        crew: Crew,
        watch: Watch,
        proxies: Sequence[Proxy],
        middles: Mapping[str, Middle],
    ) -> None:
        self.struck: Counter[Act] = Counter()
        self.fallen: list[str] = []
        self._ground = ground
        self._crew = crew
        self._watch = watch
        self._proxies = proxies
        self._middles = middles
        self._turn = asyncio.Lock()
        self._harmed: set[str] = set()
        self._left: list[tuple[str, Collection[Place], float]] = []
        self._take_overs: list[float] = []

    async def burn(self, strokes: Sequence[Stroke]) -> None:
        """Carry out all strokes, each at its time, and wait until the last is over.

        What is meant for a worker waits until two are at work: a loaded machine burns longer.

        Raises:
            ExceptionGroup: They never were again.
        """
        begun = time.monotonic()
        async with asyncio.TaskGroup() as burning:
            replacing = burning.create_task(self._replace_fallen())
            async with asyncio.TaskGroup() as striking:
                for stroke in strokes:
                    await asyncio.sleep(max(0.0, begun + stroke.at_s - time.monotonic()))
                    striking.create_task(self._strike(stroke))
            replacing.cancel()

    def take_overs(self) -> list[float]:
        """After how long (s) others got on with the shards of workers that were struck.

        Of a worker that was paused this was noted before it went on: what it then takes again is
        nobody's take-over.
        """
        for left in self._left:
            self._note_take_overs(*left)
        self._left.clear()
        return sorted(self._take_overs)

    async def _strike(self, stroke: Stroke) -> None:
        if stroke.act in NETWORK:
            with _of(self._proxies, stroke).troubled(Trouble(stroke.act.value)):
                await self._last(stroke)
        elif stroke.act is Act.SPOILED:
            await self._spoil(stroke)
        elif stroke.act in _FAULTS:
            rule = self._begin_fault(stroke)
            await self._last(stroke)
            self._ground.dataverse.faults.remove(rule)
        elif stroke.act is Act.RESHARD:
            await self._reshard(stroke)
        else:
            await self._strike_worker(stroke)

    def _begin_fault(self, stroke: Stroke) -> Rule:
        where: dict[str, Any] = {**_WHERE.get(stroke.act, {})}
        if stroke.act in _SOME_RECORDS:
            where["record"] = f"{int(16 * stroke.victim):x}.*"
        fault, share = _FAULTS[stroke.act]
        return self._ground.dataverse.faults.sometimes(fault, share, **where)

    async def _last(self, stroke: Stroke) -> None:
        self.struck[stroke.act] += 1
        await asyncio.sleep(stroke.for_s)

    async def _spoil(self, stroke: Stroke) -> None:
        service, middle = _of(sorted(self._middles.items()), stroke)
        lines = [line for line in (*COMMON, *OWN[service]) if line.name not in PARKING]
        await middle.spoil(lines, share=_SPOILED, random=Random(stroke.victim))
        await self._last(stroke)
        middle.mend()

    async def _reshard(self, stroke: Stroke) -> None:
        streams = [Reshard(self._ground.kinesis, name) for name in self._ground.streams.values()]
        shards = [(stream, shard) for stream in streams for shard in await stream.open()]
        reshard, whole = _of(shards, stroke)
        await reshard.split(whole)
        await self._last(stroke)
        left, right = (shard for shard in await reshard.open() if whole.id in shard.parents)
        await reshard.merge(left, right)

    async def _strike_worker(self, stroke: Stroke) -> None:
        async with self._turn:
            await self._watch.until(lambda: len(self._at_work()) > 1, BACK_LIMIT_S)
            worker = _of(self._at_work(), stroke)
            self._harmed.add(worker.name)
        held, at = self._watch.held(worker.name), time.monotonic()
        if stroke.act is Act.STOP:
            worker.send(signal.SIGSTOP)
            await self._last(stroke)
            self._note_take_overs(worker.name, held, at)
            worker.send(signal.SIGCONT)
            self._harmed.discard(worker.name)
            return
        worker.send(signal.Signals[stroke.act.value])
        self._left += [(worker.name, held, at)]
        if await worker.process.wait() not in {0, -signal.SIGKILL}:
            self._note_fallen(worker)
        await self._last(stroke)
        await self._crew.start()

    def _at_work(self) -> list[Worker]:
        """Workers with shards that are let alone; one of them stays, to take over."""
        return [
            worker
            for worker in self._crew.running
            if worker.name not in self._harmed and self._watch.held(worker.name)
        ]

    def _note_take_overs(self, name: str, held: Collection[Place], at: float) -> None:
        read = [self._watch.read_again(place, name) for place in held]
        self._take_overs += [moment - at for moment in read if moment]

    async def _replace_fallen(self) -> None:
        while True:
            for worker in [*self._crew.workers.values()]:
                if not worker.running and worker.name not in self._harmed:
                    self._harmed.add(worker.name)
                    self._note_fallen(worker)
                    await self._crew.start()
            await asyncio.sleep(_LOOK_S)

    def _note_fallen(self, worker: Worker) -> None:
        self.fallen.append(f"{worker.name} ended with {worker.process.returncode}: {worker.log}")


def _of(candidates: Sequence[T], stroke: Stroke) -> T:
    return candidates[int(stroke.victim * len(candidates))]
