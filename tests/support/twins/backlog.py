"""A worker with a backlog while calls go on, in virtual time: who waits how long for what."""

from __future__ import annotations

import asyncio

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from pipelines.contact import Contact
from pipelines.loader import load
from pipelines.outcome import Shown
from pipelines.plan import Terms
from twins.calls import Call
from twins.dynamics import ScriptedDynamics
from twins.loop import clock, iso, now, wall
from twins.protection import Protected
from worker.amazon_connect.memory import MemoryConnect
from worker.amazon_connect.protocol import Page
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Request
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.transaction import Transactions
from worker.engine.waiting import Waiting
from worker.files import MemoryFiles
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import ContactStore


#: A lookup, a record, its page, and changes of it that no page needs.
PIPELINE = """
name = "call"
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
query = "?$select=fullname&$filter=telephone1 eq '{{ContactId}}'"
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}"}'
[[step]]
name = "TAKEN"
on = "answered"
method = "PATCH"
entity = "phonecalls"
query = "({{MAKE-Response.activityid}})"
body = '{"category": "answered"}'
[[step]]
name = "SHOW"
on = "answered"
open = "main.aspx"
query = '{"etn": "phonecall", "id": "{{MAKE-Response.activityid}}"}'
[[step]]
name = "OVER"
on = "ended"
method = "PATCH"
entity = "phonecalls"
query = "({{MAKE-Response.activityid}})"
body = '{"description": "ended"}'
[writeback]
activity = "{{MAKE-Response.activityid}}"
"""

#: How long after it began a call is answered, and how long after that it ends (s).
RINGS_S = 3.0
TALKS_S = 25.0

#: How many messages come at a time.
BATCH = 200

#: Calls of the last moments (s) are not judged.
LONGEST_S = 2.0

INSTANCE = "arn:aws:connect:x:1:instance/abc"


class NotingConnect(MemoryConnect):
    """Notes when (virtual s) each contact first got attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[str, float] = {}

    async def update_attributes(self, *about: Any) -> None:
        self.written.setdefault(about[1], now())
        await super().update_attributes(*about)


class NotingDesktop:
    """Notes when (virtual s) each contact's page was opened, and in which order."""

    def __init__(self) -> None:
        self.no_page: dict[str, str] = {}
        self.opened: dict[str, float] = {}

    async def open(self, page: Page) -> Shown:
        self.opened.setdefault(page.contact_id, now())
        return Shown()


class Unaware(Waiting):
    """Does not look who waits."""

    def see(self, contact: Contact) -> None:
        pass


def old_call(number: int) -> Call:
    """One of the backlog."""
    return Call(f"00000000-0000-4000-8000-{number:012}")


def new_call(number: int) -> Call:
    """One that goes on now."""
    return Call(f"11111111-0000-4000-8000-{number:012}")


