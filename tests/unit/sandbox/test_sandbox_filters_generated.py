"""Filters made at random take the rows that a second, independent evaluation of them takes."""

from __future__ import annotations

from random import Random
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.odata.wire import Call


NOW = 1767323045.0
ROOT = "https://org.test/api/data/v9.2/"

TEXTS = ("Ada", "ada o'neil", "Bob", "a%_b", "", "Ölaf (x)")
NUMBERS = (0, 1, 7, 250)

#: A filter: its text, and a function that tells whether a row of ``ROWS`` is wanted.
Filter = tuple[str, Any]

ROWS: list[dict[str, Any]] = [
    {
        "name": name or None,
        "accountnumber": other or None,
        "numberofemployees": number,
        "creditonhold": flag,
        "people": people,
    }
    for name, other, number, flag, people in (
        ("Ada", "ADA", 0, True, ["Ada", "Bob"]),
        ("Bob", "", None, False, ["Bob"]),
        ("", "Bob", 7, False, []),
        ("ada o'neil", "a%_b", 250, True, ["a%_b", "ada o'neil"]),
        ("Ölaf (x)", "ölaf (X)", 1, False, ["Ölaf (x)"]),
    )
]


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def lower(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def compared(name: str, word: str, value: Any, literal: str) -> Filter:
    def wanted(row: dict[str, Any]) -> bool:
        mine = lower(row[name])
        if value is None or mine is None:
            return (mine == value) if word == "eq" else (word == "ne" and mine != value)
        other = lower(value)
        return bool(
            {
                "eq": mine == other,
                "ne": mine != other,
                "gt": mine > other,
                "ge": mine >= other,
                "lt": mine < other,
                "le": mine <= other,
            }[word]
        )

    return f"{name} {word} {literal}", wanted


def found(function: str, name: str, value: str) -> Filter:
    """contains and the like, of texts without wildcards."""

    def wanted(row: dict[str, Any]) -> bool:
        mine, other = (row[name] or "").casefold(), value.casefold()
        return (
            row[name] is not None
            and {
                "contains": other in mine,
                "startswith": mine.startswith(other),
                "endswith": mine.endswith(other),
            }[function]
        )

    return f"{function}({name},{quoted(value)})", wanted


def listed(name: str, values: list[str], *, negative: bool) -> Filter:
    def wanted(row: dict[str, Any]) -> bool:
        return (lower(row[name]) in [lower(value) for value in values]) is not negative

    function = "NotIn" if negative else "In"
    array = orjson.dumps(values).decode()
    return (
        f"Microsoft.Dynamics.CRM.{function}(PropertyName='{name}',PropertyValues={array})",
        wanted,
    )


def people(word: str, value: str) -> Filter:
    def wanted(row: dict[str, Any]) -> bool:
        same = [person.casefold() == value.casefold() for person in row["people"]]
        return any(same) if word == "any" else all(same)

    return f"contact_customer_accounts/{word}(c:c/lastname eq {quoted(value)})", wanted


def negated(inner: Filter) -> Filter:
    return f"not ({inner[0]})", lambda row: not inner[1](row)


def joined(word: str, one: Filter, other: Filter) -> Filter:
    both = word == "and"
    return (
        f"({one[0]}) {word} ({other[0]})",
        lambda row: (one[1](row) and other[1](row)) if both else (one[1](row) or other[1](row)),
    )


WORDS = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
COLUMNS = st.sampled_from(["name", "accountnumber"])
SHOWN = st.sampled_from([text for text in TEXTS if text])
LEAVES = st.one_of(
    st.builds(lambda n, w, v: compared(n, w, v, quoted(v)), COLUMNS, WORDS, SHOWN),
    st.builds(
        lambda w, v: compared("numberofemployees", w, v, str(v)), WORDS, st.sampled_from(NUMBERS)
    ),
    st.builds(
        lambda n, w: compared(n, w, None, "null"),
        st.sampled_from(["name", "accountnumber", "numberofemployees"]),
        st.sampled_from(["eq", "ne"]),
    ),
    st.builds(
        lambda w, v: compared("creditonhold", w, v, str(v).lower()),
        st.sampled_from(["eq", "ne"]),
        st.booleans(),
    ),
    st.builds(
        found,
        st.sampled_from(["contains", "startswith", "endswith"]),
        COLUMNS,
        st.sampled_from(["a", "o'n", "b", "(", "ö"]),
    ),
    st.builds(
        lambda n, v, x: listed(n, v, negative=x),
        COLUMNS,
        st.lists(SHOWN, min_size=1, max_size=3),
        st.booleans(),
    ),
    st.builds(people, st.sampled_from(["any", "all"]), SHOWN),
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(negated, inner),
        st.builds(joined, st.sampled_from(["and", "or"]), inner, inner),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def accounts() -> Dataverse:
    dataverse = create_dataverse(auth=False, clock=lambda: NOW, random=Random(1))
    for number, row in enumerate(ROWS):
        columns = {name: value for name, value in row.items() if name != "people"}
        key = dataverse.put("accounts", {"telephone1": str(number), **columns})
        for person in row["people"]:
            at = {"parentcustomerid_account@odata.bind": f"/accounts({key})"}
            dataverse.put("contacts", {"lastname": person, **at})
    return dataverse


@settings(max_examples=200, deadline=None)
@given(wanted=FILTERS)
def test_a_filter_takes_the_rows_it_describes(accounts: Dataverse, wanted: Filter) -> None:
    text, evaluate = wanted
    query = f"$select=telephone1&$filter={quote(text)}"
    reply = accounts.organisation.answer(Call("GET", "accounts", query, {}, b"", ROOT, "nobody"))
    taken = {int(row["telephone1"]) for row in orjson.loads(reply.body)["value"]}
    assert taken == {number for number, row in enumerate(ROWS) if evaluate(row)}, text
