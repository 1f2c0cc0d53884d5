"""What a call costs in DynamoDB, in units: no figure here depends on the machine."""

from __future__ import annotations

from tests.benchmarks import write_units
from tests.benchmarks.write_units import MOST_WRITE_UNITS


CALLS = 5


def test_a_call_told_message_by_message_costs_no_more_write_units_than_it_may() -> None:
    worker = write_units.measure("each message by itself", calls=CALLS)
    assert worker.table.wcu / CALLS <= MOST_WRITE_UNITS
    assert worker.work.reports.sent.writes >= 4 * CALLS
    assert worker.work.reports.sent.parked == 0
