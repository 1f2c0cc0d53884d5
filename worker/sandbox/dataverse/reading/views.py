"""``$select`` and ``$expand``: what is shown of a row, and of the rows it is related to.

[DOC webapi/query/join-tables]
"""

from __future__ import annotations

import re

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.nesting import opened, split, unquoted
from worker.sandbox.dataverse.reading.filters import Test, parse_filter
from worker.sandbox.dataverse.reading.operators import Circumstances
from worker.sandbox.dataverse.reading.orders import Order, parse_order
from worker.sandbox.dataverse.reading.scopes import TableScope
from worker.sandbox.dataverse.rows.navigation import Kind, Navigation, navigation
from worker.sandbox.dataverse.rows.records import Rows
from worker.sandbox.dataverse.schema.columns import Table


FORMATTED: Final = "OData.Community.Display.V1.FormattedValue"
LOGICAL: Final = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION: Final = "Microsoft.Dynamics.CRM.associatednavigationproperty"
ANNOTATIONS: Final = (FORMATTED, LOGICAL, NAVIGATION)

MOST_EXPANSIONS: Final = 15

_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_ALIAS: Final = re.compile(r"@\w")

_ONLY: Final = (
    "Only $select and $filter clause can be provided while doing $expand on many-to-one "
    "relationship or nested one-to-many relationship."
)
_OPTIONS: Final = frozenset({"$select", "$expand", "$filter", "$orderby", "$top"})


@dataclass(frozen=True, slots=True)
class View:
    """How rows of a table are shown.

    Attributes:
        columns: What is chosen; None for all.
        expanded: What is shown of related rows.
        annotations: Which of ``ANNOTATIONS`` are wanted.
        page_size: Rows of each expanded collection, where an expansion is nested.
        root: Absolute URL of the Web API.
    """

    columns: tuple[str, ...] | None = None
    expanded: tuple[Expansion, ...] = ()
    annotations: frozenset[str] = frozenset()
    page_size: int | None = None
    root: str = ""


@dataclass(frozen=True, slots=True)
class Expansion:
    """What is shown of the rows a navigation property leads to.

    Attributes:
        navigation: The property.
        view: How they are shown.
        wanted: Which of them.
        order: In which order.
        top: How many at most.
        reference: Whether only their address is shown.
        query: The same options, as a query.
    """

    navigation: Navigation
    view: View
    wanted: Test | None = None
    order: Order | None = None
    top: int | None = None
    reference: bool = False
    query: str = ""


@dataclass(frozen=True, slots=True)
class Viewing:
    """Reads views.

    Attributes:
        records: The rows.
        circumstances: What query functions look at.
        root: Absolute URL of the Web API.
        patterns: Annotations wanted.
        page_size: Rows per page that were asked for.
    """

    records: Rows
    circumstances: Circumstances
    root: str = ""
    patterns: Sequence[str] = ()
    page_size: int | None = None
    counted: list[str] = field(default_factory=list)

    def view(self, table: Table, options: Mapping[str, str]) -> View:
        """Read ``$select`` and ``$expand``.

        Raises:
            Refusal: A column or navigation property that is not there, an option that is not for
                such a property, or too much.
        """
        self.counted.clear()
        shown = self._view(table, options, depth=0)
        every = _all(shown)
        many = [expansion for expansion in every if expansion.navigation.kind is Kind.MANY]
        if many and len(many) < len(every):
            raise refusals.bad_query(
                "Many-to-many relationships are not expanded together with others."
            )
        if len(every) == len(shown.expanded):
            return shown
        if many or any(e.order is not None or e.top is not None for e in every):
            raise refusals.bad_query(_ONLY)
        return _paged(shown, self.page_size)

    def _view(self, table: Table, options: Mapping[str, str], depth: int) -> View:
        text = options.get("$expand", "")
        expanded = tuple(self._expansion(table, part, depth) for part in split(text, ",") if part)
        if len(self.counted) > MOST_EXPANSIONS:
            raise refusals.bad_query(f"A query has at most {MOST_EXPANSIONS} $expand options.")
        columns = select(table, options.get("$select"))
        wanted = frozenset(n for n in ANNOTATIONS if any(fnmatchcase(n, p) for p in self.patterns))
        return View(columns, expanded, wanted, root=self.root)

    def _expansion(self, table: Table, text: str, depth: int) -> Expansion:
        path, inside = opened(text)
        name, _, rest = path.partition("/")
        nav = navigation(table, name)
        if nav is None or rest not in {"", "$ref"}:
            raise refusals.no_property(table.type, path if nav else name)
        self.counted.append(name)
        options = _options(inside or "")
        if rest:
            return _reference(nav, options)
        if nav.single and options.keys() & {"$orderby", "$top"}:
            raise refusals.bad_query(_ONLY)
        target, view = nav.target, self._view(nav.target, options, depth + 1)
        scope = TableScope(self.records, target)
        if any(_ALIAS.search(value) for value in map(unquoted, options.values())):
            raise refusals.bad_query("Parameter aliases are not supported inside $expand.")
        filter_ = options.get("$filter")
        return Expansion(
            nav,
            view,
            parse_filter(scope, filter_, {}, self.circumstances) if filter_ else None,
            parse_order(self.records, target, options["$orderby"], {})
            if "$orderby" in options
            else None,
            whole("$top", options["$top"]) if "$top" in options else None,
            query="&".join(f"{name}={value}" for name, value in options.items()),
        )


def _options(text: str) -> dict[str, str]:
    options = {}
    for part in split(text, ";"):
        if not part:
            continue
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or name not in _OPTIONS:
            raise refusals.bad_query(f"Syntax error in $expand: '{name}' is not supported there.")
        options[name] = value
    return options


def _reference(nav: Navigation, options: Mapping[str, str]) -> Expansion:
    if not nav.single:
        raise refusals.bad_query(
            "Expand with $ref is only supported on lookup type navigation property."
        )
    if options:
        raise refusals.bad_query("Syntax error in $expand: $ref has no options.")
    return Expansion(nav, View(), reference=True)


def _all(shown: View) -> list[Expansion]:
    return [inner for e in shown.expanded for inner in (e, *_all(e.view))]


def _paged(shown: View, page_size: int | None) -> View:
    """The same, with pages of the collections in it."""
    expanded = tuple(replace(e, view=_paged(e.view, page_size)) for e in shown.expanded)
    return replace(shown, expanded=expanded, page_size=page_size)


def select(table: Table, text: str | None) -> tuple[str, ...] | None:
    """The columns chosen; None for all.

    Raises:
        Refusal: One of them is not there.
    """
    if not text or text.strip() == "*":
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in table.by_property and navigation(table, name) is None:
            raise refusals.no_property(table.type, name)
    return tuple(name for name in names if name in table.by_property)


def context(table: Table, shown: View) -> str:
    """What comes after ``$metadata#``."""
    return f"{table.entity_set}{_chosen(shown)}"


def _chosen(shown: View) -> str:
    names = [*(shown.columns or ()), *(_named(expansion) for expansion in shown.expanded)]
    return f"({','.join(names)})" if names else ""


def _named(expansion: Expansion) -> str:
    name = expansion.navigation.name
    return f"{name}/$ref()" if expansion.reference else f"{name}{_chosen(expansion.view) or '()'}"


def whole(name: str, text: str) -> int:
    """A number of rows.

    Raises:
        Refusal: It is none.
    """
    if not _WHOLE.fullmatch(text):
        raise refusals.bad_query(f"Invalid value '{text}' for {name} query option found.")
    return int(text)
