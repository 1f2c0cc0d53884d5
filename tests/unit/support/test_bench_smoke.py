"""The benchmark still runs: all of it, on a handful of messages."""

from __future__ import annotations

import importlib.util
import sys

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


BENCH = Path(__file__).parents[2] / "benchmarks" / "bench.py"

#: Figures that do not depend on how fast the machine is.
STEADY = ("memory", "requests")


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """The benchmark's module; no package holds it, as it is run by its path."""
    spec = importlib.util.spec_from_file_location("bench", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["bench"]


def test_the_benchmark_measures_every_figure_and_what_is_steady_is_met(
    bench: Any, tmp_path: Path
) -> None:
    figures = list(bench.figures(tmp_path, large=300, small=100, calls=3))
    assert len(figures) == 10
    steady = [f for f in figures if any(word in f.name for word in STEADY)]
    assert [f.met for f in steady] == [True] * 4


def test_a_missed_figure_is_the_exit_status(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    missed = bench.Figure("speed", "0.01", ">= 0.10", met=False)
    monkeypatch.setattr(bench, "figures", lambda *_: [missed])
    assert bench.main() == 1


def test_figures_met_or_not_demanded_are_no_failure(
    bench: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [bench.Figure("speed", "0.20", ">= 0.10", met=True), bench.Figure("plan", "1 µs")]
    monkeypatch.setattr(bench, "figures", lambda *_: told)
    assert bench.main() == 0
    assert "0.20" in capsys.readouterr().out
