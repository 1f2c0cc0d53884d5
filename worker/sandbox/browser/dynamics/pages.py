"""The pages of ``main.aspx``: a record, a list, a search, and what comes in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.sandbox.browser.dynamics import addresses, forms
from worker.sandbox.browser.dynamics.html import NOTHING, Html, join, page, tag
from worker.sandbox.browser.dynamics.reading import Reading, Reference, moment


if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.dataverse.rows.records import Row
    from worker.sandbox.dataverse.schema.columns import Table


#: What Dynamics says of a record that is not there, or that one may not see.
UNAVAILABLE: Final = "The record you are trying to open is unavailable"

_STYLES: Final = (f"{addresses.STATIC}/styles.css",)
_SCRIPTS: Final = (f"{addresses.STATIC}/record.js",)
_DASHBOARD: Final = ("phonecall", "contact")


class Pages:
    """Builds pages.

    Args:
        reading: Where the rows are read.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def answer(self, query: Mapping[str, str]) -> tuple[int, str]:
        """The status and the page for a query of ``main.aspx``.

        Unknown ids are answered with 200, as Dynamics' application does: it finds out later.
        """
        kind = query.get("pagetype", "dashboard")
        table = query.get("etn", "")
        frame = "off" if query.get("navbar") == "off" else ""
        if kind == "entityrecord":
            title, main = self._record(table, query)
        elif kind == "search":
            title, main = self._search(query.get("searchText", ""))
        elif kind == "entitylist" and table in self._reading.tables:
            title, main = self._list(table)
        else:
            title, main = self._dashboard()
        bar = NOTHING if frame else _bar()
        return 200, page(title, join(bar, main), styles=_STYLES, scripts=_SCRIPTS)

    def _record(self, logical: str, query: Mapping[str, str]) -> tuple[str, Html]:
        row_id = addresses.record_id(query.get("id", ""))
        if logical not in self._reading.tables:
            return _unavailable(logical, row_id)
        found = self._reading.find(logical, row_id)
        if found:
            return self._found(*found)
        if not row_id or query.get("validate") == "no":
            return _create(self._reading.tables[logical])
        return _unavailable(logical, row_id)

    def _found(self, table: Table, row: Row) -> tuple[str, Html]:
        name = self._reading.name(table, row)
        one, _ = forms.NAMES.get(table.logical, (table.logical, ""))
        state = self._reading.state(table, row)
        badge = tag("span", state, class_="badge", data_state=state) if state else NOTHING
        heading = tag("header", tag("p", join(one, " ", badge)), tag("h1", name), class_="title")
        main = tag(
            "main",
            heading,
            tag("div", self._details(table, row), self._beside(table, row), class_="columns"),
            data_page="record",
            data_table=table.logical,
            data_id=row.id,
            data_found="true",
        )
        return f"{one}: {name}", main

    def _details(self, table: Table, row: Row) -> Html:
        fields = []
        for column, label, value in self._reading.values(table, row):
            shown = _phone(value, column, row, table) if column in forms.PHONES else _value(value)
            wide = "wide" if column in forms.LONG else "field"
            fields.append(
                tag("div", tag("dt", label), tag("dd", shown), class_=wide, data_column=column)
            )
        parties = [
            tag("div", tag("dt", role), tag("dd", _value(who)), class_="field", data_party=role)
            for role, who in (self._reading.parties(row) if table.activity else ())
        ]
        return tag("section", tag("h2", "Summary"), tag("dl", *parties, *fields), class_="card")

    def _beside(self, table: Table, row: Row) -> Html:
        notes = [_note(note) for note in self._reading.notes(row)]
        cards = [_card("Notes", notes, "No notes yet.", "notes")]
        if not table.activity:
            timeline = [self._line(*activity) for activity in self._reading.activities(row)]
            cards.insert(0, _card("Timeline", timeline, "No activities yet.", "timeline"))
        return tag("div", *cards, class_="beside")

    def _line(self, table: Table, row: Row) -> Html:
        one, _ = forms.NAMES.get(table.logical, (table.logical, ""))
        reference = Reference(table.logical, row.id, self._reading.name(table, row))
        when = moment(str(row.columns.get("actualstart") or row.columns.get("createdon", "")))
        state = self._reading.state(table, row)
        about = " · ".join(part for part in (one, state, when) if part)
        return tag("li", _link(reference), tag("small", about), data_row=row.id)

    def _search(self, text: str) -> tuple[str, Html]:
        hits = self._reading.search(text)
        found = f"{len(hits)} {'result' if len(hits) == 1 else 'results'} for “{text}”"
        sections = [
            _card(
                forms.NAMES[logical][1],
                [self._line(table, row) for table, row in hits if table.logical == logical],
                f"No {forms.NAMES[logical][1].lower()} found.",
                logical,
            )
            for logical in forms.SEARCHED
        ]
        heading = tag("header", tag("p", "Search"), tag("h1", found), class_="title")
        main = tag(
            "main",
            heading,
            _search_form(text),
            tag("div", *sections, class_="results"),
            data_page="search",
            data_text=text,
            data_hits=str(len(hits)),
        )
        return f"Search: {text}", main

    def _list(self, logical: str) -> tuple[str, Html]:
        table = self._reading.tables[logical]
        _, many = forms.NAMES.get(logical, (logical, table.entity_set))
        lines = [self._line(*item) for item in self._reading.newest(table)]
        heading = tag("header", tag("p", "List"), tag("h1", many), class_="title")
        card = _card("Newest first", lines, "None yet.", logical)
        return many, tag("main", heading, card, data_page="list", data_table=logical)

    def _dashboard(self) -> tuple[str, Html]:
        tables = self._reading.tables
        heading = tag("header", tag("p", "Home"), tag("h1", "Agent dashboard"), class_="title")
        cards = [
            _card(
                forms.NAMES[logical][1],
                [self._line(*item) for item in self._reading.newest(tables[logical])[:8]],
                "None yet.",
                logical,
            )
            for logical in _DASHBOARD
            if logical in tables
        ]
        main = tag(
            "main",
            heading,
            _search_form(""),
            tag("div", *cards, class_="results"),
            data_page="dashboard",
        )
        return "Agent dashboard", main


