"""Filters that pipeline authors have beside Liquid's own."""

from __future__ import annotations

from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.filters import FILTERS
from pipelines.template import Template
from pipelines.text import sound, units
from pipelines.value import ABSENT, HELD
from pipelines.view import Names


def filtered(value: Any, filters: str, length: int | None = None, **others: Any) -> Any:
    template = Template(f"{{{{ X | {filters} }}}}", length)
    return template.render(Names({"X": value, **others}))


@pytest.mark.parametrize(
    ("number", "filters", "result"),
    [
        ("+49 30 9018-20", "e164", "+4930901820"),
        (" +49 (0)30", "e164", "+49030"),  # what a person means by (0) is not to be told
        ("0049 (30) 90-18", "e164", "+49309018"),
        ("030 9018", "e164", "0309018"),
        ("030 9018", "e164: '49'", "+49309018"),
        ("030 9018", "e164: '+49'", "+49309018"),
        ("030 9018", "e164: 49", "+49309018"),
        ("+4930", "e164: '44'", "+4930"),
        ("sip:ada@acme.com", "e164", ""),
        ("anonymous", "e164: '49'", ""),
        (4930, "e164", "4930"),
    ],
)
def test_a_number_becomes_e164_as_far_as_it_can_be_told(
    number: Any, filters: str, result: str
) -> None:
    assert filtered(number, filters) == result


def test_digits_are_the_digits_alone() -> None:
    assert filtered("+49 (30) 90-18", "digits") == "49309018"
    assert filtered("٣", "digits") == ""


@pytest.mark.parametrize(
    ("value", "filters", "result"),
    [
        ("2026-07-02T22:30:00Z", "date: '%d.%m.%Y'", "02.07.2026"),
        ("2026-07-02T22:30:00Z", "date: '%d.%m.%Y %H:%M', 'Europe/Berlin'", "03.07.2026 00:30"),
        ("2026-01-02T22:30:00Z", "date: '%H:%M', 'Europe/Berlin'", "23:30"),
        ("2026-07-02T22:30:00.999Z", "date", "2026-07-02T22:30:00Z"),
        ("2026-07-03T00:30:00+02:00", "date", "2026-07-02T22:30:00Z"),
        (1767322800, "date: '%Y'", ABSENT),  # a number in text says nothing of its unit
        ("now", "date: '%Y'", ABSENT),
        ("today", "date: '%Y'", ABSENT),
        ("1970-01-01T00:00:00Z", "date: '%Y'", ABSENT),
        ("2026-07-02T22:30:00Z", "date: '%Y', 'Middle/Earth'", ABSENT),
        ("2026-07-02T22:30:00Z", "date: '%Y', '/etc/passwd'", ABSENT),
        ("2026-07-02T22:30:00Z", "date: '%Y', 'Europe'", ABSENT),
    ],
)
def test_a_date_is_written_by_pattern_and_zone(value: Any, filters: str, result: Any) -> None:
    assert filtered(value, filters) == result


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-01-02T03:00:00Z", "2026-01-02T04:01:02.9Z", 3662),
        ("2026-01-02T03:00:00Z", "2026-01-02T02:00:00Z", 0),
        ("2026-01-02T03:00:00Z", "later", ABSENT),
        ("now", "2026-01-02T03:00:00Z", ABSENT),
    ],
)
def test_seconds_to_counts_whole_seconds(start: str, end: str, seconds: Any) -> None:
    assert filtered(start, "seconds_to: End", End=end) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (59, "0:59"),
        (61, "1:01"),
        (3600, "1:00:00"),
        ("3723.9", "1:02:03"),
        ("", ABSENT),
        ("inf", ABSENT),
        ("nan", ABSENT),
        ("long", ABSENT),
    ],
)
def test_a_duration_is_hours_minutes_seconds(seconds: Any, text: Any) -> None:
    assert filtered(seconds, "duration") == text


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(0, 0), (1, 1), (60, 1), (61, 2), ("61", 2), ("x", ABSENT)]
)
def test_a_begun_minute_is_a_minute(seconds: Any, minutes: Any) -> None:
    assert filtered(seconds, "minutes") == minutes


