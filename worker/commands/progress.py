"""How far a replay or a verification is: shown on a terminal, told from time to time elsewhere."""

from __future__ import annotations

import sys
import time

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


#: Over how long (s) the rate is taken, and how often (s) a line is written where no bar is shown.
RATE_OVER_S: Final = 60.0
LINE_EVERY_S: Final = 30.0

#: From so many of a unit of time on, the next smaller one does not matter.
_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


class Watch(Protocol):
    """Is told how far it is."""

    def reading(self, messages: int, read: int, total: int) -> None:
        """So many messages so far, of so many bytes of all."""
        ...

    def pushing(self, done: int, due: int) -> None:
        """So many contacts are done, of those that were due, or are to be verified."""
        ...


@dataclass(slots=True)
class Course:
    """How fast something goes.

    Attributes:
        clock: A monotonic clock (s).
        doing: What is done with contacts.
    """

    clock: Callable[[], float] = time.monotonic
    doing: str = "pushing"
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def text(self, done: int, due: int) -> str:
        """How far pushing is, at which rate, and how long it takes to its end."""
        now = self.clock()
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - RATE_OVER_S:  # noqa: PLR2004
            self._seen.popleft()
        (since, before), passed_s = self._seen[0], now - self._seen[0][0]
        rate = (done - before) / passed_s if since < now else 0.0
        left = f", {in_words((due - done) / rate)} left" if rate and due > done else ""
        return f"{self.doing}: {done:,} of {due:,} contacts, {rate:,.1f} a second{left}"


def in_words(seconds: float) -> str:
    """A time in its largest unit."""
    for length, unit in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"


@contextmanager
def watching(doing: str = "pushing") -> Iterator[Watch]:
    """A bar where somebody sees it, lines elsewhere, both on standard error."""
    if not sys.stderr.isatty():
        yield Lines(sys.stderr.write, doing=doing)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task, course = progress.add_task("reading", total=None), Course(doing=doing)

        class Bar:
            """Draws it."""

            def reading(self, messages: int, read: int, total: int) -> None:
                """See ``Watch``."""
                text = f"reading: {messages:,} messages"
                # Not its whole: a bar that is full stands still while the last batch is saved.
                progress.update(task, description=text, completed=read, total=(total or 0) + 1)

            def pushing(self, done: int, due: int) -> None:
                """See ``Watch``."""
                text = course.text(done, due)
                progress.update(task, description=text, completed=done, total=due + 1)

        yield Bar()


@dataclass(slots=True)
class Lines:
    """Tells it in lines, one every ``LINE_EVERY_S`` at most.

    Attributes:
        write: Where to.
        clock: A monotonic clock (s).
        doing: What is done with contacts.
    """

    write: Callable[[str], object]
    clock: Callable[[], float] = time.monotonic
    doing: str = "pushing"
    _next_at: float = field(init=False)
    _course: Course = field(init=False)

    def __post_init__(self) -> None:
        self._next_at = self.clock() + LINE_EVERY_S
        self._course = Course(self.clock, self.doing)

    def reading(self, messages: int, read: int, total: int) -> None:
        """See ``Watch``."""
        share = f", {100 * read / total:.0f} % of the bytes" if total else ""
        self._tell(f"reading: {messages:,} messages{share}")

    def pushing(self, done: int, due: int) -> None:
        """See ``Watch``."""
        self._tell(self._course.text(done, due))

    def _tell(self, text: str) -> None:
        if self.clock() >= self._next_at:
            self._next_at = self.clock() + LINE_EVERY_S
            self.write(f"{text}\n")
