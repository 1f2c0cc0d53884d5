"""Criteria: what a search asks for, as the terms of a filter, any of which may be met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pipelines.formats import MORE, written_in
from pipelines.odata import bare_guid, literal, typed, unwild
from pipelines.phone import Number, patterns


if TYPE_CHECKING:
    from pipelines.lookup import Search


#: By how many formats times columns a number is asked for at most: a URL holds 32,768 characters.
MOST_TERMS = 120


def criteria(search: Search, formats: Sequence[str] = ()) -> list[str]:
    """The terms of a search; none if nobody can have its value.

    Args:
        search: What is looked for.
        formats: How numbers are written in the table, see ``pipelines.formats``.
    """
    return _CRITERIA[search.way.by](search, formats)


def identity(search: Search) -> list[str]:
    """The terms by which a state knows that it has the answer: those of the first release.

    However else a number is asked for in a later one, an unchanged contact is not asked about
    again, long after its end, when somebody else may have the number.
    """
    by, columns, table = search.way.by, search.way.columns, search.table
    if by == "phone":
        number = Number.read(search.value, search.way.country)
        return _equals(columns, number.spellings()) if number else []
    if by != "attribute":
        return criteria(search)
    found = _equals([column for column in columns if column != table.key], [search.value])
    if table.key in columns and bare_guid(search.value):
        found.append(f"{table.key} eq {search.value}")
    return found


def _equals(columns: Iterable[str], values: Iterable[str]) -> list[str]:
    literals = [literal(value) for value in values]
    return [f"{column} eq {value}" for column in columns for value in literals]


def _begins(columns: Iterable[str], values: Iterable[str]) -> list[str]:
    """An index finds how a value begins, so this is not throttled as its end would be."""
    literals = [literal(unwild(value)) for value in values]
    return [f"startswith({column},{value})" for column in columns for value in literals]


def _phone_terms(one: Search, formats: Sequence[str]) -> list[str]:
    """Whole numbers in the spellings in which they may be stored, which an index finds."""
    way = one.way
    if (number := Number.read(one.value, way.country)) is None:
        return []
    most = MOST_TERMS // len(way.columns)
    here = [written_in(form, number, way.suffix) for form in formats][:most]
    begun = dict.fromkeys(text.removesuffix(MORE) for text in here if text.endswith(MORE))
    whole = [text for text in here if text and not text.endswith(MORE)]
    spelled = dict.fromkeys([*number.spellings(way.suffix), *whole])
    return _equals(way.columns, spelled) + _begins(way.columns, begun)


def by_its_end(one: Search) -> list[str]:
    """The number's end, whatever is between its digits; nothing if that would be too short."""
    number = Number.read(one.value, one.way.country)
    tail = number.tail(one.way.suffix) if number and one.way.suffix else ""
    return [
        f"endswith({column},{literal(pattern)})"
        for column in one.way.columns
        for pattern in (patterns(tail) if tail else ())
    ]


def _email_terms(one: Search, _: Sequence[str]) -> list[str]:
    name, at, host = one.value.rpartition("@")
    return _equals(one.way.columns, [one.value]) if name and at and host else []


def _user_terms(one: Search, _: Sequence[str]) -> list[str]:
    """The name itself, or as the part before the @ of an address."""
    found = _equals(one.way.columns, [one.value])
    return found + ([] if "@" in one.value else _begins(one.way.columns, [f"{one.value}@"]))


def _attribute_terms(one: Search, _: Sequence[str]) -> list[str]:
    """The value as each column holds it; what a column cannot hold is not asked of it."""
    table = one.table
    return [
        f"{table.read_as(column)} eq {value}"
        for column in one.way.columns
        if (value := typed(one.value, table.holds(column) or "text"))
    ]


_CRITERIA: Mapping[str, Callable[[Search, Sequence[str]], list[str]]] = {
    "phone": _phone_terms,
    "email": _email_terms,
    "user": _user_terms,
    "attribute": _attribute_terms,
}