@pytest.mark.parametrize(
    ("filters", "length", "text"),
    [
        ("fit", 5, "abcd…"),
        ("fit", 6, "abcdef"),
        ("fit", None, "abcdef"),
        ("fit: 3", 5, "ab…"),
        ("fit: '3'", None, "ab…"),
        ("fit: 1", None, "…"),
        ("fit: 0", None, ""),
        ("fit: 100", 5, "abcdef"),
        ("fit: 'x'", 5, ABSENT),
    ],
)
def test_fit_cuts_to_the_column_or_the_given_length(
    filters: str, length: int | None, text: Any
) -> None:
    assert filtered("abcdef", filters, length) == text


def test_fit_cuts_within_a_text_too() -> None:
    template = Template("To: {{ X | fit }}", 3)
    assert template.render(Names({"X": "abcdef"})) == "To: ab…"


@given(st.text(max_size=30), st.integers(0, 40))
def test_what_fits_is_never_longer(text: str, length: int) -> None:
    cut = filtered(text, "fit", length)
    assert units(cut) <= length
    assert cut == sound(text) or units(text) > length


@pytest.mark.parametrize("name", FILTERS)
def test_without_a_value_a_filter_makes_none(name: str) -> None:
    assert Template(f"{{{{ X | {name}: 1 }}}}").render(Names({})) is ABSENT
    assert Template(f"a {{{{ X | {name}: 1 }}}}").render(Names({})) is HELD


@given(st.text(max_size=20) | st.integers() | st.floats() | st.booleans())
@pytest.mark.parametrize(
    "filters", ["digits", "e164: '49'", "date: '%Y'", "duration", "minutes", "fit: 4"]
)
def test_no_value_stops_a_filter(filters: str, value: Any) -> None:
    assert filtered(value, filters) is not HELD


@pytest.mark.parametrize(
    ("value", "filters"),
    [
        ("9999-12-31T23:59:59Z", "date: '%Y', 'Pacific/Kiritimati'"),  # OverflowError
        ("1e400", "round"),  # OverflowError
        ("1e400", "modulo: 2"),  # decimal.InvalidOperation
        ("/w==", "base64_decode"),  # UnicodeDecodeError
        ("x", "sum"),  # decimal.InvalidOperation
    ],
)
def test_a_callers_value_cannot_break_a_pipeline(value: str, filters: str) -> None:
    assert filtered(value, filters) is ABSENT
    template = Template(f"a {{{{ X | {filters} }}}}")
    assert template.render(Names({"X": value})) is HELD


@pytest.mark.parametrize(
    ("value", "filters", "result"),
    [
        ("true", "boolean", True),
        (" YES ", "boolean", True),
        ("1", "boolean", True),
        (1, "boolean", True),
        (True, "boolean", True),
        ("False", "boolean", False),
        ("no", "boolean", False),
        (0, "boolean", False),
        ("ja", "boolean", ABSENT),
        ("2", "boolean", ABSENT),
        ("", "boolean", ABSENT),
        ("ja", "boolean | default: false", False),
        ("2", "integer", 2),
        (" +2.00 ", "integer", 2),
        ("-7", "integer", -7),
        (2, "integer", 2),
        ("2.5", "integer", ABSENT),
        ("two", "integer", ABSENT),
        ("٣", "integer", ABSENT),
        (True, "integer", ABSENT),
        ("9" * 25, "integer", ABSENT),
        ("17.50", "decimal", 17.5),
        ("-3", "decimal", -3.0),
        ("1,5", "decimal", ABSENT),
        ("NaN", "decimal", ABSENT),
        ("1e400", "decimal", ABSENT),
        ({"a": 1}, "integer", ABSENT),
    ],
)
def test_a_text_becomes_the_value_that_it_clearly_means_or_none(
    value: Any, filters: str, result: Any
) -> None:
    found = filtered(value, filters)
    assert (found, type(found)) == (result, type(result))


LEVELS = {"level": {"low": 0, "high": 2, "gold": 2, "vip": True}}


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("high", 2),
        (" GOLD ", 2),
        ("low", 0),
        ("vip", True),
        ("2", 2),
        (2, 2),
        ("9", None),
        ("", None),
    ],
)
def test_a_choice_is_what_the_table_has_for_a_label_a_code_or_its_own_option(
    value: Any, result: Any
) -> None:
    names = Names({"X": value})
    found = Template("{{ X | choice: 'level' }}", choices=LEVELS).render(names)
    assert found == (ABSENT if result is None else result)
    text = "{% if X %}{{ X | choice: 'level' | default: 5 }}{% endif %}"
    assert Template(text, choices=LEVELS).render(names) == (5 if result is None else result)
