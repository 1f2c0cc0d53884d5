"""A world to test the invariants in: one store, one Dynamics, workers that come and go.

Unlike ``twins.rig`` and ``twins.site`` it can end a worker at any single step, goes to the sandbox
or to the twin of Dynamics, and hands in batches without a stream.
"""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import pytest

from pipelines.contact import Contact
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from twins.clock import Turned
from twins.dynamics import ScriptedDynamics
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.definitions import find
from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import DataverseClient, is_create
from worker.dynamics.errors import DynamicsError
from worker.dynamics.gate import Gate, make_gate
from worker.dynamics.http import make_http
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Dynamics, Request
from worker.engine.claims import CLAIM_S
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.transaction import Transactions
from worker.files import Files, MemoryFiles
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.rows.records import CLOCKED
from worker.sandbox.dataverse.switches import Switches
from worker.sandbox.traffic import History, Truth, truth
from worker.settings import CreateBy
from worker.sources.memory import MemorySource
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import ContactStore


#: When the world begins (s since 1970): an hour after the day the histories are of.
BEGINNING = 1_767_402_000.0


class Crash(BaseException):
    """The process is gone: no handler of the product may see this."""


@dataclass(slots=True)
class Steps:
    """Counts the steps of a worker over store and network, and ends the process at one of them.

    Each call is two steps: before it, and after it took effect but before its answer is known.
    """

    crash_at: int | None = None
    count: int = 0

    def pass_(self) -> None:
        self.count += 1
        if self.count == self.crash_at:
            raise Crash


@dataclass(slots=True)
class Wire:
    """The way to Dynamics, with what went over it: requests, and whether they succeeded."""

    inner: Dynamics
    steps: Steps
    log: list[tuple[Request, bool]] = field(default_factory=list)

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        self.steps.pass_()
        try:
            answer = await self.inner.send(request, timeout_s=timeout_s)
        except DynamicsError:
            self.log.append((request, False))
            raise
        self.log.append((request, True))
        self.steps.pass_()
        return answer

    async def user_id(self) -> str:
        return await self.inner.user_id()

    def created(self) -> list[str]:
        """The keys that creates made, notes left out."""
        return [
            request.path.partition("(")[2].partition(")")[0] or (request.body or {})["activityid"]
            for request, done in self.log
            if done and is_create(request) and not request.path.startswith("annotations")
        ]

    def written(self) -> int:
        """How many requests changed something."""
        return sum(done and request.method != "GET" for request, done in self.log)


class StoreSteps:
    """A store whose every call of the two loops is counted, see ``Steps``."""

    def __init__(self, inner: ContactStore, steps: Steps) -> None:
        self.inner = inner
        self.steps = steps

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Awaitable[Any]] = getattr(self.inner, name)

        async def call(*args: Any) -> Any:
            self.steps.pass_()
            result = await method(*args)
            self.steps.pass_()
            return result

        return call


@dataclass(slots=True)
class World:
    """One store and one Dynamics. ``worker`` starts a process on them.

    Attributes:
        dynamics: Where requests go.
        gate: The gate they pass.
        pipelines: What is sent.
        create_by: How records are made.
        dataverse: The sandbox, if it is one.
        live: Whether agents are served and times are waited for.
        overwrite: Whether existing records are overwritten.
        files: What Amazon Connect has stored.
        doubt: What is doubted of a contact that is loaded.
        index_key: Makes labels of people; None: contacts get none.
    """

    dynamics: Dynamics
    gate: Gate
    pipelines: Sequence[Pipeline]
    create_by: CreateBy = "post"
    dataverse: Dataverse | None = None
    live: bool = False
    overwrite: bool = False
    files: Files = field(default_factory=MemoryFiles)
    doubt: Callable[[Contact], None] = lambda _contact: None
    index_key: bytes | None = None
    store: ContactStore = field(default_factory=MemoryStore)
    clock: Turned = field(default_factory=lambda: Turned(BEGINNING))
    steps: Steps = field(default_factory=Steps)
    desktop: MemoryScreenPop = field(default_factory=MemoryScreenPop)
    wire: Wire = field(init=False)

    def __post_init__(self) -> None:
        self.wire = Wire(self.dynamics, self.steps)

    @property
    def memory(self) -> ScriptedDynamics:
        """Dynamics, where it is the in-memory twin."""
        assert isinstance(self.dynamics, ScriptedDynamics)
        return self.dynamics

    def worker(self) -> tuple[Ingest, Push]:
        """A process that has just started."""
        store: Any = StoreSteps(self.store, self.steps)
        clock = self.clock.clock()
        terms = Terms(live=self.live)
        transactions = Transactions(
            store=store,
            performer=Performer(self.wire, clock, self.files, self.create_by, self.overwrite),
            gate=self.gate,
            desktop=self.desktop,
            connect=MemoryConnect(),
            planner=Planner(self.pipelines, terms, clock, waits_over=not self.live),
            build="this",
            clock=clock,
            doubt=self.doubt,
            index_key=self.index_key,
        )
        push = Push(transactions, self.dynamics.user_id)
        ingest = Ingest(store, clock=clock, news=push.news, index_key=self.index_key)
        return ingest, push

    async def tell(self, *batches: Sequence[bytes], push: bool = False) -> int:
        """Hand in batches of messages, bring Dynamics up to date; how many were acknowledged.

        Args:
            batches: The messages' bytes.
            push: Bring it up to date after each batch, not after the last one only.
        """
        ingest, pusher = self.worker()
        messages = [[Message(body, f"memory:{n}") for body in b] for n, b in enumerate(batches)]
        source, never = MemorySource(messages), asyncio.Event()

        async def handle(batch: Sequence[Message]) -> None:
            await ingest.handle(batch)
            if push:
                await pusher.drain(never)

        try:
            await source.run(handle, never)
            await pusher.drain(never)
        except* Crash:
            pass  # the next worker begins where this one had acknowledged
        return len(source.acknowledged)

    async def tell_crashing(
        self, batches: Sequence[Sequence[bytes]], at: int, *, push: bool
    ) -> bool:
        """The same, ending the process at one of its steps, then going on with a new one.

        Returns:
            Whether it got that far: False when there are no more steps to crash at.
        """
        self.steps.crash_at = at
        done = await self.tell(*batches, push=push)
        if self.steps.count < at:
            return False
        self.clock.now += CLAIM_S
        await self.tell(*batches[done:], push=push)
        return True

    def forget(self) -> None:
        """Go on with an empty store: a fresh machine."""
        self.store = MemoryStore()
        self.wire.log.clear()

    def rows(self) -> dict[str, dict[str, Any]]:
        """What Dynamics shows, by ``set(key)``, without nulls, clocks and users."""
        if self.dataverse is None:
            keyed = {f"{name}({key})": row for (name, key), row in self.memory.records.items()}
        else:
            keyed = {
                f"{name}({row.get('activityid') or row.get('annotationid')})": row
                for name, rows in self.dataverse.dump().items()
                for row in rows
                if name != "systemusers"
            }
        return {name: _shown(row) for name, row in keyed.items()}

    def calls(self) -> list[dict[str, Any]]:
        """What the phone calls say of the columns that the truth knows; see ``expected``."""
        shown = [
            {column: value for column, value in row.items() if column in TOLD - without(row)}
            for name, row in self.rows().items()
            if name.startswith("phonecalls")
        ]
        return sorted(shown, key=str)

    async def parked(self) -> list[str]:
        """The contacts with something parked."""
        return await self.store.parked("", 1000)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    shown = {k: v for k, v in row.items() if v not in (None, "") and k not in CLOCKED}
    return dict(sorted(shown.items()))


