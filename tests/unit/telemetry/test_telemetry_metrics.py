"""Metrics: their names are promises, their labels few and never personal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from prometheus_client.parser import text_string_to_metric_families

from pipelines.action import KINDS
from pipelines.effect import WRITE_BACK_OUTCOMES
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.errors import Forbidden, Privilege, Throttled
from worker.dynamics.gate import make_gate
from worker.dynamics.reasons import Reason
from worker.engine.ingest import Tally
from worker.heartbeat import Health
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Counts
from worker.telemetry.labels import MAX_VALUES
from worker.telemetry.metrics import Metrics
from worker.telemetry.state_collector import StateCollector
from worker.telemetry.store_counts import StoreCounts


Scrape = Callable[[], dict[tuple[str, ...], float]]

ARN = "arn:aws:kinesis:eu-central-1:111122223333:stream/contact-events"
SHARD = "shardId-000000000000"

#: Every name users may build on. Names are added here, none is ever changed.
PROMISED = {
    "connect_dynamics_build_info",
    "connect_dynamics_clock_skew_seconds",
    "connect_dynamics_contacts",
    "connect_dynamics_contacts_due",
    "connect_dynamics_contacts_parked",
    "connect_dynamics_faults_total",
    "connect_dynamics_degraded",
    "connect_dynamics_forbidden",
    "connect_dynamics_freshness_seconds",
    "connect_dynamics_gate_in_flight",
    "connect_dynamics_gate_slots",
    "connect_dynamics_gate_workers",
    "connect_dynamics_ingested_total",
    "connect_dynamics_lag_seconds",
    "connect_dynamics_latency_seconds_bucket",
    "connect_dynamics_latency_seconds_count",
    "connect_dynamics_latency_seconds_sum",
    "connect_dynamics_lease_changes_total",
    "connect_dynamics_messages_quarantined",
    "connect_dynamics_messages_total",
    "connect_dynamics_oldest_due_age_seconds",
    "connect_dynamics_opening_seconds_bucket",
    "connect_dynamics_opening_seconds_count",
    "connect_dynamics_opening_seconds_sum",
    "connect_dynamics_openings_total",
    "connect_dynamics_requests_total",
    "connect_dynamics_retention_gaps_total",
    "connect_dynamics_secret_expires_timestamp_seconds",
    "connect_dynamics_source_trouble_total",
    "connect_dynamics_step_failures",
    "connect_dynamics_steps_total",
    "connect_dynamics_store_up",
    "connect_dynamics_throttled_total",
    "connect_dynamics_user_behind_seconds",
    "connect_dynamics_user_buckets",
    "connect_dynamics_user_open",
    "connect_dynamics_token_expires_timestamp_seconds",
    "connect_dynamics_write_backs_total",
    "connect_dynamics_writes_total",
}


@pytest.fixture
def readings(metrics: Metrics, clock: Callable[[], float]) -> StateCollector:
    """With something in each of its numbers."""
    census = StoreCounts(
        MemoryStore(), Health(Clock(monotonic=clock)), counts=Counts(9, 4, 2, 3, clock() - 60)
    )
    census.health.store_answered()
    ignored = {"other event: Some Kind": 5, "other event: Another": 2, "agent event": 1}
    readings = StateCollector(
        Tally(10, 8, 7, 3, ignored),
        {"user": make_gate(Clock(monotonic=clock))},
        census,
        clock=Clock(clock),
        buckets=lambda: {"user": 12},
        behind=lambda _now: {"user": None},
    )
    metrics.registry.register(readings)
    return readings


def refuse_notes(readings: StateCollector) -> None:
    """Notes are forbidden, as three contacts see it."""
    for contact in "abc":
        error = Forbidden("test", status=403)
        readings.gates["user"].privileges.refused(
            Privilege("annotations", "create"), contact, error
        )


def test_the_names_are_the_promised_ones(metrics: Metrics, readings: StateCollector) -> None:
    metrics.lag("contact-events", SHARD, 1)
    metrics.queue_trouble("recordings", "AccessDenied")
    metrics.lease("contact-events", SHARD, "taken")
    metrics.answered("POST", 204)
    metrics.secret(date(2026, 12, 31))
    metrics.stepped(["phonecall/STEP2"], "done")
    refuse_notes(readings)
    shown = {
        sample.name
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for sample in family.samples
    }
    assert readings
    assert {name for name in shown if name.startswith("connect_dynamics_")} == PROMISED


def test_two_workers_in_one_process_count_for_themselves(clock: Callable[[], float]) -> None:
    one, other = Metrics(Clock(clock)), Metrics(Clock(clock))
    one.wrote("create")
    line = b'connect_dynamics_writes_total{kind="create"} 1.0'
    assert line in one.exposition()
    assert line not in other.exposition()


def test_lag_is_told_in_seconds_by_stream_and_shard(metrics: Metrics, scraped: Scrape) -> None:
    metrics.lag("contact-events", SHARD, 1500)
    assert scraped()["lag_seconds", SHARD, "contact-events"] == 1.5


def test_a_shard_that_is_not_read_any_more_leaves_no_series(metrics: Metrics) -> None:
    metrics.lag(ARN, SHARD, 1500)
    metrics.lag(ARN, SHARD, None)
    metrics.lag(ARN, "shardId-never-read", None)
    assert b"connect_dynamics_lag_seconds{" not in metrics.exposition()


def test_an_arn_is_cut_to_its_name_since_it_holds_an_account(
    metrics: Metrics, scraped: Scrape
) -> None:
    metrics.lag(ARN, SHARD, 0)
    metrics.shard_trouble(ARN, SHARD, "KMSDisabledException")
    metrics.lease(ARN, SHARD, "lost")
    assert "111122223333" not in metrics.exposition().decode()
    assert scraped()["source_trouble_total", "KMSDisabledException", "contact-events"] == 1


def test_trimmed_records_are_a_gap_which_has_a_series_before_the_first_one(
    metrics: Metrics, scraped: Scrape
) -> None:
    """A counter that begins at 1 would hide its first increase from Prometheus."""
    metrics.lag("contact-events", SHARD, 0)
    assert scraped()["retention_gaps_total", "contact-events"] == 0
    metrics.shard_trouble("contact-events", SHARD, "RecordsTrimmed")
    assert scraped()["retention_gaps_total", "contact-events"] == 1
    assert not any(name == "source_trouble_total" for name, *_ in scraped())


def test_lease_changes_are_counted_by_what_they_are(metrics: Metrics, scraped: Scrape) -> None:
    for change in ("taken", "taken", "lapsed"):
        metrics.lease("contact-events", SHARD, change)
    assert scraped()["lease_changes_total", "taken", "contact-events"] == 2
    assert scraped()["lease_changes_total", "lapsed", "contact-events"] == 1


@pytest.mark.parametrize(
    ("status", "told"), [(204, "2xx"), (412, "4xx"), (503, "5xx"), (None, "none")]
)
def test_requests_are_counted_by_method_and_class(
    metrics: Metrics, scraped: Scrape, status: int | None, told: str
) -> None:
    metrics.answered("PATCH", status)
    assert scraped()["requests_total", "PATCH", told] == 1
    assert scraped()["throttled_total",] == 0


def test_each_429_is_a_throttle(metrics: Metrics, scraped: Scrape) -> None:
    metrics.answered("POST", 429)
    assert scraped()["throttled_total",] == 1
    assert scraped()["requests_total", "POST", "4xx"] == 1


def test_every_kind_of_write_has_a_series_from_the_start(scraped: Scrape) -> None:
    assert {labels[1] for labels in scraped() if labels[0] == "writes_total"} == {
        kind for kind in KINDS if kind != "adopt"
    }


def test_every_step_of_a_loaded_pipeline_has_its_series_from_the_start_and_no_page_has(
    clock: Callable[[], float],
) -> None:
    shown = Metrics(Clock(clock), [find("phonecall")]).exposition().decode()
    series = 'connect_dynamics_steps_total{outcome="parked",pipeline="phonecall",step="%s"} 0.0'
    assert series % "STEP2" in shown
    assert series % "STEP5" in shown
    assert "STEP3" not in shown


def test_a_step_of_no_loaded_pipeline_is_other(metrics: Metrics, scraped: Scrape) -> None:
    for n in range(100):
        metrics.stepped([f"earlier/STEP{n}"], "parked")
    told = {k: v for k, v in scraped().items() if k[0] == "steps_total"}
    assert told == {("steps_total", "parked", "other", "other"): 100}


def test_a_step_has_failed_as_often_as_since_it_last_succeeded(clock: Callable[[], float]) -> None:
    metrics = Metrics(Clock(clock), [find("phonecall")])
    line = 'connect_dynamics_step_failures{pipeline="phonecall",step="STEP2"} '
    for outcome, failures in [("failed", 1), ("parked", 2), ("failed", 3), ("done", 0)]:
        metrics.stepped(["phonecall/STEP2"], outcome)
        assert f"{line}{failures}.0" in metrics.exposition().decode()


def test_every_outcome_of_a_write_back_has_a_series_from_the_start(
    metrics: Metrics, scraped: Scrape
) -> None:
    metrics.write_back("written")
    told = {k[1]: v for k, v in scraped().items() if k[0] == "write_backs_total"}
    assert told == {**dict.fromkeys(WRITE_BACK_OUTCOMES, 0), "written": 1}


def test_freshness_is_the_age_of_what_waits_longest_whether_it_was_tried_or_not(
    readings: StateCollector, scraped: Scrape, clock: Any
) -> None:
    assert scraped()["freshness_seconds",] == 60
    assert scraped()["user_behind_seconds", "user"] == 0
    readings.behind = lambda now: {"user": now - 500}
    assert scraped()["freshness_seconds",] == 500
    assert scraped()["user_behind_seconds", "user"] == 500
    readings.store_counts.counts = None
    assert ("freshness_seconds",) not in scraped()
    assert clock


def test_latency_is_a_histogram_in_seconds(metrics: Metrics, scraped: Scrape) -> None:
    metrics.latency(0.3)
    assert scraped()["latency_seconds_bucket", "0.25"] == 0
    assert scraped()["latency_seconds_bucket", "0.5"] == 1


def test_token_and_secret_tell_when_they_expire(
    metrics: Metrics, scraped: Scrape, clock: Any
) -> None:
    metrics.token(3599)
    metrics.secret(date(2026, 3, 1))
    assert scraped()["token_expires_timestamp_seconds",] == clock.now + 3599
    assert scraped()["secret_expires_timestamp_seconds",] == 1_772_323_200


def test_a_secret_without_a_known_end_has_no_metric(scraped: Scrape) -> None:
    assert ("secret_expires_timestamp_seconds",) not in scraped()


def test_codes_that_are_none_or_too_many_are_other(metrics: Metrics, scraped: Scrape) -> None:
    metrics.queue_trouble("recordings", "+49 30 901820")
    metrics.queue_trouble("recordings", "said by a proxy: " + "x" * 500)
    assert scraped()["source_trouble_total", "other", "recordings"] == 2
    for number in range(10 * MAX_VALUES):
        metrics.queue_trouble("recordings", f"Code{number}")
    assert sum(name == "source_trouble_total" for name, *_ in scraped()) == MAX_VALUES + 1


def test_ingest_is_told_by_outcome_and_by_the_fixed_part_of_the_reason(
    readings: StateCollector, scraped: Scrape
) -> None:
    assert readings.tally.messages == scraped()["messages_total",] == 10
    told = {labels[1:]: value for labels, value in scraped().items() if labels[0].startswith("ing")}
    assert told == {
        ("fact", ""): 8,
        ("quarantined", ""): 3,
        ("ignored", "other event"): 7,
        ("ignored", "agent event"): 1,
    }


def test_the_store_s_numbers_are_those_of_the_last_look_and_age_grows_since(
    readings: StateCollector, scraped: Scrape, clock: Any
) -> None:
    clock.now += 5
    shown = scraped()
    assert shown["oldest_due_age_seconds",] == 65
    assert [
        shown[name,]
        for name in ("contacts", "contacts_due", "contacts_parked", "messages_quarantined")
    ] == [9, 4, 2, 3]
    readings.store_counts.counts = Counts(0, 0, 0, 0, None)
    assert scraped()["oldest_due_age_seconds",] == 0


def test_what_is_not_known_of_the_store_is_not_told_as_zero(
    readings: StateCollector, scraped: Scrape
) -> None:
    readings.store_counts.counts = None
    readings.store_counts.health.store_failed()
    assert scraped()["store_up",] == 0
    assert ("contacts_due",) not in scraped()


async def test_a_closed_gate_is_degraded_for_its_reason(
    readings: StateCollector, scraped: Scrape
) -> None:
    assert {v for k, v in scraped().items() if k[0] == "degraded"} == {0}
    assert scraped()["gate_slots",] == 4
    async with readings.gates["user"].slot():
        assert scraped()["gate_in_flight",] == 1
    readings.gates["user"].breaker.failed(Throttled("test", retry_after_s=5))
    degraded = {k[1]: v for k, v in scraped().items() if k[0] == "degraded"}
    others = {one.value for one in Reason} - {"", "throttled"}
    assert degraded == {"throttled": 1, **dict.fromkeys(others, 0)}
    assert scraped()["gate_slots",] == 2


def test_what_the_role_lacks_is_told_by_table_and_access_and_degrades(
    readings: StateCollector, scraped: Scrape
) -> None:
    assert not any(name == "forbidden" for name, *_ in scraped())
    refuse_notes(readings)
    assert scraped()["forbidden", "create", "annotations"] == 1
    assert scraped()["degraded", "forbidden"] == 1
    readings.gates["user"].privileges.granted(Privilege("annotations", "create"), "d")
    assert scraped()["degraded", "forbidden"] == 0
