"""The benchmark of a very large replay still runs, and its table says what grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from rich.console import Console

from tests.benchmarks import volume
from tests.benchmarks.volume import DRAIN, INGEST, Mark


def progress(dearer: float) -> list[Mark]:
    """Two phases, of which the second costs so much more with each line."""
    ingest = [Mark(INGEST, n * 100, n * 1.0, n * 0.5, 10**8, n) for n in range(9)]
    cost = [0.5 * (1 + dearer * n) for n in range(9)]
    return ingest + [Mark(DRAIN, n * 100, 9.0 + n, 5 + sum(cost[:n]), 10**8, n) for n in range(9)]


def test_a_small_archive_is_replayed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume, "MESSAGES", 10)
    found, said = volume.measure(tmp_path, 60, events=True)
    assert said["contacts"] >= 60
    assert said["unfinished"] == said["parked"] == 0
    assert said["requests"] > 60
    assert said["state"] > 0
    console = Console(width=120)
    with console.capture() as capture:
        console.print(volume.report(found or progress(0.0), said))
    assert "bytes a contact" in capture.get()


def test_the_records_alone_are_of_as_many_contacts() -> None:
    sent = list(volume.contacts(50, events=False))
    assert len({message.contact_id for message in sent}) == 50


def test_a_drain_that_slows_down_is_told() -> None:
    assert volume.steady(progress(0.0), DRAIN)
    assert not volume.steady(progress(0.1), DRAIN)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(volume.report(progress(0.1), None))
    assert "missed" in capture.get()
    assert "not over" in capture.get()
