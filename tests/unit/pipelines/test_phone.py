"""Telephone numbers as people write them."""

from __future__ import annotations

import re

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.phone import MOST_DIGITS, Number, patterns


def number(text: str, country: str = "") -> Number:
    found = Number.read(text, country)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "digits", "international"),
    [
        ("+4930901820", "4930901820", True),
        ("+49 (0) 30 / 90-18.20", "4930901820", True),
        ("0049 30 901820", "4930901820", True),
        ("  tel:+1-555-010-0200;ext=5", "15550100200", True),
        ("+49 30 901820 ext. 12", "4930901820", True),
        ("030 901820 x7", "030901820", False),
        ("(030) 90 18 20 #7", "030901820", False),
        ("Tel. 030 901820", "030901820", False),
        ("sip:+4930901820@example.com", "4930901820", True),
        ("4930901820", "4930901820", False),
    ],
)
def test_a_number_is_read_without_what_stands_around_its_digits(
    text: str, digits: str, international: bool
) -> None:
    assert number(text) == Number(digits, international)


@pytest.mark.parametrize(
    "text",
    ["", "anonymous", "+", "12", "a4930901820", "4930901820@example.com", "+" + "1" * 16, "x 123"],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert Number.read(text) is None


@pytest.mark.parametrize(
    ("one", "other", "country", "same"),
    [
        ("+4930901820", "0049 (0)30 901820", "", True),
        ("+4930901820", "4930901820", "", True),
        ("+4930901820", "030 901820", "", False),
        ("+4930901820", "030 901820", "49", True),
        ("+4930901820", "30 901820", "49", True),
        ("+390612345678", "06 12345678", "39", True),
        ("+15550100200", "(555) 010-0200", "1", True),
        ("+3330901820", "030 901820", "49", False),
        ("+4930901820", "+4930901821", "49", False),
        ("030 901820", "030-901820", "", True),
        ("030 901820", "30 901820", "", False),
    ],
)
def test_two_numbers_are_the_same_if_they_can_be_one_number(
    one: str, other: str, country: str, same: bool
) -> None:
    assert number(one, country).same(number(other, country)) is same
    assert number(other, country).same(number(one, country)) is same


@pytest.mark.parametrize(
    ("one", "other", "country", "length", "alike"),
    [
        ("+4930901820", "030 901820", "", 8, True),
        ("+4930901820", "030 901820", "", 9, False),  # it has but eight
        ("+3330901820", "030 901820", "49", 8, False),  # a number of another country
        ("+15550100200", "555 010 0200", "49", 9, True),
        ("+4930901820", "+130901820", "", 8, False),
        ("+4930901820", "030 901821", "", 8, False),
    ],
)
def test_a_number_without_country_code_is_alike_if_its_digits_end_the_other(
    one: str, other: str, country: str, length: int, alike: bool
) -> None:
    assert number(one, country).alike(number(other, country), length) is alike
    assert number(other, country).alike(number(one, country), length) is alike


def test_spellings_are_with_and_without_country_code_where_that_is_known() -> None:
    assert number("+49 30 901820").spellings() == ["+4930901820", "004930901820", "4930901820"]
    national = number("+49 30 901820", "49").spellings()
    assert national == ["+4930901820", "004930901820", "4930901820", "030901820", "30901820"]
    assert number("030 901820").spellings() == ["030901820"]


@pytest.mark.parametrize(
    ("text", "country", "length", "tail"),
    [
        ("+4930901820", "", 9, "930901820"),
        ("+4930901820", "49", 9, "30901820"),
        ("+4930901820", "", 11, ""),
        ("030 901820", "", 9, "30901820"),
        ("+49110", "49", 9, ""),
    ],
)
def test_the_tail_is_what_every_spelling_ends_in(
    text: str, country: str, length: int, tail: str
) -> None:
    assert number(text, country).tail(length) == tail


@given(st.text(max_size=60), st.sampled_from(["", "1", "49", "39"]))
def test_any_text_is_a_number_of_digits_or_none(text: str, country: str) -> None:
    found = Number.read(text, country)
    if found is not None:
        assert re.fullmatch(r"[0-9]{1,15}", found.digits)
        assert len(found.digits) <= MOST_DIGITS
        assert found.same(found)
        assert all(re.fullmatch(r"\+?[0-9]+", spelling) for spelling in found.spellings())


@given(st.text("0123456789", min_size=6, max_size=12), st.text(" )/-.", min_size=1, max_size=3))
def test_a_number_is_the_same_whatever_is_between_its_digits(digits: str, between: str) -> None:
    assert number("+4" + digits).same(number("+4" + between.join(digits)))


def test_a_tail_s_patterns_take_anything_between_its_digits_and_an_extension_after() -> None:
    assert list(patterns("123")) == ["1%2%3", "1%2%3%[a-z;,#]%"]
