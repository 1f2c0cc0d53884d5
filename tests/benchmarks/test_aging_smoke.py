"""The benchmark of ageing still runs, and its table says what grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from rich.console import Console

from aging import trend
from tests.benchmarks import aging
from tests.benchmarks.aging import Options


def rows(growth: float, state: float = 1000.0) -> list[dict[str, float]]:
    """Two hours in which a process grows by so many bytes an hour."""
    return [
        {
            trend.TIME: minute * 60.0,
            "private": 1e8 + growth * minute / 60,
            "contacts": minute * 100.0,
            "state": minute * 100.0 * state,
        }
        for minute in range(121)
    ]


@pytest.mark.services
@pytest.mark.timeout(240)
async def test_a_real_worker_is_looked_at_while_contacts_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "tests/support")
    options = Options(hours=0.004, rate=10.0, state="sqlite", every_s=3.0, out=tmp_path)
    looks = trend.read(await aging.run(options))
    assert len(looks) > 2
    assert min(row["tasks"] for row in looks) > 5
    assert looks[-1]["private"] > 50 * aging.MB
    assert looks[-1]["messages"] > 0
    assert {"state", "wal", "fds", "leases", "kinesis_rss", "moto_rss"} <= set(looks[-1])


def test_memory_that_grows_by_a_fact_a_contact_is_told() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(aging.report(aging.warm(rows(growth=3e6))))
    assert "private, MB" in capture.get()
    assert "+3.00" in capture.get()
    assert "GROWS" in capture.get()
    assert not aging.flat(rows(growth=3e6))


def test_a_file_that_grows_evenly_with_its_contacts_is_flat() -> None:
    assert aging.flat(rows(growth=0.0))


def test_a_contact_that_takes_more_and_more_of_the_file_is_told() -> None:
    fuller = [row | {"state": row["contacts"] ** 2} for row in rows(growth=0.0)]
    assert not aging.flat(fuller)
