"""The benchmark of the way to Dynamics still runs: a few calls replayed, and what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from rich.console import Console

from stub_dynamics import Seen
from tests.benchmarks import way
from worker.sandbox import traffic


OURS = way.Replayed(300.0, 4.0, 2.0)
THEIRS = way.Replayed(120.0, 16.0, 2.0)


@pytest.mark.services
async def test_replayed_calls_are_measured_by_a_stub_of_dynamics(tmp_path: Path) -> None:
    archive = tmp_path / "calls.ndjson"
    traffic.write_archive(archive, (one for call in way.calls(3) for one in call.sent))
    found = await way.replayed(way.Checkout("here", way.HERE), archive, 3)
    assert found.rate > 0 < found.cpu_ms
    assert found.requests == 2


def test_a_contact_s_waits_are_from_its_first_and_last_message_to_its_first_and_last_request() -> (
    None
):
    puts = [way.Put("A", 1.0), way.Put("B", 2.0), way.Put("A", 5.0)]
    requests = [
        Seen(1.5, "POST", "phonecalls", "a", 204, done=True),
        Seen(5.25, "PATCH", "phonecalls", "a", 204, done=True),
    ]
    assert way.waits(puts, requests, str) == ([0.5], [0.25])


def test_checkouts_stand_side_by_side_with_the_ratio_of_the_first_to_the_other() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(way.table({"here": way.Figures([OURS]), "base": way.Figures([THEIRS])}))
    [line] = [line for line in capture.get().splitlines() if "CPU ms/contact" in line]
    assert [cell.strip() for cell in line.split("│")[2:-1]] == ["4.00", "16.00", "0.25"]
