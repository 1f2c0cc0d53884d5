"""The service as the settings describe it."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.errors import ConfigError
from worker.settings import Settings
from worker.stores.memory import MemoryStore
from worker.wiring import build, serve


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings of an installation that could start."""
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "eu-central-1")
    needed = {
        "environment_url": "https://org.test",
        "tenant": "t",
        "client_id": "c",
        "secret": "env:NOBODY_SET_THIS",
        "state": f"sqlite:{tmp_path / 'state.sqlite'}",
        "contact_events": "events",
        "contact_records": "records",
        "recordings": "https://sqs.eu-central-1.amazonaws.com/1/recordings",
    }
    return lambda **more: Settings(**{**needed, **more})


async def test_the_service_reads_what_the_settings_name(
    settings: Callable[..., Settings],
) -> None:
    async with build(settings()) as service:
        assert len(service.sources) == 3
        assert service.push.transactions.planner.terms.live
        assert service.ingest.news == service.push.news


async def test_a_state_that_workers_share_comes_with_a_gate_that_they_share(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.wiring.open_store", lambda _spec: MemoryStore())
    async with build(settings()) as service:
        assert not service.gate_syncs
    async with build(settings(state="dynamodb:contacts", worker_id="w")) as service:
        (sync,) = service.gate_syncs
        assert service.push.transactions.gate.refresh == sync.refresh


async def test_each_application_user_has_a_gate_of_its_own_and_all_share_the_rest(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.wiring.open_store", lambda _spec: MemoryStore())
    listed = [{"client_id": one, "secret": "env:X"} for one in "de"]
    shared = settings(state="dynamodb:contacts", application_users=listed)
    async with build(shared) as service:
        assert list(service.gates) == ["c", "d", "e"]
        assert len({id(gate) for gate in service.gates.values()}) == 3
        assert len(service.gate_syncs) == 3
        works = [push.transactions for push in service.push.each]
        assert len({id(work.planner) for work in works}) == 1
        assert len({id(work.store) for work in works}) == 1
        assert {len(push.buckets) for push in service.push.each} == {4}


async def test_the_time_a_pipeline_was_first_loaded_is_remembered(
    settings: Callable[..., Settings],
) -> None:
    known = []
    for _ in range(2):
        async with build(settings()) as service:
            assert service.begin is not None
            await service.begin(asyncio.Event())
            known.append(service.push.transactions.planner.terms.since)
    assert set(known[0]) == {"phonecall"}
    assert known[0] == known[1]


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"contact_events": "", "contact_records": "", "recordings": ""}, "CONTACT_EVENTS"),
        ({"secret": ""}, "CONNECT_DYNAMICS_SECRET"),
        ({"pipelines": ("nobody",)}, "nobody"),
    ],
)
async def test_what_is_missing_is_named(
    settings: Callable[..., Settings], missing: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        await serve(settings(**missing))
