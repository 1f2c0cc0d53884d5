"""The pages of a running worker: ``/metrics``, ``/healthz`` and ``/readyz``."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from worker.dynamics.gate import Gate
from worker.dynamics.reasons import GateState
from worker.heartbeat import Health
from worker.telemetry.http import Pages, StatusPage
from worker.telemetry.metrics import Metrics


def pages(metrics: Metrics, health: Health, gates: Mapping[str, Gate]) -> Pages:
    """The pages by path, for ``serving``; a gate for each application user."""
    return {
        "/metrics": lambda: StatusPage(metrics.exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4),
        "/healthz": lambda: _health(health),
        "/readyz": lambda: _readiness(health, gates),
    }


def _health(health: Health) -> StatusPage:
    """Whether all loops are running; if not, a restart helps."""
    if silent := health.silent():
        return _trouble("silent", silent)
    return StatusPage(b"ok\n")


def _readiness(health: Health, gates: Mapping[str, Gate]) -> StatusPage:
    """Whether store and sources are available; work for Dynamics may wait in the store."""
    if awaited := health.awaited():
        return _trouble("waiting for", awaited)
    degraded = [gate for gate in gates.values() if _is_degraded(gate)]
    if not degraded:
        return StatusPage(b"ready\n")
    reasons = {reason.value for gate in degraded for reason in gate.reasons}
    users = f" ({len(degraded)} of {len(gates)} application users)" if len(gates) > 1 else ""
    return StatusPage(f"ready, degraded: {', '.join(sorted(reasons))}{users}\n".encode())


def _is_degraded(gate: Gate) -> bool:
    return gate.breaker.state is GateState.CLOSED or bool(gate.privileges.missing)


def _trouble(what: str, names: list[str]) -> StatusPage:
    return StatusPage(f"{what}: {', '.join(names)}\n".encode(), HTTPStatus.SERVICE_UNAVAILABLE)
