"""I8, the whole of it: histories of every kind, everything personal or secret in them marked, go
through a worker and the commands with all the trouble there is, and nobody tells of the marks.

What is told: log lines of anybody at any level, metrics, the texts of errors, standard error.
An operator's screen (``contact show``, ``preview``, ``parked export``) shows personal data by
design, so of those commands only standard error counts.
"""

from __future__ import annotations

import asyncio
import logging
import socket

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import orjson
import pytest
import structlog

from pipelines.plan import Terms
from worker import aws
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.clock import Clock
from worker.definitions import find, shipped
from worker.dynamics.client import DataverseClient
from worker.dynamics.connection import open_dynamics
from worker.dynamics.performer import Performer
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.pushes import Pushes
from worker.engine.reports import Reports
from worker.engine.transaction import Transactions
from worker.errors import StoreUnavailable
from worker.files import MemoryFiles
from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import CLIENT_SECRET, Dataverse
from worker.sandbox.traffic import KINDS, history
from worker.service import Service
from worker.settings import load_settings
from worker.sources.memory import MemorySource
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry
from worker.telemetry import logs
from worker.telemetry.http import serving
from worker.telemetry.logs import configure
from worker.telemetry.metrics import Metrics
from worker.telemetry.pages import pages


Command = Callable[..., Any]

CANARY = "CaNaRy"

#: Names whose values are personal: numbers, names, addresses, attributes, what was said.
PERSONAL = frozenset(
    {
        *("Address", "address", "Username", "Name", "name", "DisplayName", "Content", "Transcript"),
        *("Attributes", "UserDefinedAttributes", "crm-account"),
    }
)

#: Messages that are no contact's, or no message's, each with marks in it.
ODD = [
    f"{CANARY} is no JSON".encode(),
    f'{{"ContactId": "{CANARY}"'.encode(),
    f'{{"ContactId": ["{CANARY}"], "LastUpdateTimestamp": "{CANARY}"}}'.encode(),
    orjson.dumps({"ContactId": "c", "Segments": [{"Transcript": {"Content": CANARY}}]}),
    orjson.dumps({"JobStatus": "COMPLETED", "Transcript": [{"Content": f"I am {CANARY}"}]}),
    orjson.dumps({"detail-type": f"{CANARY}!", "source": CANARY, "detail": {CANARY: CANARY}}),
    orjson.dumps({"AgentARN": CANARY, "EventType": CANARY, "Username": CANARY}),
]

#: What goes wrong at Dynamics, in turn.
TROUBLE = [
    faults.plugin(f"{CANARY} is not wanted"),
    faults.unauthorized(),
    faults.unexpected(),
    faults.dropped(),
    faults.throttle(0.05),
    faults.plugin(f"no {CANARY} again"),
    faults.gateway(),
    faults.duplicate_key(),
    faults.deadlock(),
]

#: How long a worker may take to be done (s).
LIMIT_S = 60.0


def marked(value: Any, *, personal: bool = False) -> Any:
    """The same message with everything personal marked, the names of attributes too."""
    if isinstance(value, dict):
        said = {k: marked(v, personal=personal or k in PERSONAL) for k, v in value.items()}
        return said | {f"key {CANARY}": CANARY} if personal else said
    if isinstance(value, list):
        return [marked(member, personal=personal) for member in value]
    return f"{value} {CANARY}" if personal and isinstance(value, str) else value


@pytest.fixture
def bodies() -> list[bytes]:
    """Histories of every kind, told just now, and odd messages between them."""
    begin = datetime.now(UTC) - timedelta(days=2)
    told: list[bytes] = []
    for kind in sorted(KINDS):
        told += [
            m.body if m.stream == "recordings" else orjson.dumps(marked(orjson.loads(m.body)))
            for m in history(kind, Random(kind), begin).sent
        ]
    return [*ODD, *told]


@pytest.fixture
def troubled(served: Any) -> Dataverse:
    """A sandbox whose first answers are trouble."""
    dataverse: Dataverse = served.dataverse
    for fault in TROUBLE:
        dataverse.faults.next(fault, path="^(?!.*WhoAmI)")
    return dataverse


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    """Everything that is logged, by whomever; checked when the test is over."""
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as lines:
        yield lines
    # Of other loggers only warnings reach anybody; httpx tells every address, at a level below.
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    others = [record.getMessage() for record in records]
    tracebacks = [str(record.exc_info) for record in records]
    for secret in (CANARY, CLIENT_SECRET, "Bearer "):
        assert secret not in str([*lines, *others, *tracebacks])


class Moody(MemoryStore):
    """Refuses to hold large contacts, and is away now and then when a batch comes."""

    def __init__(self) -> None:
        super().__init__(limit_bytes=60_000)
        self.calls = 0

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        self.calls += len(contact_ids) > 1
        if self.calls % 3 == 0 and len(contact_ids) > 1:
            raise StoreUnavailable("away")
        return await super().load(contact_ids)


