"""Lookups: who in Dynamics a number, an address or an id belongs to.

A step looks in one or more tables; the first that has a match decides. For each it has *ways* to
look, of which the first is taken whose value the contact has. What Dynamics finds is compared again
here, so that a number that merely ends alike is no match. A customer and its parent are one match,
the customer; otherwise more than one is reported as such, and none of them is picked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pipelines.conversion import decimal
from pipelines.criteria import by_its_end, criteria, identity
from pipelines.entity import ENTITIES, Entity
from pipelines.mail import bare
from pipelines.odata import encoded, typed
from pipelines.phone import Number, visible
from pipelines.template import Template
from pipelines.value import ABSENT, Nothing, as_text
from pipelines.view import Names


#: By what is looked: a telephone number, an e-mail address, a user's name, any other value.
By = Literal["phone", "email", "user", "attribute"]

#: The value if a way names none.
VALUES: Mapping[str, str] = {
    "phone": "{{CustomerEndpoint}}",
    "email": "{{CustomerEndpoint}}",
    "user": "{{Agent}}",
}

#: A lookup never reads more rows than this: one is a match, more are only counted as several.
MOST_ROWS = 50

Status = Literal["SingleMatch", "MultiMatch", "NoMatch"]

#: The status' two names in an answer (the CornerstoneCX D365 module's).
STATUS_NAMES = ("LookupStatus", "outcome")

#: Fields of an answer that are the same for every table; its logical name is one more.
TABLE, ID, NAME = "table", "id", "name"

#: The legs of a chain, by the names that a contact has for them and for itself.
_OWN_LEGS = ("ContactId", "InitialContactId", "PreviousContactId", "NextContactId")

#: How well a row fits; of several the best count.
OTHER, ALIKE, SAME = range(3)


def status(value: Status) -> dict[str, Any]:
    """A lookup's status under both of its names."""
    return dict.fromkeys(STATUS_NAMES, value)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to look.

    Attributes:
        by: What kind of value it is.
        value: The value.
        columns: Where it may stand; any of them.
        suffix: How many last digits are compared when a number is stored without country code or
            with something between its digits; 0: only whole numbers are looked for.
        country: Country code of numbers written the national way; "" if there is none.
        vouched_by: The value counts only if this is the id of the contact or of a leg beside it:
            flow and worker know these, whoever begins a contact does not. None: it always counts.
    """

    by: By
    value: Template
    columns: tuple[str, ...]
    suffix: int = 0
    country: str = ""
    vouched_by: Template | None = None

    def counts(self, names: Names) -> bool:
        """Whether the value is of somebody who may say it."""
        if self.vouched_by is None:
            return True
        said = self.vouched_by.render(names)
        legs = {str(names[leg]).lower() for leg in _OWN_LEGS if leg in names}
        return isinstance(said, str) and said.strip().lower() in legs


@dataclass(frozen=True, slots=True)
class Place:
    """A table in which a step looks, and how.

    Attributes:
        table: The table.
        ways: The ways to look; the first one whose value the contact has is taken.
    """

    table: Entity
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """A way with its value, for one contact.

    Attributes:
        table: Where is searched.
        way: How.
        value: For what.
        returning: Columns that the answer is to have, beside the primary key.
        otherwise: What is searched next if nobody is found.
    """

    table: Entity
    way: Way
    value: str
    returning: tuple[str, ...] = ()
    otherwise: Search | None = None

    @property
    def chain(self) -> Iterator[Search]:
        """This search and those after it."""
        yield self
        if self.otherwise is not None:
            yield from self.otherwise.chain

    @property
    def question(self) -> str:
        """What is asked, all in all: two of the same question have the same answer."""
        terms = ((one, identity(one)) for one in self.chain)
        return "\n".join(one.query(by) if by else "" for one, by in terms)

    def queries(self, formats: Sequence[str] = (), *, wildcard: bool = False) -> list[str]:
        """The URLs to ask below the service root, the next only if nobody is found.

        None at all if nobody can have the value, such as the number ``anonymous``.

        Args:
            formats: How numbers are written in the table, see ``pipelines.formats``.
            wildcard: Whether a number's end may be asked for, which Dataverse may throttle.
        """
        terms = [criteria(self, formats)]
        if wildcard and self.way.by == "phone":
            terms.append(by_its_end(self))
        return [self.query(one) for one in terms if one]

    def answer(self, rows: Iterable[Mapping[str, Any]], *, more: bool = False) -> dict[str, Any]:
        """What the rows found come to: the status and, of a single match, its columns.

        Args:
            rows: Each once.
            more: There may be others, which were not read.
        """
        fits = [(self._fit(row), row) for row in rows]
        best = max((fit for fit, _ in fits), default=OTHER)
        matches = [row for fit, row in fits if fit == best != OTHER]
        if not matches:
            return status("NoMatch")
        match = None if more else self._one_of(matches)
        if match is None:
            return status("MultiMatch")
        return _columns(self.table, match, self.returning) | status("SingleMatch")

    def _one_of(self, rows: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The one row there is, or the one whose parent, and its parent, all the others are."""
        parent = self.table.read_as(self.table.parent)
        keys = [_id(row.get(self.table.key)) for row in rows]
        above = {key: _id(row.get(parent)) for key, row in zip(keys, rows, strict=True)}
        for row, key in zip(rows, keys, strict=True):
            line = [key]
            while (at := above[line[-1]]) in above and at not in line:
                line.append(at)
            if len(line) == len(rows) and at not in line[:-1]:
                return row
        return None

    def query(self, terms: list[str]) -> str:
        """The URL of a query with these terms, any of which may be met."""
        found = " or ".join(terms)
        where = f"({found}) and {self.table.active}" if self.table.active else found
        known = [column_of(self.table, name) for name in (*self.returning, self.table.parent)]
        columns = map(self.table.read_as, self.way.columns)
        wanted = [self.table.key, *columns, *filter(None, known)]
        select = ",".join(dict.fromkeys(wanted))
        return f"{self.table.set}?$select={select}&$filter={encoded(where)}&$top={MOST_ROWS}"

    def _fit(self, row: Mapping[str, Any]) -> int:
        read = (row.get(self.table.read_as(column)) for column in self.way.columns)
        stored = (as_text(value) for value in read if value is not None)
        return max((_FITS[self.way.by](self, value) for value in stored), default=OTHER)


