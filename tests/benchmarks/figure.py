"""What a benchmark measured: one line of its table and, where it compares, its bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple


#: Names of bars where one and the same thing was measured on two checkouts.
BEFORE: Final = "before"
NOW: Final = "now"
RATIO: Final = "now / before"


class Bar(NamedTuple):
    """One of the things that a figure compares.

    Attributes:
        of: What it is of: ``NOW``, ``ours``, ``48 shards``.
        said: What was measured, as it is printed.
        number: The same, to be compared by eye; None: there is nothing to be drawn.
    """

    of: str
    said: str
    number: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        name: What was measured.
        value: What came of it, as it is printed; "" if the bars say it.
        asked: What is asked for; "" if nothing is.
        met: Whether that is so; None where nothing is asked for.
        aim: Whether it depends on the machine too, so that to miss it is no failure.
        bars: What it compares.
        group: Heading that it shares with its neighbours.
    """

    name: str
    value: str = ""
    asked: str = ""
    met: bool | None = None
    aim: bool = False
    bars: tuple[Bar, ...] = ()
    group: str = ""

    @property
    def failed(self) -> bool:
        """Whether something demanded was missed."""
        return self.met is False and not self.aim


def compared(
    name: str,
    form: str,
    now: float,
    before: float | None = None,
    *,
    most: float | None = None,
    least: float | None = None,
    times: float | None = None,
    aim: bool = False,
    group: str = "",
) -> Figure:
    """A number of this checkout beside that of another, if there is another.

    Args:
        name: What was measured.
        form: How a number is printed: ``"{:.1f} s"``.
        now: Of this checkout.
        before: Of the other.
        most: What is asked for at most.
        least: What is asked for at least.
        times: What is asked for at most in times of ``before``; nothing without it.
        aim: See ``Figure``.
        group: See ``Figure``.
    """
    bars = [Bar(NOW, form.format(now), now)]
    if before is not None:
        ratio = f"{now / before:.2f}" if before else ""
        bars = [Bar(BEFORE, form.format(before), before), *bars, Bar(RATIO, ratio)]
    asked, kept = [], []
    if most is not None:
        asked.append(f"<= {form.format(most)}")
        kept.append(now <= most)
    if least is not None:
        asked.append(f">= {form.format(least)}")
        kept.append(now >= least)
    if times is not None and before:
        asked.append(f"<= {times:.2f} times")
        kept.append(now / before <= times)
    met = all(kept) if kept else None
    return Figure(name, "", ", ".join(asked), met, aim, tuple(bars), group)
