"""Nothing of a worker grows with the time it runs, and after a year all is as it should be.

The year is ``aging.year``'s: whole workers as they are built from settings, in virtual time.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from aging.census import Place
from aging.year import MONTHS, Month, Year


#: Contacts are kept for thirty days after their end, unfinished ones for longer: from this month on
#: as many go as come.
SETTLED = 3

#: By how much something may be larger at the end: what a month holds differs from month to month.
PART, PIECES = 1.5, 12

#: What says itself how many it keeps: a year of few contacts does not fill it.
BOUNDED = {"worker.cache.TtlCache._kept"}


def grown(months: list[Month]) -> dict[Place, tuple[int, int]]:
    """What is larger at the end than it ever was in the first settled months."""
    first: Counter[Place] = Counter()
    for month in months[SETTLED - 1 : 2 * SETTLED - 1]:
        first |= month.sizes
    last = months[-1].sizes
    return {
        place: (first[place], size)
        for place, size in last.items()
        if size > first[place] * PART + PIECES and place not in BOUNDED
    }


@pytest.mark.timeout(120)
def test_some_days_of_a_simulated_year_leave_nothing_undone(tmp_path: Path) -> None:
    [month] = Year(tmp_path, month_days=4).run(1)
    assert month.wrong == []
    assert month.sizes["state._rows"] > 0
    assert month.tasks > 10


@pytest.mark.judge
@pytest.mark.timeout(1800)
def test_after_a_year_all_is_as_it_should_be_and_nothing_has_grown(tmp_path: Path) -> None:
    months = Year(tmp_path).run(MONTHS)
    assert [month.wrong for month in months] == [[]] * MONTHS
    assert grown(months) == {}
    settled = months[SETTLED - 1 :]
    assert max(month.tasks for month in settled) <= settled[0].tasks + 5
    assert settled[-1].series <= settled[0].series + 5
    assert settled[-1].lines.total() <= 1.5 * settled[0].lines.total()
