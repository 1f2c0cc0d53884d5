"""Outside time: what others' clocks say, and what ours is worth beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from structlog.testing import capture_logs

from worker.clock import Clock
from worker.outside_time import RIGHT_S, SLACK_S, WINDOW_S, WRONG_S, OutsideTime


TRUE = 1_767_322_800.0  # 2026-01-02T03:00:00Z


@dataclass
class Machine:
    """A machine whose wall clock is wrong by so much (s), ``passed`` seconds after it started."""

    ahead_s: float = 0.0
    passed: float = 0.0
    skews: list[float] = field(default_factory=list)

    @property
    def true(self) -> float:
        return TRUE + self.passed

    @property
    def wall(self) -> float:
        return self.true + self.ahead_s

    def outside(self) -> OutsideTime:
        clock = Clock(lambda: self.wall, lambda: 1000 + self.passed)
        return OutsideTime(clock, self.skews.append)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_while_nobody_tells_the_time_ours_is_all_there_is(machine: Machine) -> None:
    outside = machine.outside()
    assert (outside.now(), outside.at_least(), outside.skew_s) == (machine.wall, None, None)
    assert not outside.known
    assert not outside.in_future(machine.wall + 1e9)


@pytest.mark.parametrize("ahead_s", [86_400.0, -86_400.0, SLACK_S + 1, -SLACK_S - 1])
def test_a_clock_that_others_contradict_is_not_believed(machine: Machine, ahead_s: float) -> None:
    outside = machine.outside()
    machine.ahead_s = ahead_s
    outside.observe("dynamics", machine.true)
    machine.passed = 3600
    assert outside.now() == outside.at_least() == machine.true
    assert outside.skew_s == machine.skews[-1] == ahead_s


@pytest.mark.parametrize("ahead_s", [0.0, SLACK_S, -SLACK_S])
def test_within_the_slack_ours_is_as_good_as_theirs(machine: Machine, ahead_s: float) -> None:
    outside = machine.outside()
    machine.ahead_s = ahead_s
    outside.observe("dynamics", machine.true)
    assert outside.now() == machine.wall


def test_a_clock_that_jumps_between_two_answers_is_found_out(machine: Machine) -> None:
    outside = machine.outside()
    outside.observe("dynamics", machine.true)
    machine.passed, machine.ahead_s = 50, 86_400
    assert outside.now() == machine.true


def test_if_others_differ_the_one_nearer_to_ours_is_believed(machine: Machine) -> None:
    outside = machine.outside()
    outside.observe("dynamics", machine.true + 5000)
    outside.observe("kinesis", machine.true)
    assert (outside.now(), outside.skew_s) == (machine.true, 0)


def test_an_answer_that_lay_unread_while_the_process_stood_still_tells_no_wrong_time(
    machine: Machine,
) -> None:
    outside = machine.outside()
    outside.observe("dynamics", machine.true)
    sent = machine.true
    machine.passed = 400
    outside.observe("dynamics", sent)
    assert outside.skew_s == 0


def test_others_whose_clock_is_set_back_are_believed_after_a_while(machine: Machine) -> None:
    outside = machine.outside()
    outside.observe("dynamics", machine.true + 3600)
    machine.passed = WINDOW_S + 1
    outside.observe("dynamics", machine.true)
    machine.passed += WINDOW_S + 1
    outside.observe("dynamics", machine.true)
    assert outside.skew_s == 0


def test_what_has_arrived_says_how_late_it_is_at_least(machine: Machine) -> None:
    outside = machine.outside()
    outside.arrived(machine.true - 3 * 86_400)  # reading is three days behind
    machine.passed = 60
    assert outside.at_least() == machine.true - 3 * 86_400
    assert (outside.now(), outside.skew_s) == (machine.wall, None)
    assert not outside.in_future(machine.true + 1e9)
    machine.ahead_s = -30 * 86_400
    assert outside.now() == machine.true - 3 * 86_400
    assert outside.skew_s == -27 * 86_400


def test_only_what_is_ahead_of_all_others_lies_in_the_future(machine: Machine) -> None:
    outside = machine.outside()
    machine.ahead_s = 86_400
    outside.observe("dynamics", machine.true)
    assert outside.in_future(machine.true + SLACK_S + 1)
    assert not outside.in_future(machine.true + SLACK_S)


def test_the_date_header_of_an_answer_tells_the_time_and_junk_tells_none(machine: Machine) -> None:
    outside = machine.outside()
    for junk in (
        "",
        "yesterday",
        "Fri, 02 Jan 99999 03:00:00 GMT",
        "Fri, 02 Jan 2026 03:00 +999999",
    ):
        outside.dated("kinesis", junk)
    assert not outside.known
    outside.dated("kinesis", "Fri, 02 Jan 2026 03:00:00 GMT")
    assert outside.skew_s == 0


async def test_who_waits_to_hear_the_time_waits_no_longer_than_his_patience(
    machine: Machine,
) -> None:
    outside = machine.outside()
    await outside.wait_until_known(0.0)
    outside.observe("dynamics", machine.true)
    await outside.wait_until_known(1e9)


def test_a_wrong_clock_is_told_once_and_once_more_when_it_is_right(machine: Machine) -> None:
    outside = machine.outside()
    with capture_logs() as lines:
        for ahead_s in (WRONG_S, WRONG_S + 1, 9000, RIGHT_S, RIGHT_S - 1, 0, -WRONG_S - 1):
            machine.ahead_s = ahead_s
            outside.observe("dynamics", machine.true)
    told = [(line["event"], line["log_level"], line["skew_s"]) for line in lines]
    assert told == [
        ("clock.wrong", "error", 61),
        ("clock.right", "info", 29),
        ("clock.wrong", "error", -61),
    ]
