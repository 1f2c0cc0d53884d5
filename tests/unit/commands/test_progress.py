"""How far a replay is, in words."""

from __future__ import annotations

import pytest

from worker.commands.progress import Course, Lines, in_words


class Hands:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_pushing_is_told_with_its_rate_and_the_time_that_is_left() -> None:
    clock = Hands()
    course = Course(clock)
    assert course.text(0, 1000) == "pushing: 0 of 1,000 contacts, 0.0 a second"
    clock.now = 10.0
    assert course.text(50, 1000) == ("pushing: 50 of 1,000 contacts, 5.0 a second, 3 min left")


def test_the_rate_is_that_of_the_last_minute() -> None:
    clock = Hands()
    course = Course(clock)
    for clock.now, done in ((0.0, 0), (60.0, 600), (120.0, 660), (180.0, 720)):
        text = course.text(done, 1000)
    assert "1.0 a second" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "5 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_times_are_told_in_their_largest_unit(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_where_there_is_no_terminal_a_line_is_told_every_half_minute() -> None:
    clock, told = Hands(), list[str]()
    lines = Lines(told.append, clock)
    for clock.now in range(0, 95, 5):
        lines.pushing(int(clock.now), 1000)
    assert len(told) == 3
    lines.reading(5, 50, 100)
    assert len(told) == 3
    clock.now = 120.0
    lines.reading(5, 50, 100)
    assert told[-1] == "reading: 5 messages, 50 % of the bytes\n"
