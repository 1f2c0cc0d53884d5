"""The pages of a running worker: ``/metrics``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from worker.dynamics.gate import Gate
from worker.dynamics.reasons import GateState
from worker.heartbeat import Health
from worker.telemetry.http import Pages, StatusPage
from worker.telemetry.metrics import Metrics


def pages(metrics: Metrics, health: Health, gate: Gate) -> Pages:
    """The pages by path, for ``serving``."""
    return {
        "/metrics": lambda: StatusPage(metrics.exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4),
        "/healthz": lambda: _health(health),
        "/readyz": lambda: _readiness(health, gate),
    }


def _health(health: Health) -> StatusPage:
    """Whether all loops are running; if not, a restart helps."""
    if silent := health.silent():
        return _trouble("silent", silent)
    return StatusPage(b"ok\n")


def _readiness(health: Health, gate: Gate) -> StatusPage:
    """Whether store and sources are available; work for Dynamics may wait in the store."""
    if awaited := health.awaited():
        return _trouble("waiting for", awaited)
    if gate.breaker.state is GateState.CLOSED or gate.privileges.missing:
        reasons = ", ".join(sorted(reason.value for reason in gate.reasons))
        return StatusPage(f"ready, degraded: {reasons}\n".encode())
    return StatusPage(b"ready\n")


def _trouble(what: str, names: list[str]) -> StatusPage:
    return StatusPage(f"{what}: {', '.join(names)}\n".encode(), HTTPStatus.SERVICE_UNAVAILABLE)
