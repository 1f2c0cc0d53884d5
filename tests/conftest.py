"""Fixtures for all tests."""

from __future__ import annotations

import re
import sys
import threading

from collections.abc import Generator
from dataclasses import is_dataclass
from random import Random

import pytest

from worker.sandbox import traffic


#: Tests that run the same lines so often that measuring them takes longer than running them;
#: other tests measure those lines.
UNMEASURED = (
    "tests/browser/",
    "tests/integration/hostile/",
    "tests/integration/stores/test_dynamodb_chunks.py",
    "tests/integration/stores/test_dynamodb_contract.py",
    "tests/integration/leases/test_leases_sharing.py",
    "tests/property/",
    "tests/simulation/",
    "tests/unit/leases/test_lease_model.py",
    "tests/unit/leases/test_leased_stream.py",
    "tests/unit/amazon_connect/test_connect_fleet.py",
    "tests/unit/engine/test_agents_first.py",
    "tests/unit/engine/test_push_monkey.py",
    "tests/unit/pipelines/test_plan_traffic.py",
    "tests/unit/pipelines/test_decode_split.py",
    "tests/unit/regressions/test_breakage_messages.py::test_decoding_takes_time",
    "tests/unit/regressions/test_breakage_messages.py::test_an_archive_is_split_in_time",
    "tests/unit/regressions/test_breakage_messages.py::test_ends_are_looked_for_ahead",
)


#: What may be written otherwise in another process: addresses, and sets, which have no order.
UNSTEADY = re.compile(r" at 0x|set\(|\{[^:]+\}")

#: How much of a value stands in a test's id.
LONGEST_ID = 60


def pytest_make_parametrize_id(val: object) -> str | None:
    """Values without a name of their own are shown as they are written, not as ``payload7``.

    Only those that are written alike in every process: the tests are shared among several.
    """
    if isinstance(val, type) or callable(val):
        return None
    shown = repr(val)
    if isinstance(val, (dict, list, tuple, Exception)) or is_dataclass(val):
        return None if UNSTEADY.search(shown) else shown[:LONGEST_ID]
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Leave out of the coverage what need not be in it, with its fixtures.

    pytest-cov's own ``no_cover`` does not: it starts coverage twice in a worker of xdist, and
    stops it once.
    """
    if not item.nodeid.startswith(UNMEASURED):
        return (yield)
    tracing, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracing)
        threading.settrace(of_threads)


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