def sign_in() -> str:
    """The page a person who is not signed in is led to."""
    main = tag(
        "main",
        tag("h1", "Sign in"),
        tag("p", "You are signed out of this organization. Sign in to go on."),
        data_page="sign-in",
    )
    return page("Sign in", main, styles=_STYLES, scripts=())


def _unavailable(logical: str, row_id: str) -> tuple[str, Html]:
    why = "It has been deleted, it does not exist, or you may not see it."
    main = tag(
        "main",
        tag("div", tag("h1", UNAVAILABLE), tag("p", why), class_="message", role="alert"),
        data_page="record",
        data_table=logical,
        data_id=row_id,
        data_found="false",
    )
    return UNAVAILABLE, main


def _create(table: Table) -> tuple[str, Html]:
    one, _ = forms.NAMES.get(table.logical, (table.logical, ""))
    labels = forms.COLUMNS.get(table.logical, {table.title: "Name"})
    fields = [
        tag("label", label, tag("input", name=name, autocomplete="off"), class_="field")
        for name, label in labels.items()
        if not name.startswith("_") and name not in {"createdon", "modifiedon"}
    ]
    heading = tag("header", tag("p", one), tag("h1", f"New {one.lower()}"), class_="title")
    main = tag(
        "main",
        heading,
        tag("form", *fields, class_="card create"),
        data_page="record",
        data_table=table.logical,
        data_id="",
        data_found="false",
        data_create="true",
    )
    return f"New {one.lower()}", main


def _bar() -> Html:
    home = tag("a", "Dynamics 365", href=f"{addresses.MAIN}?appid={addresses.APP_ID}")
    lists = [
        tag("a", forms.NAMES[logical][1], href=addresses.records(logical))
        for logical in ("phonecall", "contact", "account")
    ]
    nav = tag("nav", *lists, aria_label="Tables")
    return tag("header", home, tag("span", "Sandbox", class_="sandbox"), nav, class_="bar")


def _search_form(text: str) -> Html:
    return tag(
        "form",
        tag("input", type="hidden", name="appid", value=addresses.APP_ID),
        tag("input", type="hidden", name="pagetype", value="search"),
        tag(
            "label",
            tag("span", "Search for a name, number or email address"),
            tag("input", type="search", name="searchText", value=text),
        ),
        tag("button", "Search", type="submit"),
        action=addresses.MAIN,
        class_="search",
        role="search",
    )


def _card(title: str, lines: list[Html], empty: str, name: str) -> Html:
    content = tag("ul", *lines) if lines else tag("p", empty, class_="empty")
    return tag("section", tag("h2", title), content, class_="card", data_card=name)


def _note(note: Row) -> Html:
    columns = note.columns
    head = tag("strong", str(columns.get("subject") or "Note"))
    text = tag("p", str(columns.get("notetext") or columns.get("filename") or ""))
    when = tag("small", moment(str(columns.get("createdon", ""))))
    return tag("li", head, text, when, data_note=note.id)


def _link(reference: Reference) -> Html:
    where = addresses.record(reference.table, reference.id)
    return tag("a", reference.name, href=where, data_row=reference.id)


def _value(value: str | Reference) -> str:
    return _link(value) if isinstance(value, Reference) else value


def _phone(value: str | Reference, column: str, row: Row, table: Table) -> Html:
    """A number that a click dials, in the workspace by the provider."""
    number = str(value)
    return tag(
        "a",
        number,
        href=f"tel:{''.join(c for c in number if c in '+0123456789')}",
        data_phone=number,
        data_table=table.logical,
        data_id=row.id,
        data_name=column,
    )
