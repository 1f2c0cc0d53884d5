"""Every metric that a worker has, with all its labels, as a scrape would see it."""

from __future__ import annotations

from datetime import date

from prometheus_client.metrics_core import Metric

from worker.dynamics.errors import Forbidden, Privilege
from worker.dynamics.gate import make_gate
from worker.engine.ingest import Tally
from worker.heartbeat import Health
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Counts
from worker.telemetry.metrics import PREFIX, Metrics
from worker.telemetry.state_collector import StateCollector
from worker.telemetry.store_counts import StoreCounts


def families() -> list[Metric]:
    """All families of a worker, each with a sample that has all its labels."""
    metrics = Metrics()
    census = StoreCounts(MemoryStore(), Health(), counts=Counts(9, 4, 2, 3, 0.0))
    gate = make_gate()
    for contact in "abc":
        gate.privileges.refused(Privilege("tasks", "create"), contact, Forbidden("test"))
    readings = StateCollector(
        Tally(), {"": gate}, census, buckets=lambda: {"": 12}, behind=lambda _now: {"": None}
    )
    metrics.registry.register(readings)
    metrics.lag("stream", "shard", 1)
    metrics.queue_trouble("queue", "Code")
    metrics.lease("stream", "shard", "taken")
    metrics.answered("POST", 429)
    metrics.connect("call", "OK")
    metrics.wrote("create")
    metrics.stepped(["phonecall/STEP2"], "done")
    metrics.secret(date(2026, 12, 31))
    return [family for family in metrics.registry.collect() if family.name.startswith(PREFIX)]


def samples() -> dict[str, set[str]]:
    """The name of every series, as queries use it, with the names of its labels."""
    return {
        sample.name: set(sample.labels)
        for family in families()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
