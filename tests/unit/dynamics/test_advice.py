"""What to do about an answer of Dynamics is said by its code, else by its status."""

from __future__ import annotations

import pytest

from worker.dynamics.advice import advice


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (400, "0x80048d19", "check --online names it"),
        (400, "0x80048D19", "check --online names it"),
        (400, "0x80044331", "use | fit"),
        (400, "0x80048408", "another statecode"),
        (400, "", "check --online compares"),
        (403, "0x80040220", "role lacks this privilege"),
        (403, "", "role lacks a privilege"),
        (404, "0x80060888", "a name in the address is not there"),
        (412, "0x80040237", "it is there already"),
        (429, "0x80072322", "try again later"),
        (None, "", "there was no answer"),
    ],
)
def test_a_refusal_comes_with_what_to_do(status: int | None, code: str, told: str) -> None:
    assert told in advice(status, code)


def test_a_record_that_is_not_there_names_the_steps_that_make_it() -> None:
    assert "run A or B first" in advice(404, "0x80040217", makers=("A", "B"))
    assert advice(404, "0x80040217") == "there is no such record"


def test_of_what_is_not_known_nothing_is_said_beside_the_message() -> None:
    assert advice(418, "") == ""
