"""compose.yaml agrees with the program and with what its script makes."""

from __future__ import annotations

import runpy

from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.sandbox.amazon.moto_server import STREAMS
from worker.sandbox.command import settings
from worker.sandbox.traffic import EVENTS, RECORDINGS, RECORDS
from worker.settings import PREFIX, Settings


DOCKER = Path(__file__).parents[3] / "infra" / "docker"


@pytest.fixture
def services() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    services: dict[str, Any] = read["services"]
    return services


@pytest.fixture
def worker(services: dict[str, Any]) -> dict[str, str]:
    """A worker's environment."""
    environment: dict[str, str] = services["worker-a"]["environment"]
    return environment


def test_every_setting_exists(services: dict[str, Any]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in ("worker-a", "worker-b"):
        named = {n for n in services[name]["environment"] if n.startswith(PREFIX)}
        assert named <= known


def test_the_workers_know_the_sandbox_as_it_tells_its_settings(worker: dict[str, str]) -> None:
    told = settings("https://127.0.0.1:8443", Path("/data/sandbox-ca.pem"))
    assert {name: worker[name] for name in told} == told


def test_the_workers_read_and_keep_what_the_script_makes(worker: dict[str, str]) -> None:
    made = runpy.run_path(str(DOCKER / "traffic.py"))
    assert worker[f"{PREFIX}STATE"] == f"dynamodb:{made['CONTACTS']}"
    streams = (worker[f"{PREFIX}CONTACT_EVENTS"], worker[f"{PREFIX}CONTACT_RECORDS"])
    assert streams == (EVENTS, RECORDS) == STREAMS
    for stream, name in zip(streams, ("CONTACT_EVENTS", "CONTACT_RECORDS"), strict=True):
        assert worker[f"{PREFIX}{name}_LEASES"] == f"{stream}-leases"
    assert worker[f"{PREFIX}RECORDINGS"].endswith(f"/{RECORDINGS}")


def test_a_worker_has_time_to_drain(services: dict[str, Any]) -> None:
    grace_s = int(services["worker-a"]["stop_grace_period"].removesuffix("s"))
    assert Settings.model_fields["drain_s"].default < grace_s <= 30


def test_nothing_of_ours_can_write_its_root(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert name == "localstack" or service["read_only"], name
