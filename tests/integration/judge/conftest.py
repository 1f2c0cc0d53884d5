"""One trial for all tests of a module, and a table of what the tests measured."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from fleet.trial import Trial, trial


#: Traffic: contacts of each wave, one wave every 8 s.
CONTACTS = 4
SEED = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judged(
    kinesis_mock: str, moto_process: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Trial]:
    """Two streams of four shards, contacts that keep coming, and nobody yet who reads them."""
    async with trial(
        tmp_path_factory.mktemp("judged"),
        kinesis_url=kinesis_mock,
        aws_url=moto_process,
        shards=4,
        contacts=CONTACTS,
        seed=SEED,
    ) as judged:
        yield judged


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded with ``record_property``."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    measured = [(name, value) for report in reports for name, value in report.user_properties]
    if measured:
        terminalreporter.section("measured")
    for name, value in measured:
        terminalreporter.line(f"{name}: {value}")
