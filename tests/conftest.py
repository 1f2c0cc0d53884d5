"""Fixtures for all tests."""

from __future__ import annotations

from random import Random

import pytest

from worker.sandbox import traffic


@pytest.fixture(scope="session")
def every_kind() -> dict[str, traffic.History]:
    """One history of each kind of contact, the same in every run. Read only."""
    return {kind: traffic.history(kind, Random(f"1 {kind}")) for kind in traffic.KINDS}


@pytest.fixture(scope="session")
def many_histories() -> list[traffic.History]:
    """Twenty of each kind, so that each of a kind's courses is among them. Read only."""
    return [
        traffic.history(kind, Random(f"{seed} {kind}"))
        for seed in range(20)
        for kind in traffic.KINDS
    ]
