"""I8 for metrics: a run over marked messages leaves no trace of them in any name or label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import orjson
import pytest

from pipelines.plan import Terms
from twins.dynamics import Failure, ScriptedDynamics
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.errors import Refused
from worker.dynamics.gate import make_gate
from worker.dynamics.performer import Performer
from worker.engine.ingest import Ingest
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.engine.reports import Reports
from worker.engine.transaction import Transactions
from worker.files import MemoryFiles
from worker.heartbeat import Health
from worker.sandbox.traffic import KINDS, history
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.telemetry.metrics import Metrics
from worker.telemetry.state_collector import StateCollector
from worker.telemetry.store_counts import StoreCounts


CANARY = "CaNaRy"

#: Messages that are let go or set aside, each with something marked in it.
ODD = [
    CANARY.encode(),
    orjson.dumps({CANARY: CANARY}),
    orjson.dumps({"detail-type": CANARY, "source": CANARY, "detail": {"name": CANARY}}),
    orjson.dumps({"AgentARN": CANARY, "EventType": CANARY, "Username": CANARY}),
]

#: Shortest text of a message that is looked for: shorter ones are in any text.
TELLING = 6


def marked(value: Any) -> Any:
    """The same message with every free text marked; what must have a form keeps it."""
    if isinstance(value, dict):
        return {k: f"{CANARY} {v}" if k in FREE else marked(v) for k, v in value.items()}
    return [marked(member) for member in value] if isinstance(value, list) else value


FREE = frozenset(["Address", "Username", "Name", "DisplayName", "address", "name"])


def texts(value: Any) -> Iterator[str]:
    """Every text in a message, names left out."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            yield from texts(member)
    if isinstance(value, str) and len(value) >= TELLING:
        yield value


@pytest.fixture
def bodies() -> list[bytes]:
    """Messages of every kind of contact, marked, and odd ones."""
    told = [m.body for kind in KINDS for m in history(kind, Random(kind)).sent]
    return ODD + [orjson.dumps(marked(orjson.loads(body))) for body in told]


async def run(bodies: list[bytes], metrics: Metrics) -> ScriptedDynamics:
    """Bring messages to a Dynamics that refuses some, with all that is measured."""
    dynamics, store, gate = ScriptedDynamics(), MemoryStore(), make_gate()
    refusal = Refused("POST phonecalls answered 400", status=400, code=CANARY, detail=CANARY)
    fails = iter([Failure(refusal)] * 2)
    dynamics.script = lambda _request: next(fails, None)
    transactions = Transactions(
        store=store,
        performer=Performer(dynamics, Clock(lambda: 0.0), MemoryFiles()),
        gate=gate,
        desktop=MemoryScreenPop(),
        connect=MemoryConnect(),
        planner=Planner([find("phonecall"), find("chat")], Terms(), waits_over=True),
        build="this",
        reports=Reports(latency=metrics.latency, wrote=metrics.wrote),
    )
    ingest = Ingest(store)
    census = StoreCounts(store, Health())
    metrics.registry.register(StateCollector(ingest.tally, {"": gate}, census))
    await ingest.handle([Message(body, f"memory:{n}") for n, body in enumerate(bodies)])
    await Push(transactions, dynamics.user_id).drain()
    census.counts = await store.counts(0.0)
    return dynamics


async def test_i8_no_metric_and_no_label_tells_anything_of_a_message(
    bodies: list[bytes], metrics: Metrics, scraped: Callable[[], dict[tuple[str, ...], float]]
) -> None:
    dynamics = await run(bodies, metrics)
    metrics.lag(f"arn:aws:kinesis:eu-central-1:{CANARY}:stream/contact-events", "shardId-0", 1)
    metrics.queue_trouble("notifications", f"refused: {CANARY}")
    shown = scraped()
    assert CANARY in str(dynamics.requests)  # it was there to be told
    assert shown["contacts_parked",] == 2
    assert shown["messages_quarantined",] >= 2
    assert shown["ingested_total", "ignored", "other event"] >= 1
    assert CANARY not in metrics.exposition().decode()
    personal = {text for body in bodies[len(ODD) :] for text in texts(orjson.loads(body))}
    told = "\n".join(label for name, *labels in shown for label in labels)
    assert len(personal) > 100
    assert [text for text in personal if text in told] == []
