"""Query strings: keys in parentheses and OData queries, whatever the caller is called."""

from __future__ import annotations

import re

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.template import Query, TemplateError
from pipelines.text import sound
from pipelines.value import HELD
from pipelines.view import Names


GUID = "8a1f0c7e-0000-4000-8000-00000000c0de"


def rendered(source: str, **values: Any) -> Any:
    return Query(source).render(Names(values))


@pytest.mark.parametrize(
    ("source", "values", "url"),
    [
        ("({{X}})", {"X": GUID}, f"({GUID})"),
        ("({{STEP2-Response.activityid}})", {"STEP2-Response": {"activityid": GUID}}, f"({GUID})"),
        ("(telephone1='{{X}}')", {"X": "+49"}, "(telephone1='%2B49')"),
        ("?$filter=a eq '{{X}}'", {"X": "O'Brien"}, "?$filter=a%20eq%20'O%27%27Brien'"),
        ("?$filter=a eq '{{X}}'&$top=2", {"X": "a&b=c"}, "?$filter=a%20eq%20'a%26b%3Dc'&$top=2"),
        ("?$top={{X}}", {"X": 3}, "?$top=3"),
        ("?$filter=b eq {{X}}", {"X": True}, "?$filter=b%20eq%20true"),
        ("?$filter=b eq '{{ X | e164: \"49\" }}'", {"X": "030"}, "?$filter=b%20eq%20'%2B4930'"),
        (
            "?$filter=b eq 'x' and c eq '{{X}}'",
            {"X": "y"},
            "?$filter=b%20eq%20'x'%20and%20c%20eq%20'y'",
        ),
        ("?$filter=b eq 'it''s {{X}}'", {"X": "y"}, "?$filter=b%20eq%20'it''s%20y'"),
        ("?$select=a,b", {}, "?$select=a,b"),
        ("?$filter=a eq 'ü#%41 %zz'", {}, "?$filter=a%20eq%20'%C3%BC%23%41%20%25zz'"),
    ],
)
def test_values_are_put_where_they_belong(source: str, values: dict[str, Any], url: str) -> None:
    assert rendered(source, **values) == url


def test_a_timestamp_needs_no_quotes() -> None:
    url = rendered("?$filter=b ge {{X}}", X="2026-01-02T03:00:00Z")
    assert url == "?$filter=b%20ge%202026-01-02T03%3A00%3A00Z"


@pytest.mark.parametrize("literal", [GUID, GUID.upper(), 5, -1, "+2.50", "2026-01-02", True])
def test_plain_literals_may_stand_outside_quotes(literal: Any) -> None:
    assert unquote(rendered("?$filter=a eq {{X}}", X=literal)).lower() == (
        f"?$filter=a eq {literal}".lower()
    )


@pytest.mark.parametrize(
    "text",
    ["ada", "1 or 1 eq 1", "null", "", "a'b", f"{GUID})/owner(", "2026-13", "1\n", "'1'", "$count"],
)
def test_anything_else_outside_quotes_is_held_back(text: str) -> None:
    assert rendered("?$filter=a eq {{X}}", X=text) is HELD
    assert rendered("({{X}})", X=text) is HELD
    assert rendered("?$filter=b eq 'x' and a eq {{X}}", X=text) is HELD


def test_other_scripts_digits_are_no_literal() -> None:
    assert rendered("({{X}})", X="٣٤") is HELD


def test_a_query_without_one_of_its_values_is_held_back() -> None:
    assert rendered("?$filter=a eq '{{X}}'") is HELD
    assert rendered("?$filter=a eq '{{ X | e164 }}'") is HELD


@pytest.mark.parametrize("function", ["contains", "startswith", "endswith"])
def test_wildcards_are_escaped_where_dataverse_would_match_them(function: str) -> None:
    url = rendered(f"?$filter={function}(fullname,'{{{{X}}}}')", X="100%_[a]'s")
    assert unquote(url) == f"?$filter={function}(fullname,'100[%][_][[]a]''s')"


def test_wildcards_outside_of_text_functions_are_letters() -> None:
    url = rendered("?$filter=contains(a,'x') and b eq '{{X}}'", X="100%_")
    assert unquote(url).endswith("b eq '100%_'")


sound_text = st.text().map(sound)


def literals(url: str) -> list[str]:
    """The string literals in a decoded OData query."""
    return [found.replace("''", "'") for found in re.findall(r"'((?:[^']|'')*)'", unquote(url))]


@given(sound_text)
def test_any_text_between_quotes_stays_one_literal(value: str) -> None:
    url = rendered("?$filter=a eq '{{X}}' and b eq 'end'&$top=1", X=value)
    assert literals(url) == [value, "end"]
    assert url.isascii()
    assert not urlsplit(f"https://org/api{url}").fragment
    assert url.count("&") == 1


@given(sound_text, sound_text)
def test_two_texts_between_one_pair_of_quotes_stay_one_literal(one: str, other: str) -> None:
    url = rendered("?$filter=a eq '{{X}}, {{Y}}' and b eq '{{Y}}'", X=one, Y=other)
    assert literals(url) == [f"{one}, {other}", other]


@given(sound_text)
def test_any_text_in_a_key_stays_one_literal(value: str) -> None:
    url = rendered("(name='{{X}}')", X=value)
    assert literals(url) == [value]
    assert not set(url) & set("/?#&")


@given(sound_text)
def test_any_text_looked_for_stays_itself(value: str) -> None:
    """What LIKE reads back from the brackets is the caller's text."""
    (literal,) = literals(rendered("?$filter=contains(a,'{{X}}')", X=value))
    assert re.sub(r"\[([%_\[])\]", r"\1", literal) == value


@given(sound_text)
def test_outside_quotes_text_is_a_literal_or_nothing(value: str) -> None:
    url = rendered("?$filter=a eq {{X}}", X=value)
    assert url is HELD or re.fullmatch(r"[\w:.+-]+", unquote(url).rpartition(" ")[2])


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("({{STEP2-Response.activityid}})", [(("STEP2-Response", "activityid"), 3)]),
        ("?$filter=a eq '{{ X | default: Y }}'", [(("X",), 18), (("Y",), 31)]),
        ("({{X}},{{Y.Z}})", [(("X",), 3), (("Y", "Z"), 9)]),
        ("?$select=a", []),
    ],
)
def test_a_query_knows_the_names_it_reads_and_where(source: str, names: list[Any]) -> None:
    assert Query(source).names == names


def test_tags_are_refused() -> None:
    with pytest.raises(TemplateError) as refusal:
        Query("?$filter={% if X %}a{% endif %}")
    assert refusal.value.index == len("?$filter=")


def test_a_broken_placeholder_is_refused_with_its_place() -> None:
    source = "?$filter=a eq '{{ X | | }}'"
    with pytest.raises(TemplateError) as refusal:
        Query(source)
    assert refusal.value.index == source.index("| }}")


def test_a_placeholder_without_end_is_refused_with_its_place() -> None:
    source = "?$filter=a eq '{{X}}' and b eq '{{ Y'"
    with pytest.raises(TemplateError) as refusal:
        Query(source)
    assert refusal.value.index == source.index("{{ Y")
