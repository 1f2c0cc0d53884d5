"""``connect-dynamics run`` while Dynamics, or the way into it, is away: messages are taken in."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.integration.commands.test_cli_run import aws, put  # noqa: F401 - aws is a fixture
from worker.sandbox import traffic
from worker.sandbox.dataverse.faults import gateway
from worker.sandbox.dataverse.users import CLIENT_ID
from worker.stores.sqlite import SqliteStore


pytestmark = pytest.mark.services

Start = Callable[..., subprocess.Popen[str]]

#: How long anything here may take to happen (s).
LIMIT_S = 100.0


class Worker:
    """A running worker, its log and its state."""

    def __init__(self, process: subprocess.Popen[str], state: Path) -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        self._state = state
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith("{"):
                self.log.append(json.loads(line))

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(LIMIT_S) == 0
        self._reader.join(LIMIT_S)

    @property
    def alarms(self) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("level") == "error"]

    def versions(self) -> dict[str, int]:
        """How often each contact was saved."""

        async def read() -> dict[str, int]:
            store = SqliteStore(self._state)
            entries = await store.load(await store.ids("", 1000))
            assert await store.parked("", 1) == []
            await store.close()
            return {entry.contact.id: entry.version for entry in entries}

        return asyncio.run(read())


def until(holds: Callable[[], bool]) -> float:
    """Wait; how long (s) that took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() < begun + LIMIT_S
        time.sleep(0.1)  # other processes are at work
    return time.monotonic() - begun


def calls(number: int, seed: int) -> list[traffic.History]:
    """Calls that begin soon: what began before the worker's start is not created."""
    soon = datetime.now(UTC) + timedelta(minutes=1)
    return [traffic.history("voice_inbound", Random(f"{seed} {n}"), soon) for n in range(number)]


def contacts(histories: list[traffic.History]) -> set[str]:
    return {contact for history in histories for contact in traffic.truth(history)}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A mounted secret."""
    return tmp_path / "secret"


@pytest.fixture
def worker(start: Start, reached: Any, secret: Path, place: Path) -> Iterator[Worker]:
    secret.write_text(reached.environment["SANDBOX_SECRET"])
    process = start(
        "run",
        CONNECT_DYNAMICS_SECRET=f"file:{secret}",
        CONNECT_DYNAMICS_STATE="sqlite:away.db",
    )
    worker = Worker(process, place / "away.db")
    until(lambda: any(line["event"] == "service.started" for line in worker.log))
    yield worker
    worker.end()


def rows(reached: Any) -> int:
    return len(reached.dataverse.dump()["phonecalls"])


@pytest.mark.judge
def test_a_minute_without_dynamics_holds_nothing_up_and_loses_nothing(
    aws: dict[str, Any],  # noqa: F811 - the fixture
    worker: Worker,
    reached: Any,
) -> None:
    before, during = calls(3, 1), calls(20, 2)
    for history in before:
        put(aws, history)
    until(lambda: rows(reached) == 3)
    reached.dataverse.faults.sometimes(gateway(503), 1.0)
    begun = time.monotonic()
    for history in during:
        put(aws, history)
    expected = contacts(before + during)
    until(lambda: worker.versions().keys() >= expected)
    until(lambda: any(line["event"] == "dynamics.paused" for line in worker.log))
    time.sleep(max(0.0, begun + 20 - time.monotonic()))
    saved = worker.versions()
    time.sleep(max(0.0, begun + 60 - time.monotonic()))
    assert worker.versions() == saved  # I9: no save more, however long it lasts
    reached.dataverse.faults.clear()
    assert until(lambda: rows(reached) == 23) < 70
    assert [line["event"] for line in worker.alarms] == ["dynamics.paused"]
    assert any(line["event"] == "dynamics.resumed" for line in worker.log)


@pytest.mark.parametrize("outcome", ["AADSTS7000222", "AADSTS7000215"])
def test_a_secret_that_is_no_longer_good_pauses_push_until_a_new_one_is_there(
    aws: dict[str, Any],  # noqa: F811 - the fixture
    worker: Worker,
    reached: Any,
    secret: Path,
    outcome: str,
) -> None:
    before, during = calls(1, 3), calls(5, 4)
    put(aws, before[0])
    until(lambda: rows(reached) == 1)
    tokens = reached.dataverse.tokens
    tokens.clients[CLIENT_ID] = "new secret"
    tokens.outcome = outcome if outcome == "AADSTS7000222" else ""
    tokens.revoke()
    for history in during:
        put(aws, history)
    until(lambda: worker.versions().keys() >= contacts(before + during))
    until(lambda: bool(worker.alarms))
    secret.write_text("new secret\n")
    tokens.outcome = ""
    assert until(lambda: rows(reached) == 6) < 70  # the next probe, and no restart
    (paused,) = worker.alarms
    assert (paused["event"], paused["reason"]) == ("dynamics.paused", "unauthorized")
    assert outcome in paused["cause"]
    assert any(line["event"] == "dynamics.resumed" for line in worker.log)