@dataclass
class Backlog:
    """A worker, what is due, and the calls that go on meanwhile.

    Attributes:
        latency_s: How long each request takes.
        agents_first: False: the worker does not know who waits, as it was before.
        began: Call -> when (virtual s) it began.
        answered: Call -> when (virtual s) it was answered.
        stopped: When (virtual s) the worker was told to stop.
    """

    latency_s: float = 0.05
    agents_first: bool = True
    store: ContactStore = field(default_factory=MemoryStore)
    connect: NotingConnect = field(default_factory=NotingConnect)
    desktop: NotingDesktop = field(default_factory=NotingDesktop)
    dynamics: ScriptedDynamics = field(default_factory=ScriptedDynamics)
    began: dict[str, float] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    stopped: float = 0.0
    gate: Gate = field(init=False)
    way: Protected = field(init=False)
    push: Push = field(init=False)
    ingest: Ingest = field(init=False)

    def __post_init__(self) -> None:
        self.gate = make_gate(clock())
        self.way = Protected(self.gate, self.dynamics, latency_s=self.latency_s)
        self.push = self.worker()
        self.ingest = Ingest(self.store, clock=clock(), news=self.push.news)
        self._live = {new_call(n).id for n in range(1000)}

    def worker(self) -> Push:
        """Another process on the same store."""
        transactions = Transactions(
            store=self.store,
            performer=Performer(self.way, clock(), MemoryFiles()),
            gate=self.gate,
            desktop=self.desktop,
            connect=self.connect,
            planner=Planner([load(PIPELINE)], Terms({"AppId": "app"}, live=True), clock()),
            build="this",
            clock=clock(),
        )
        if not self.agents_first:
            transactions.waiting = Unaware(transactions.planner, transactions.clock)
        return Push(transactions, self.probe)

    async def probe(self) -> None:
        await self.dynamics.send(Request("GET", "WhoAmI"), timeout_s=30)

    async def tell(self, *bodies: bytes) -> None:
        await self.ingest.handle([Message(b, f"memory:{n}") for n, b in enumerate(bodies)])

    async def lay_up(self, contacts: int, over_s: float = 3 * 3600.0) -> None:
        """So many calls of the last hours are due; none of them goes on any more."""
        over = []
        for number in range(contacts):
            at = iso(wall() - 120 - over_s * (contacts - number) / contacts)
            ended = {"initiationTimestamp": at, "disconnectTimestamp": at}
            over.append(old_call(number).event("DISCONNECTED", instanceArn=INSTANCE, **ended))
        for start in range(0, contacts, BATCH):
            await self.tell(*over[start : start + BATCH])

    async def ring(self, number: int) -> None:
        """A call begins now, is answered and ends."""
        call, at = new_call(number), iso(wall())
        self.began[call.id] = now()
        said = {"initiationTimestamp": at, "instanceArn": INSTANCE}
        await self.tell(call.begun(**said))
        await asyncio.sleep(RINGS_S)
        self.answered[call.id] = now()
        await self.tell(call.answered(iso(wall()), **said))
        await asyncio.sleep(TALKS_S)
        await self.tell(call.event("DISCONNECTED", disconnectTimestamp=iso(wall()), **said))

    async def run(self, seconds: float, calls_per_s: float = 0.0, push: Push | None = None) -> None:
        """Let the worker run while calls come."""
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        self.stopped = now() + seconds
        async with asyncio.TaskGroup() as group:
            working = group.create_task(Pushes(push or self.push).run(stop))
            ringing = []
            for number in range(int(seconds * calls_per_s)):
                ringing.append(group.create_task(self.ring(number)))
                await asyncio.sleep(1 / calls_per_s)
            await working
            for task in ringing:
                task.cancel()

    @property
    def until_open(self) -> list[float]:
        """Of each call that was answered long enough before the end: how long (s) its page took."""
        return self._waits(self.answered, self.desktop.opened)

    @property
    def until_written(self) -> list[float]:
        """The same from its beginning to its attributes."""
        return self._waits(self.began, self.connect.written)

    def _waits(self, since: dict[str, float], done: dict[str, float]) -> list[float]:
        end = self.stopped
        return [done.get(key, end) - at for key, at in since.items() if at < end - LONGEST_S]

    def sent_for(self, *, backlog: bool) -> int:
        """How many requests were made for the backlog, or for the calls that go on."""
        ours = set()
        for _, request in self.way.sent_at:
            if request.method == "POST" and str((request.body or {})["subject"]) in self._live:
                ours.add(str((request.body or {})["activityid"]))
        live = sum(self._is_live(request, ours) for _, request in self.way.sent_at)
        return len(self.way.sent_at) - live if backlog else live

    def _is_live(self, request: Request, records: Iterable[str]) -> bool:
        said = f"{request.path}{request.body}"
        return "11111111-0000-4000" in said or any(record in said for record in records)


def p95(waits: list[float]) -> float:
    """What 95 of 100 stay within; there must be some."""
    return sorted(waits)[ceil(0.95 * len(waits)) - 1]
