"""The sections of make bench: what they make of what was measured, and of another checkout."""

from __future__ import annotations

import sys

from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.benchmarks import apart, ingest, rounds
from tests.benchmarks.sections import SECTIONS


MEASURE = {section.name: section.measure for section in SECTIONS}
OTHER = Path("elsewhere")


def ratio(day: str, cpu: float, asked: float) -> dict[str, Any]:
    size = {"batch": [4000, 8 << 20], "synchronous": 2, "messages": 100}
    return {"day": day, "cpu": cpu, "wall": 0.1, "ingest_us": 20.0, "asked": asked, **size}


def test_ingest_is_held_against_what_is_asked_of_each_day_and_against_the_other_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [ratio("sparse", 0.25, 0.2), ratio("dense", 0.1, 0.15)]
    before = [ratio("sparse", 0.125, 0.2), ratio("dense", 0.05, 0.15)]
    monkeypatch.setattr(apart, "in_turns", lambda *_: [[now], [before]])
    figures = [one for one in MEASURE["ingest"](OTHER) if one.asked]
    assert [figure.met for figure in figures] == [True, False]
    assert [bar.said for bar in figures[0].bars] == ["0.125", "0.250", "2.00"]
    assert "4,000 or 8 MiB, synchronous=2" in figures[0].group


def test_rounds_compare_sizes_and_a_limit_is_of_the_size_that_it_is_asked_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = {10: 1.0, 100: 2.0, 1000: 9.0, 3000: 31.0}
    now = {f"ms per round, {facts} facts": times[facts] for facts in rounds.FACTS}
    monkeypatch.setattr(apart, "in_turns", lambda *_: [[now], [now]])
    figure, before = MEASURE["rounds"](OTHER)
    assert [bar.of for bar in figure.bars] == [f"{facts} facts" for facts in rounds.FACTS]
    assert figure.met is False
    assert (before.name, before.met) == ("round, before", None)


def test_what_is_run_apart_prints_what_it_measured_as_its_last_line(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ingest", ingest)
    monkeypatch.setattr(ingest, "DAYS", {"sparse": (10, 40, 0.2), "dense": (100, 40, 0.15)})
    monkeypatch.setattr(sys, "argv", ["apart.py", "ingest", str(tmp_path)])
    apart.main()
    sparse, dense = orjson.loads(capsysbinary.readouterr().out.rpartition(b"\n")[2])
    assert (sparse["day"], dense["day"]) == ("sparse", "dense")
    assert sparse["cpu"] > 0
