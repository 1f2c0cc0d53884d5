"""The state of ingest, gate and store as metrics, read at each scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.clock import Clock
from worker.dynamics.gate import Gate
from worker.dynamics.reasons import GateState, Reason
from worker.engine.ingest import Tally
from worker.faults import Faults
from worker.telemetry.labels import kind_of
from worker.telemetry.metrics import PREFIX
from worker.telemetry.store_counts import StoreCounts


@dataclass(eq=False, slots=True)
class StateCollector(Collector):
    """A collector for ``Metrics.registry``.

    Attributes:
        tally: What ingest counted.
        gates: The gate to Dynamics of each application user, by client id.
        store_counts: The last counts of the store.
        faults: The bugs that were contained.
        clock: Its wall clock gives the age of the oldest due contact.
        buckets: How many buckets of contacts each application user pushes.
        behind: Since when (s since 1970) the longest waits of the contacts that each application
            user tried in vain, given the time; None: none does.
    """

    tally: Tally
    gates: Mapping[str, Gate]
    store_counts: StoreCounts
    faults: Faults = field(default_factory=Faults)
    clock: Clock = field(default_factory=Clock)
    buckets: Callable[[], Mapping[str, int]] = dict
    behind: Callable[[float], Mapping[str, float | None]] = lambda _now: {}

    def collect(self) -> Iterator[Metric]:
        """All these metrics as they are now."""
        yield from self._ingested()
        yield from self._passed()
        yield from self._contained()
        yield from self._kept()

    def _ingested(self) -> Iterator[Metric]:
        summary = "Messages taken in."
        yield CounterMetricFamily(f"{PREFIX}messages", summary, self.tally.messages)
        summary = "What they held: facts, parts ignored on purpose, parts quarantined."
        found = CounterMetricFamily(f"{PREFIX}ingested", summary, labels=["outcome", "reason"])
        found.add_metric(["fact", ""], self.tally.facts)
        found.add_metric(["quarantined", ""], self.tally.quarantined)
        ignored: dict[str, int] = {}
        for reason, count in self.tally.ignored.items():
            ignored[kind_of(reason)] = ignored.get(kind_of(reason), 0) + count
        for reason, count in ignored.items():
            found.add_metric(["ignored", reason], count)
        yield found

    def _passed(self) -> Iterator[Metric]:
        """Of all application users together, but for the last three."""
        slots = [gate.slots for gate in self.gates.values()]
        limit, in_flight = sum(one.limit for one in slots), sum(one.in_flight for one in slots)
        yield _gauge("gate_slots", "Requests that may be in flight to Dynamics.", limit)
        yield _gauge("gate_in_flight", "Requests in flight to Dynamics.", in_flight)
        summary = "Workers that share slots and budget, as far as this one knows."
        yield _gauge("gate_workers", summary, max(one.workers for one in slots))
        summary = "1 for each reason why nothing, or not all, is sent to Dynamics now, else 0."
        degraded = GaugeMetricFamily(f"{PREFIX}degraded", summary, labels=["reason"])
        for reason in Reason:
            if reason is not Reason.NONE:
                given = any(reason in gate.reasons for gate in self.gates.values())
                degraded.add_metric([reason.value], given)
        yield degraded
        summary = "1 for each kind of access that an application user is refused."
        forbidden = GaugeMetricFamily(f"{PREFIX}forbidden", summary, labels=["table", "access"])
        missing = {what for gate in self.gates.values() for what in gate.privileges.missing}
        for privilege in sorted(missing):
            forbidden.add_metric([privilege.table, privilege.access], 1)
        yield forbidden
        summary = "1 while requests of an application user may pass, else 0."
        is_open = GaugeMetricFamily(f"{PREFIX}user_open", summary, labels=["user"])
        for user, gate in self.gates.items():
            is_open.add_metric([user], gate.breaker.state is GateState.OPEN)
        yield is_open
        summary = "Of 12 parts of all contacts, how many an application user pushes; 0: none."
        parts = GaugeMetricFamily(f"{PREFIX}user_buckets", summary, labels=["user"])
        for user, number in self.buckets().items():
            parts.add_metric([user], number)
        yield parts
        summary = "How long what an application user tried in vain waits, at most; 0: nothing does."
        behind = GaugeMetricFamily(f"{PREFIX}user_behind_seconds", summary, labels=["user"])
        now = self.clock.wall()
        for user, since in self.behind(now).items():
            behind.add_metric([user], _age_s(now, since))
        yield behind

    def _contained(self) -> Iterator[Metric]:
        summary = "Bugs of this program that were contained, by what they could take with them."
        found = CounterMetricFamily(f"{PREFIX}faults", summary, labels=["boundary", "place"])
        counts = Counter(
            dict.fromkeys((("contact", ""),), 0)
        )  # so that a first increase is visible
        for (boundary, fault), count in self.faults.counts.items():
            counts[boundary, f"{fault.kind} at {fault.place}"] += count
        for (boundary, place), count in counts.items():
            found.add_metric([boundary, place], count)
        yield found

    def _kept(self) -> Iterator[Metric]:
        up = self.store_counts.health.store_answers
        yield _gauge("store_up", "1 while the contact store answers, else 0.", up)
        counts = self.store_counts.counts
        if counts is None:
            return  # unknown is not zero
        now = self.clock.wall()
        age_s = _age_s(now, counts.oldest_due_at)
        fresh_s = max(age_s, *(_age_s(now, since) for since in self.behind(now).values()), 0.0)
        yield _gauge("contacts", "Contacts in the store.", counts.contacts)
        yield _gauge("contacts_due", "Contacts that Dynamics does not match yet.", counts.due)
        yield _gauge("contacts_parked", "Contacts set aside for an operator.", counts.parked)
        yield _gauge("messages_quarantined", "Messages set aside as they came.", counts.quarantined)
        yield _gauge("oldest_due_age_seconds", "How long the longest due contact waits.", age_s)
        summary = "Age of the oldest fact that is not in Dynamics yet, parked ones aside."
        yield _gauge("freshness_seconds", summary, fresh_s)


def _age_s(now: float, since: float | None) -> float:
    return 0.0 if since is None else max(0.0, now - since)


def _gauge(name: str, summary: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, summary, value)