@asynccontextmanager
async def working(bodies: list[bytes]) -> AsyncIterator[tuple[Service, DataverseClient]]:
    """A worker that reads the bodies and talks to the sandbox over TLS, as in production."""
    settings, metrics, store = load_settings(), Metrics(), Moody()
    async with open_dynamics(
        settings, aws.secrets, answered=metrics.answered, renewed=metrics.token
    ) as client:
        pipelines = [find(name) for name in shipped()]
        transactions = Transactions(
            store=store,
            performer=Performer(client, Clock(lambda: 0.0), MemoryFiles()),
            gate=client.gate,
            desktop=MemoryScreenPop(),
            connect=MemoryConnect(),
            planner=Planner(pipelines, Terms(settings.constants, live=True)),
            build="this",
            reports=Reports(latency=metrics.latency, wrote=metrics.wrote),
        )
        push = Pushes(Push(transactions, client.probe))
        ingest = Ingest(store, news=push.news)
        large = orjson.dumps(
            {"ContactId": "l", "LastUpdateTimestamp": "2026-01-02", "Attributes": CANARY * 20_000}
        )
        batches = [[*bodies[at : at + 20], large] for at in range(0, len(bodies), 20)]
        source = MemorySource(
            [[Message(b, f"memory:{n}") for n, b in enumerate(x)] for x in batches]
        )
        yield Service(store, {"memory": source}, ingest, push, 10.0, (), metrics), client


async def done(service: Service) -> None:
    """Everything has been taken in and nothing is due any more."""
    async with asyncio.timeout(LIMIT_S):
        while not service.ingest.tally.messages or (await service.store.counts(2e9)).due:  # noqa: ASYNC110 - the loops under test have no such news to give
            await asyncio.sleep(0.05)


async def test_i8_a_worker_in_every_trouble_tells_nothing_of_anybody(
    reached: Any, troubled: Dataverse, bodies: list[bytes], said: list[Any]
) -> None:
    stop = asyncio.Event()
    async with working(bodies) as (service, client):
        told = pages(service.metrics, service.health, service.gates)
        async with serving("127.0.0.1:0", told) as port, asyncio.TaskGroup() as group:
            running = group.create_task(service.run(stop))
            await done(service)
            async with httpx.AsyncClient(trust_env=False) as http:
                address = f"http://127.0.0.1:{port}/"
                shown = [(await http.get(address + page)).text for page in PAGES]
            stop.set()
            await running
        token = client._tokens._token  # type: ignore[attr-defined] # MSAL's
        counts = await service.store.counts(0.0)
        kept = await service.store.quarantined("", 100)
    assert token
    for secret in (CANARY, CLIENT_SECRET, token):
        assert secret not in "".join(shown)
        assert secret not in str([(item.origin, item.reason) for item in kept])
        assert secret not in str(said)
    assert counts.parked
    assert counts.quarantined > 3
    assert CANARY in str(troubled.dump())  # it was there to be told
    assert {
        *("push.parked", "push.not_done", "dynamics.refused"),
        *("ingest.quarantined", "ingest.contact_refused", "ingest.store_unavailable"),
    } <= {line["event"] for line in said}
    assert "connect_dynamics_ingested_total" in shown[0]
    assert reached.url


PAGES = ("metrics", "healthz", "readyz")


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the hosts that anybody looks for."""
    looked_up: set[str] = set()
    look_up = socket.getaddrinfo

    def note(host: Any, *more: Any, **named: Any) -> Any:
        looked_up.add(host.decode() if isinstance(host, bytes) else str(host))
        return look_up(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", note)
    return looked_up


def test_i8_the_commands_tell_standard_error_nothing_of_anybody(
    *,
    command: Command,
    reached: Any,
    troubled: Dataverse,
    bodies: list[bytes],
    hosts: set[str],
    place: Path,
    moto_server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)  # where Contact Lens' files are looked for
    # The commands log errors only: hear all there is.
    monkeypatch.setattr(logs, "configure", lambda _level: configure("debug"))
    (place / "archive.jsonl").write_bytes(b"\n".join(bodies))
    state = ("--state", "sqlite:state.db")
    again = ("replay", "archive.jsonl", "--dynamics", reached.url, *state)
    every = [f"--pipeline={name}" for name in shipped()]

    def run(*arguments: object, shows: bool = False) -> Any:
        ended = command(*arguments)
        told = ended.err if shows else ended.err + ended.out
        for secret in (CANARY, CLIENT_SECRET, "Bearer "):
            assert secret not in told
        return ended

    monkeypatch.setenv("SANDBOX_SECRET", f"{CANARY} is wrong")
    assert "AADSTS7000215" in run(*again).err
    monkeypatch.setenv("SANDBOX_SECRET", CLIENT_SECRET)
    assert run(*again, *every).status == 3
    run("parked", "list", *state, shows=True)  # what a plug-in says is its own affair
    assert CANARY in run("parked", "export", *state, shows=True).out
    run("contact", "list", *state, shows=True)  # names of queues
    run("quarantine", "list", *state)
    run("quarantine", "retry", "--all", *state)
    run("parked", "retry", "--all", *state, shows=True)
    assert run(*again, *every).status == 3
    assert CANARY in str(troubled.dump())  # it was there to be told
    contact_id = history("voice_inbound", Random("voice_inbound")).contacts[0].id
    assert run("contact", "show", contact_id, *state, shows=True).status == 0
    preview = ("preview", "phonecall", "STEP2", "--event", "archive.jsonl", "--contact", contact_id)
    assert CANARY in run(*preview, shows=True).out
    run("contact", "forget", contact_id, *state, "--yes")
    run("check", "--online")
    assert hosts <= {httpx.URL(reached.url).host}, "no host but those of the settings"
