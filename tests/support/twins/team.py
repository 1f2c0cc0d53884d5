"""Several application users of one worker, each with a gate of its own, in virtual time."""

from __future__ import annotations

import asyncio

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twins.calls import Call
from twins.loop import now
from twins.rig import Gated, Rig
from worker.dynamics.errors import DynamicsError
from worker.dynamics.gate import make_gate
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Request
from worker.dynamics.users import Users
from worker.engine.ingest import Ingest
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.files import MemoryFiles
from worker.sandbox.dataverse.users import add_user
from worker.sandbox.inprocess import InProcessDynamics
from worker.sources.protocol import Message
from worker.stores.buckets import bucket_of


NAMES = ("user-a", "user-b", "user-c", "user-d")


@dataclass
class User(Gated):
    """The way of one application user.

    Attributes:
        trouble: What each of its requests ends in; None: they succeed.
        lost: The same, but they are carried out.
        latency_s: How long each takes.
    """

    trouble: DynamicsError | None = None
    lost: DynamicsError | None = None
    latency_s: float = 0.05

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        async with self.gate.slot(writes=request.method != "GET", subject=request.path):
            self.sent_at.append((now(), request))
            await asyncio.sleep(self.latency_s)
            if self.trouble:
                raise self.trouble
            answer = await self.dynamics.send(request, timeout_s=timeout_s)
            if self.lost:
                raise self.lost
            return answer

    async def user_id(self) -> str:
        if self.trouble:
            raise self.trouble
        return await self.dynamics.user_id()

    async def probe(self) -> None:
        if self.trouble:
            raise self.trouble


class Team:
    """A worker whose application users share the contacts.

    Attributes:
        rig: Its store, Dynamics and planner.
        users: By name.
        pushes: What pushes as them.
    """

    def __init__(self, rig: Rig, names: Sequence[str] = NAMES) -> None:
        self.rig = rig
        organisation = rig.dynamics.organisation
        for name in names:
            add_user(organisation.records, name)
        self.users = {
            name: User(make_gate(rig.clock), InProcessDynamics(organisation, name))
            for name in names
        }
        self.pushes = self.worker()
        self.ingest = Ingest(rig.store, clock=rig.clock, news=self.pushes.news)

    def worker(self) -> Pushes:
        """Another worker's pushes, behind the same gates."""
        return Pushes(*(self._push(name, user) for name, user in self.users.items()))

    def _push(self, name: str, user: User) -> Push:
        known = Users(user, self.rig.store, self.rig.clock)
        performer = Performer(user, self.rig.clock, MemoryFiles(), users=known)
        return Push(
            self.rig.another(gate=user.gate, performer=performer).transactions, user.probe, name
        )

    def calls(self, number: int = 60) -> list[Call]:
        """Calls of many buckets."""
        return [Call(f"00000000-0000-4000-8000-{n:012}") for n in range(number)]

    def owned_by(self, name: str, calls: Iterable[Call]) -> list[Call]:
        """The calls that this user pushes just now."""
        (push,) = (push for push in self.pushes.each if push.user == name)
        return [call for call in calls if bucket_of(call.id) in push.buckets]

    async def tell(self, *bodies: bytes) -> None:
        """Take messages in."""
        await self.ingest.handle([Message(b, f"memory:{n}") for n, b in enumerate(bodies)])

    async def run(self, seconds: float) -> None:
        """Let the worker run for a while, then end it."""
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        await self.pushes.run(stop)

    def made(self, name: str) -> int:
        """How many records a user has made."""
        return sum(request.method == "POST" for _, request in self.users[name].sent_at)
