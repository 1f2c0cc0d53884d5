"""Metrics for Prometheus. Dashboards and alarms depend on their names, so none ever changes.

What a package counts anyway is read when scraped (``worker.telemetry.state_collector``); the rest
comes through the methods here, passed to it as plain callables: none depends on Prometheus.
"""

from __future__ import annotations

import platform

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from importlib.metadata import version
from typing import Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipelines.action import KINDS, Verb
from pipelines.effect import WRITE_BACK_OUTCOMES
from pipelines.effect import Outcome as Opening
from pipelines.pipeline import Pipeline
from pipelines.step import OpenStep
from worker.clock import Clock
from worker.sources.shard_reader import TRIMMED
from worker.telemetry.labels import OTHER, Codes, short, status_class


PREFIX: Final = "connect_dynamics_"

#: Upper bounds of the latency histogram (s): from well below the target of 1 s to a long outage.
LATENCY_S: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400)

#: The same of the histogram of openings: around the target of 1 s, up to when they expire.
OPENING_S: Final = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 40, 60)

#: Kinds of writes; adopting only reads what is there.
WRITTEN: Final = tuple(kind for kind in KINDS if kind != Verb.ADOPT.value)

#: What can come of a step in Dynamics; parked ones failed for good.
STEP_OUTCOMES: Final = ("done", "failed", "parked")

#: The status with which Dataverse's service protection throttles.
TOO_MANY_REQUESTS: Final = 429


