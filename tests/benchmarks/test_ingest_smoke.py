"""The benchmark of ingest still runs: small days, and what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import ingest


def test_both_days_are_measured_and_say_what_was_acknowledged_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "DAYS", {"sparse": (10, 40, 0.2), "dense": (100, 40, 0.15)})
    sparse, dense = ingest.measure(tmp_path, ("sparse", "dense"))
    assert (sparse.day, dense.day) == ("sparse", "dense")
    assert sparse.messages == dense.messages == 40
    assert sparse.cpu > 0 < dense.cpu
    assert "synchronous=2" in ingest.line(sparse)