def search(
    table: Entity, ways: Iterable[Way], names: Names, returning: Iterable[str] = ()
) -> Search | None:
    """The search of the first way whose value somebody can have; None: no value is known yet."""
    found = None
    columns = fields_of((), table, returning)
    for way in ways:
        if not way.counts(names):
            continue
        value = way.value.render(names)
        if isinstance(value, Nothing | dict | list) or not (text := visible(as_text(value))):
            continue
        text = bare(text) if way.by == "email" else text
        found = Search(table, way, text, tuple(sorted(columns - {table.key})))
        if criteria(found):
            return found
    return found


def search_in(
    places: Sequence[Place], names: Names, returning: Iterable[str] = ()
) -> Search | None:
    """The searches in each table, one after the other; None: no value is known yet.

    What is another table's own is not asked for: its key, unless there is a link to that table, and
    what says that the match is in it.
    """
    first = None
    for place in reversed(places):
        fields = fields_of(places, place.table, returning)
        if (found := search(place.table, place.ways, names, fields)) is not None:
            first = replace(found, otherwise=first)
    return first


def fields_of(places: Sequence[Place], table: Entity, returning: Iterable[str]) -> set[str]:
    """Those of the fields that a match in this table can have, beside its status."""
    others = {name for place in places for name in (place.table.key, place.table.logical)}
    others |= {known.key for known in ENTITIES.values()}
    others -= {table.key, table.logical, *table.links}
    return {name.lower() for name in returning} - others - {n.lower() for n in STATUS_NAMES}


def _columns(table: Entity, row: Mapping[str, Any], returning: Iterable[str]) -> dict[str, Any]:
    found = {name: row.get(column_of(table, name) or "") for name in (table.key, *returning)}
    for name in found.keys() & {ID, table.logical}:
        found[name] = row.get(table.key)
    if TABLE in found:
        found[TABLE] = table.logical
    return {name: value for name, value in found.items() if value is not None}


def column_of(table: Entity, name: str) -> str:
    """The column, as queries name it, that a field of an answer is read from; "" if from none."""
    if name in ("", TABLE, ID, table.logical):
        return ""
    return table.title if name == NAME and table.title else table.read_as(name)


def _id(value: Any) -> str:
    return str(value or "").lower()


# --- what fits ------------------------------------------------------------------------------------


def _phone_fit(one: Search, stored: str) -> int:
    ours = Number.read(one.value, one.way.country)
    theirs = Number.read(stored, one.way.country)
    if ours is None or theirs is None:
        return OTHER
    if ours.same(theirs):
        return SAME
    return ALIKE if one.way.suffix and ours.alike(theirs, one.way.suffix) else OTHER


def _text_fit(one: Search, stored: str) -> int:
    return SAME if visible(stored).casefold() == visible(one.value).casefold() else OTHER


def _attribute_fit(one: Search, stored: str) -> int:
    """As the columns hold it: text without regard to case, ids to braces, dates to their zone."""
    for holds in {one.table.holds(column) or "text" for column in one.way.columns}:
        ours, theirs = typed(visible(one.value), holds), typed(visible(stored), holds)
        if ours and ours.casefold() == theirs.casefold():
            return SAME
        if holds == "decimal" and decimal(ours) == decimal(theirs) is not ABSENT:
            return SAME
    return OTHER


def _user_fit(one: Search, stored: str) -> int:
    if _text_fit(one, stored):
        return SAME
    return ALIKE if _text_fit(one, stored.partition("@")[0]) else OTHER


_FITS = {"phone": _phone_fit, "email": _text_fit, "user": _user_fit, "attribute": _attribute_fit}
