"""What make bench prints, and its page: on invented figures."""

from __future__ import annotations

import re

import pytest

from rich.console import Console

from tests.benchmarks import __main__ as bench
from tests.benchmarks.figure import Bar, Figure, compared
from tests.benchmarks.page import Part, page
from tests.benchmarks.sections import SECTIONS, Section
from worker.errors import ConfigError


WAITS = Figure(
    "waits", "", "<= 1 s", met=True, bars=(Bar("ours", "0.5 s", 0.5), Bar("<theirs>", "2 s", 2.0))
)
KEPT_UP = Figure("kept up", bars=(Bar("ours", "yes"), Bar("<theirs>", "no")))
MISSED = Figure("calls", "3", "<= 2", met=False)


def test_a_figure_beside_another_checkout_s_has_their_ratio_and_is_held_against_both() -> None:
    figure = compared("cpu", "{:.1f} s", 4.0, 10.0, most=5.0, times=0.3)
    assert [bar.said for bar in figure.bars] == ["10.0 s", "4.0 s", "0.40"]
    assert figure.asked == "<= 5.0 s, <= 0.30 times"
    assert figure.met is False


def test_a_figure_without_another_checkout_is_not_asked_for_in_times_of_it() -> None:
    figure = compared("cpu", "{:.1f} s", 4.0, times=0.3)
    assert (figure.asked, figure.met) == ("", None)


def test_figures_that_compare_the_same_share_a_table_with_columns_of_it() -> None:
    groups = list(bench.alike([WAITS, KEPT_UP, MISSED]))
    assert groups == [[WAITS, KEPT_UP], [MISSED]]
    console = Console(width=120)
    with console.capture() as capture:
        console.print(bench.table(groups[0]))
    [line] = [line for line in capture.get().splitlines() if "waits" in line]
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        *("waits", "0.5 s", "2 s", "<= 1 s", "met")
    ]


def test_an_aim_that_is_missed_is_no_failure_and_what_is_demanded_is_one() -> None:
    assert MISSED.failed
    assert not Figure("start", "2 s", "<= 1 s", met=False, aim=True).failed


def test_a_section_without_what_it_needs_says_why_and_one_that_breaks_is_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def lacks(_: object) -> list[Figure]:
        raise ConfigError("not run: needs Node.js")

    def breaks(_: object) -> list[Figure]:
        raise ZeroDivisionError

    [figure] = bench.measured(Section("one", "One", "", lacks), None)
    assert (figure.value, figure.failed) == ("not run: needs Node.js", False)
    [figure] = bench.measured(Section("two", "Two", "", breaks), None)
    assert figure.failed
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_sections_have_names_that_the_command_line_can_tell_apart() -> None:
    names = [section.name for section in SECTIONS]
    assert len(names) == len(set(names))
    assert all(name.isalpha() for name in names)


def test_the_page_has_each_figure_in_a_table_and_bars_where_there_is_something_to_compare() -> None:
    parts = [Part("One & two", "About.", [[WAITS, KEPT_UP], [MISSED]])]
    text = page("2026-11-30, here", parts)
    assert text.count("<table>") == 2
    assert text.count("<figure>") == 1
    assert re.findall(r"--part: ([\d.]+)%", text) == ["25.00", "100.00"]
    assert "1 of 2 figures asked for are\nmet. Missed:" in text
    assert "≤ 1 s" in text
    assert "&lt;theirs&gt;" in text
    assert "<theirs>" not in text


def test_the_page_needs_nothing_from_outside_and_runs_nothing() -> None:
    text = page("here", [Part("One", "About.", [[WAITS]])])
    assert not re.search(r"<script|<link|src=|url\(|https?:", text)