@asynccontextmanager
async def _open_world(variant: str, **more: Any) -> AsyncIterator[World]:
    kind, create_by, closed = variant.split()
    clock = Turned(BEGINNING)
    gate = make_gate(clock.clock())
    more = {"create_by": create_by, "pipelines": [find("phonecall")], "clock": clock, **more}
    if kind == "memory":
        yield World(ScriptedDynamics(refuse_closed=closed == "refuse"), gate, **more)
        return
    switches = Switches(closed="allow" if closed == "allow" else "0x8004022e")
    dataverse = create_dataverse(
        auth=False, switches=switches, random=Random(1), keys=more.pop("keys", None)
    )
    # Without certificates and proxies to read, which takes longer than a history.
    transport = httpx.ASGITransport(dataverse.app)
    async with make_http(transport=transport) as http:
        client = DataverseClient(
            "https://sandbox.invalid",
            http,
            StaticTokens("none"),
            gate,
        )
        yield World(client, gate, dataverse=dataverse, **more)
    dataverse.close()


@pytest.fixture(scope="session")
def open_world() -> Callable[..., AbstractAsyncContextManager[World]]:
    """Opens a world: ``sandbox`` or ``memory``, ``post`` or ``patch``, closed: ``allow`` …

    The last word is what Dynamics does with updates of closed records: ``allow`` or ``refuse``.
    """
    return _open_world


@pytest.fixture(scope="session")
def expected() -> Callable[[History], list[dict[str, Any]]]:
    """The phone calls that a history's truth asks for."""

    def calls(history: History) -> list[dict[str, Any]]:
        told = [_call(told) for told in truth(history).values() if _has_record(told)]
        return sorted((dict(sorted(call.items())) for call in told), key=str)

    return calls


def without(row: dict[str, Any]) -> set[str]:
    """Why a call was cancelled is told in words that the truth does not know."""
    return {"description"} if row.get("statecode") == CANCELLED else set()


def _has_record(told: Truth) -> bool:
    return told.channel == "VOICE" and told.fate != "none"


CANCELLED = 2

#: Columns of a phone call whose values the truth knows.
TOLD = frozenset(
    (
        "subject",
        "phonenumber",
        "directioncode",
        "actualstart",
        "actualend",
        "category",
        "subcategory",
        "description",
        "statecode",
        "statuscode",
    )
)


def _call(told: Truth) -> dict[str, Any]:
    call = {
        "subject": f"Call between {told.agent or 'no agent'} and {told.number or 'unknown number'}",
        "phonenumber": told.number,
        "directioncode": told.outgoing,
        "actualstart": told.start,
        "actualend": told.end,
        "category": "VOICE",
        "subcategory": told.queue,
        "description": f"Your Recording URI is {told.recording_url}" if told.recording else None,
        "statecode": 1,
        "statuscode": 2 if told.outgoing else 4,
    }
    if told.fate == "cancelled":
        call |= {"statecode": CANCELLED, "statuscode": 3}
        del call["description"]
    return {name: value for name, value in call.items() if value is not None}
