"""Formats: how numbers are written in a column, and another number written so."""

from __future__ import annotations

import re

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.formats import MORE, MOST_FORMATS, format_of, formats, written_in
from pipelines.phone import Number


def number(text: str, country: str = "") -> Number:
    found = Number.read(text, country)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("stored", "form"),
    [
        ("+1 (555) 010-0200", "+# (###) ###-####"),
        ("(555) 010-0200", "(###) ###-####"),
        ("+49 (0) 30 / 90-18-20", "+## (0) ## / ##-##-##"),
        ("0049 30 901820", "00## ## ######"),
        ("(030) 90 18 20", "(0##) ## ## ##"),
        ("+49 30 901820 ext. 12", "+## ## ###### *"),
        ("+49 30 901820x7", "+## ## ######*"),
        ("+4930901820 #7", "+########## *"),
        ("\u202a+4930901820\u202c", "\u202a+##########\u202c"),
        ("+49\u00a030\u00a0901820", "+##\u00a0##\u00a0######"),
        ("+4930901820", ""),
        ("030901820", ""),
        ("anonymous", ""),
        ("Mrs. Moen 030 901820", ""),
        ("030 901820 or 030 901821", "0## ###### *"),
        ("12 34", ""),
        ("", ""),
    ],
)
def test_a_format_has_the_places_of_digits_and_what_is_between_them(stored: str, form: str) -> None:
    assert format_of(stored) == form


@given(st.text(max_size=60) | st.text("0123456789+() -x.", max_size=40))
def test_no_format_holds_a_digit_of_a_number_or_a_letter(stored: str) -> None:
    assert not re.search(r"[1-9A-Za-z]", format_of(stored))
    assert format_of(stored).count("0") <= 3


def test_the_most_frequent_formats_are_kept() -> None:
    rare = [f"+49 30{' ' * n}901820" for n in range(1, 20)]
    found = formats([*rare, "(555) 010-0200", "(555) 010-0201", "+4930901820"])
    assert found[0] == "(###) ###-####"
    assert len(found) == MOST_FORMATS


@pytest.mark.parametrize(
    ("form", "text", "country", "shortest", "spelled"),
    [
        ("+## ## ######", "+4930901820", "", 0, "+49 30 901820"),
        ("+## ## ######", "+49309018201", "", 0, "+49 30 9018201"),
        ("+## ## ######", "+493090", "", 0, ""),
        ("+# (###) ###-####", "+4930901820", "", 0, "+4 (930) 901-820"),  # finds nobody
        ("+# (###) ###-####", "+15550100200", "", 0, "+1 (555) 010-0200"),
        ("(###) ###-####", "+15550100200", "", 9, "(555) 010-0200"),
        ("(###) ###-####", "+15550100200", "1", 0, "(555) 010-0200"),
        ("(###) ###-####", "+15550100200", "", 0, ""),
        ("(###) ###-####", "+15550100200", "", 11, ""),
        ("#-###-###-####", "+15550100200", "", 0, "1-555-010-0200"),
        ("###-####", "+15550100200", "", 7, "010-0200"),
        ("###-####", "+15550100200", "", 8, ""),
        ("+## (0) ## / ##-##-##", "+4930901820", "", 0, "+49 (0) 30 / 90-18-20"),
        ("00## ## ######", "030 901820", "49", 0, "0049 30 901820"),
        ("(0##) ## ## ##", "+4930901820", "49", 0, "(030) 90 18 20"),
        ("(0##) ## ## ##", "+33930901820", "49", 9, ""),
        ("0## ######", "+4930901820", "", 8, "030 901820"),
        ("\u202a+##########\u202c", "+4930901820", "", 0, "\u202a+4930901820\u202c"),
        ("+## ## ###### *", "+4930901820", "", 0, "+49 30 901820 *"),
        ("+## ## ######", "030 901820", "", 9, ""),
    ],
)
def test_a_number_is_written_in_a_format_if_it_can_be_stored_so(
    form: str, text: str, country: str, shortest: int, spelled: str
) -> None:
    assert written_in(form, number(text, country), shortest) == spelled


@given(
    st.text("0123456789+() -/x", max_size=24),
    st.text("0123456789", min_size=3, max_size=14),
    st.sampled_from(["", "1", "49"]),
    st.sampled_from([0, 6, 9]),
)
def test_what_is_written_in_a_format_is_the_number_or_its_end(
    stored: str, digits: str, country: str, shortest: int
) -> None:
    asked = Number.read(f"+{digits}", country)
    if asked is None or not digits.strip("0") or not (form := format_of(stored)):
        return  # what is nothing but zeros is nobody's number
    spelled = written_in(form, asked, shortest).removesuffix(MORE)
    if spelled and (read := Number.read(spelled, country)):
        assert asked.same(read) or asked.alike(read, shortest) or "0" in form
