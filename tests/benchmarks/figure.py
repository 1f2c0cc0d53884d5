"""What a benchmark measured: one line of its table and, where it compares, its bars.

A module of the benchmark offers ``measure``: it takes nothing and returns or yields figures in the
order in which they are to be read. One that can be run against another checkout also takes
``against``, the checkout's folder, measures it in turns with this one, and gives figures with the
bars ``BEFORE`` and ``NOW``. ``sections.py`` lists the modules, ``python -m tests.benchmarks`` runs
them. What this machine lacks is a ``ConfigError`` or a skip with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


#: Names of bars where one and the same thing was measured on two checkouts.
BEFORE: Final = "before"
NOW: Final = "now"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; ``met`` is None where nothing is demanded.

    Attributes:
        name: What was measured.
        value: What came of it, as it is printed; of several bars, the one that is ours.
        asked: What is asked for; "" if nothing is.
        met: Whether that is so; an aim that is only printed is None too.
        bars: Numbers to be compared by eye, by what they are of (``NOW``, ``ours``, ``48 shards``).
        unit: Theirs.
    """

    name: str
    value: str
    asked: str = ""
    met: bool | None = None
    bars: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