class Metrics:
    """The metrics of one worker, with a registry of their own.

    Args:
        clock: Its wall clock dates the expiry of a token.
        pipelines: Their steps are the only ones that are told by name.

    Attributes:
        registry: Holds them; further collectors may be added.
    """

    def __init__(self, clock: Clock | None = None, pipelines: Iterable[Pipeline] = ()) -> None:
        self.registry = registry = CollectorRegistry()
        self._clock = clock or Clock()
        self._codes = Codes()

        def counter(name: str, summary: str, *labels: str) -> Counter:
            return Counter(PREFIX + name, summary, labels, registry=registry)

        def gauge(name: str, summary: str, *labels: str) -> Gauge:
            return Gauge(PREFIX + name, summary, labels, registry=registry)

        self._lag = gauge(
            "lag_seconds", "How far reading is behind the newest record.", "stream", "shard"
        )
        self._gaps = counter(
            "retention_gaps_total",
            "Times that records were lost: the stream dropped them before they were read.",
            "stream",
        )
        self._trouble = counter(
            "source_trouble_total", "Failed calls to a stream or queue.", "source", "code"
        )
        self._leases = counter(
            "lease_changes_total", "Leases taken, and how they ended.", "stream", "change"
        )
        self._latency = Histogram(
            f"{PREFIX}latency_seconds",
            "From a contact coming due, its event saved, to Dynamics matching it.",
            buckets=LATENCY_S,
            registry=registry,
        )
        self._openings = counter(
            "openings_total", "Pages for agents, by what came of them.", "outcome"
        )
        self._opening_s = Histogram(
            f"{PREFIX}opening_seconds",
            "From a milestone to Connect having what agents are to see of it.",
            ("milestone",),
            buckets=OPENING_S,
            registry=registry,
        )
        self._write_backs = counter(
            "write_backs_total", "Attributes for Connect, by what came of them.", "outcome"
        )
        self._steps = counter(
            "steps_total",
            "What was done in Dynamics for a step, failed, or was parked.",
            "pipeline",
            "step",
            "outcome",
        )
        self._failing = gauge(
            "step_failures", "Tries of a step that failed since one succeeded.", "pipeline", "step"
        )
        self._writes = counter("writes_total", "Writes that were acknowledged.", "kind")
        self._requests = counter(
            "requests_total", "Requests to Dynamics, by class of their answer.", "method", "status"
        )
        self._throttled = counter("throttled_total", "Requests that Dynamics answered with 429.")
        self._connect = counter(
            "connect_calls_total", "Calls to Amazon Connect, by their answer.", "call", "code"
        )
        self._skew = gauge(
            "clock_skew_seconds", "How far this machine's clock is ahead of others'; 0: not known."
        )
        self._tokens: dict[str, float] = {}  # client id -> when its token expires
        self._token = gauge(
            "token_expires_timestamp_seconds", "When the first access token expires."
        )
        for outcome in get_args(Opening):
            self._openings.labels(outcome)
        for outcome in WRITE_BACK_OUTCOMES:
            self._write_backs.labels(outcome)
        self._known_steps = {
            step.path: (pipeline.name, step.name)
            for pipeline in pipelines
            for step in pipeline.steps
            if not isinstance(step, OpenStep)
        }
        for labels in self._known_steps.values():
            self._failing.labels(*labels)
            for outcome in STEP_OUTCOMES:
                self._steps.labels(*labels, outcome)
        for milestone in ("created", "answered"):
            self._opening_s.labels(milestone)
        for kind in WRITTEN:  # a series that begins at 1 hides its first increase from Prometheus
            self._writes.labels(kind)
        build = {"version": version("connect-dynamics"), "python": platform.python_version()}
        Info(f"{PREFIX}build", "The program.", registry=registry).info(build)
        ProcessCollector(registry=registry)

    def lag(self, stream: str, shard: str, ms: int | None) -> None:
        """Reading a shard is this far (ms) behind its newest record; None: it is not read any more.

        Then its series goes, or each reshard would leave some.
        """
        if ms is None:
            self._lag.remove(short(stream), shard)
        else:
            self._lag.labels(short(stream), shard).set(ms / 1000)
        self._gaps.labels(short(stream))

    def shard_trouble(self, stream: str, shard: str, code: str) -> None:
        """A call to a stream failed, or its retention was too short (``RecordsTrimmed``)."""
        del shard  # it is in the log; as a label it would multiply the series by the codes
        if code == TRIMMED:
            self._gaps.labels(short(stream)).inc()
        else:
            self.queue_trouble(stream, code)

    def queue_trouble(self, queue: str, code: str) -> None:
        """A call to a queue failed."""
        self._trouble.labels(short(queue), self._codes.label(code)).inc()

    def lease(self, stream: str, shard: str, change: str) -> None:
        """A lease was taken or is over (see ``LeasedStream.on_lease``)."""
        del shard
        self._leases.labels(short(stream), self._codes.label(change)).inc()

    def latency(self, seconds: float) -> None:
        """Dynamics matches a contact, this long (s) after it came due."""
        self._latency.observe(seconds)

    def wrote(self, kind: str) -> None:
        """A write was acknowledged."""
        self._writes.labels(kind).inc()

    def opening(self, outcome: str) -> None:
        """This came of a page for an agent, see ``pipelines.effect``."""
        self._openings.labels(outcome).inc()

    def write_back(self, outcome: str) -> None:
        """This came of attributes for Connect, see ``pipelines.effect``."""
        self._write_backs.labels(outcome).inc()

    def stepped(self, steps: Sequence[str], outcome: str) -> None:
        """This came of steps in Dynamics, given as ``pipeline/step``; see ``STEP_OUTCOMES``.

        A step of which no pipeline that is loaded knows is ``other``, so that labels stay few.
        """
        for path in steps:
            labels = self._known_steps.get(path, (OTHER, OTHER))
            self._steps.labels(*labels, outcome).inc()
            failing = self._failing.labels(*labels)
            failing.set(0) if outcome == "done" else failing.inc()

    def opening_s(self, milestone: str, seconds: float) -> None:
        """Connect has what agents are to see of a milestone, this long (s) after it."""
        self._opening_s.labels(milestone).observe(seconds)

    def answered(self, method: str, status: int | None) -> None:
        """A request to Dynamics got this answer; None: no answer."""
        self._requests.labels(method, status_class(status)).inc()
        if status == TOO_MANY_REQUESTS:
            self._throttled.inc()

    def connect(self, call: str, code: str) -> None:
        """A call to Amazon Connect got this answer: ``OK`` or an error code."""
        self._connect.labels(call, self._codes.label(code)).inc()

    def skew(self, seconds: float) -> None:
        """This machine's clock is this far (s) ahead of the others'; negative: behind."""
        self._skew.set(seconds)

    def token(self, life_s: float, user: str = "") -> None:
        """A new access token of a user was obtained, valid for ``life_s`` seconds."""
        self._tokens[user] = self._clock.wall() + life_s
        self._token.set(min(self._tokens.values()))

    def secret(self, expires: date) -> None:
        """The first client secret expires on that day, at its beginning (UTC) to be safe."""
        name, summary = "secret_expires_timestamp_seconds", "When the first client secret expires."
        moment = datetime.combine(expires, time_of_day(), UTC)
        Gauge(PREFIX + name, summary, registry=self.registry).set(moment.timestamp())

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(_Plain(self.registry))


class _Plain(Collector):
    """Leaves out the ``_created`` series: they double the number of series, unread."""

    def __init__(self, inner: Collector) -> None:
        self._inner = inner

    def collect(self) -> Iterator[Metric]:
        for metric in self._inner.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric
