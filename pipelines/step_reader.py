"""Reads the steps of a pipeline file, one TOML table each.

ConnectPath's example bodies and query strings can be pasted as they are.
"""

from __future__ import annotations

import re

from dataclasses import replace
from typing import Any, cast, get_args

from pipelines.caller import As, read_as
from pipelines.condition import ALWAYS, Condition
from pipelines.entity import Entity, entity
from pipelines.json_text import JsonError, read_json
from pipelines.lifecycle import MILESTONES
from pipelines.lookup import VALUES, By, Place, Way
from pipelines.phone import FEWEST_DIGITS, MOST_DIGITS
from pipelines.source import Source
from pipelines.step import (
    RESPONSE,
    CreateStep,
    LookupStep,
    OpenStep,
    ReadFileStep,
    Step,
    UpdateStep,
)
from pipelines.template import Query, Template, TemplateError, compile_data
from pipelines.value import plain
from pipelines.when import ConditionError, parse


#: Options of a step.
OPTIONS = (
    "name", "on", "method", "entity", "body", "query", "open", "tab", "when", "after", "within",
    "on_missing", "description", "lookup", "read", "key", "as",
)  # fmt: skip

METHODS = ("GET", "POST", "PATCH")
ON_MISSING = ("park", "recreate", "skip")

#: What other products and Connect's own events call these, in lower case.
_EVENTS = {
    "initiated": "created",
    "connected_to_system": "created",
    "connected_to_agent": "answered",
    "connected": "answered",
    "disconnected": "ended",
    "contact record": "record",
    "ctr": "record",
}
_KINDS = {
    **dict.fromkeys(("number", "telephone", "tel", "ani"), "phone"),
    **dict.fromkeys(("mail", "e-mail", "address"), "email"),
    "agent": "user",
}
_VERBS = {"create": "POST", "insert": "POST", "update": "PATCH", "put": "PATCH", "read": "GET"}

#: Tables of labels and option values, by name: ``[choices.priority]``.
Choices = dict[str, dict[str, bool | int | str]]

#: What stands for a table that could not be read.
_UNKNOWN = entity("records")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class StepReader:
    """Turns tables of a pipeline file into steps.

    Args:
        source: The file.
        choices: Its tables of labels and option values.
    """

    def __init__(self, source: Source, choices: Choices) -> None:
        self.source = source
        self.fail = source.fail
        self.choices = choices

    def step(self, row: dict[str, Any], pipeline: str) -> Step:
        """The step in a table, as far as it could be read.

        Raises:
            PipelineError: Something is wrong with it, besides what is noted in the source.
        """
        take = self.source.collect
        self.source.only(row, OPTIONS)
        name = self.source.text_of(row, "name", needed=True)
        if not re.fullmatch(r"[A-Za-z_][\w-]*", name) or name.endswith(RESPONSE):
            text = f"{name!r} is not a step name: use letters, digits, - and _"
            raise self.fail(text, key="name")
        shared = {
            "name": name,
            "path": f"{pipeline}/{name}",
            "on": take(self.source.choice, row, "on", MILESTONES, also=_EVENTS) or "",
            "when": take(self.conditions, row) or ALWAYS,
            "after": take(self._after, row) or (),
            "within_s": take(self._within, row),
        }
        if "as" in row and row.get("method") not in ("POST", "PATCH"):
            raise self.fail('\'as\' goes with method = "POST" or "PATCH"', key="as")
        if "open" in row:
            return self._opening(row, shared)
        if "read" in row:
            return self._reading(row, shared)
        return self._request(row, shared)

    def _opening(self, row: dict[str, Any], shared: dict[str, Any]) -> OpenStep:
        for key in ("method", "entity", "body", "lookup", "key"):
            if key in row:
                raise self.fail(f"a step with 'open' has no {key!r}", key=key)
        page = self.source.text_of(row, "open")
        if not re.fullmatch(r"[\w./-]+", page) or page.startswith("/") or ".." in page:
            text = f"open = {page!r}: a page below the environment, like main.aspx"
            raise self.fail(text, key="open")
        tab = row.get("tab", False)
        if not isinstance(tab, bool):
            raise self.fail("tab is true or false, without quotes", key="tab")
        return OpenStep(**shared, page=page, tab=tab, query=self._data(row, "query", None))

    def _reading(self, row: dict[str, Any], shared: dict[str, Any]) -> ReadFileStep:
        for key in ("method", "entity", "body", "query", "lookup", "tab", "on_missing", "key"):
            if key in row:
                raise self.fail(f"a step with 'read' has no {key!r}", key=key)
        if row["read"] is not True or shared["on"] not in ("transcript", "analysis"):
            raise self.fail('read = true goes with on = "transcript" or "analysis"', key="read")
        return ReadFileStep(**shared)

    def _request(self, row: dict[str, Any], shared: dict[str, Any]) -> Step:
        take = self.source.collect
        method = self.source.choice(row, "method", METHODS, also=_VERBS)
        tables = take(self._entities_of, row, method) or [_UNKNOWN]
        table = tables[0]
        if "tab" in row:
            self.source.note("'tab' goes with 'open'", key="tab")
        body = {} if method == "GET" else take(self._data, row, "body", table) or {}
        if method == "GET" and "body" in row:
            self.source.note("a GET has no body", key="body")
        missing = take(self.source.choice, row, "on_missing", ON_MISSING, "park") or "park"
        query = self._query(row, method)
        if method == "GET":
            places = self._places(row, method, tables)
            return LookupStep(**shared, places=places, query=query)
        if "lookup" in row:
            self.source.note("'lookup' goes with method = \"GET\"", key="lookup")
        shared |= {"table": table, "body": body, "on_missing": missing, "as_": take(self._as, row)}
        if query is None:  # a POST: a PATCH without one has been refused
            return CreateStep(**shared)
        return UpdateStep(**shared, key=query)

    def _as(self, row: dict[str, Any]) -> As | None:
        if "as" not in row:
            return None
        try:
            return read_as(row["as"], self.choices)
        except TemplateError as error:
            raise self.fail(f"as: {error}", error.source, error.index) from error
        except ValueError as error:
            raise self.fail(str(error), key="as") from error

    def _entities_of(self, row: dict[str, Any], method: str) -> list[Entity]:
        """The step's table; of a lookup several in their order."""
        given = row.get("entity")
        if not isinstance(given, list):
            given = [self.source.text_of(row, "entity", needed=True)]
        elif method != "GET" or "lookup" not in row:
            raise self.fail("several entity sets go with [step.lookup]; name one", key="entity")
        for name in given:
            if not isinstance(name, str) or not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                text = f"entity = {name!r}: the entity set's name, like phonecalls"
                raise self.fail(f"{text}{_set_like(name)}", key="entity")
        if not given or len({*given}) < len(given):
            raise self.fail("entity: a list of entity sets, each once", key="entity")
        return [self._keyed(row, entity(name), given) for name in given]

    def _keyed(self, row: dict[str, Any], table: Entity, given: list[str]) -> Entity:
        """The table with the primary key that the step names."""
        if "key" not in row:
            return table
        key = row["key"]
        if not _is_column(key):
            text = f'key = {key!r}: the column of the primary key, like "activityid"'
            raise self.fail(text, key="key")
        if len(given) > 1:
            raise self.fail("key goes with one entity set", key="key")
        if table.known and table.key != key:
            raise self.fail(f"key = {key!r}: the key of {table.set} is {table.key!r}", key="key")
        return replace(table, key=key, known=True, stated=True)

    def _query(self, row: dict[str, Any], method: str) -> Query | None:
        source = self.source.text_of(row, "query", needed=method == "PATCH")
        if method == "POST" and source:
            text = "a POST has no query: the record's key is chosen by this program"
            raise self.fail(text, key="query")
        if not source:
            return None
        # ConnectPath's page prints its example without the braces: (STEP2-Response.activityid)
        bare = re.fullmatch(r"\(\s*([A-Za-z_][\w-]*-Response\.\w+)\s*\)", source)
        text = f"({{{{{bare[1]}}}}})" if bare else source
        if method == "PATCH" and not (text.startswith("(") and text.endswith(")")):
            text = "the query of a PATCH is the record's key in parentheses"
            if text_in := re.fullmatch(r"\{\{[^{}]*\}\}", source):
                text += f'; write "({text_in[0]})"'
            raise self.fail(text, source, key="query")
        if method == "GET" and text.startswith("$"):
            text = f"?{text}"
        if method == "GET" and not text.startswith(("?", "(")):
            text = "the query of a GET begins with ? or with a key in parentheses"
            raise self.fail(text, source, key="query")
        try:
            return Query(text, self.choices)
        except TemplateError as error:
            raise self.fail(str(error), source, error.index) from error

    def _places(self, row: dict[str, Any], method: str, tables: list[Entity]) -> tuple[Place, ...]:
        """``[step.lookup]``, or several as ``[[step.lookup]]``, for each table."""
        if "lookup" not in row:
            return tuple(Place(table) for table in tables)
        if method != "GET" or "query" in row:
            text = "'lookup' goes with method = \"GET\", in place of 'query'"
            raise self.fail(text, key="lookup")
        given = row["lookup"]
        rows = given if isinstance(given, list) else [given]
        if not rows or not all(isinstance(one, dict) for one in rows):
            raise self.fail("lookup is a table: [step.lookup]", key="lookup")
        ways = [self._way(one, [table.set for table in tables]) for one in rows]
        places = [Place(t, tuple(way[t.set] for way in ways if t.set in way)) for t in tables]
        for place in places:
            if not place.ways:
                text = f"entity: no lookup names columns of {place.table.set}"
                raise self.fail(text, key="entity")
        return tuple(places)

    def _way(self, row: dict[str, Any], tables: list[str]) -> dict[str, Way]:
        """The way to look in each of the tables that it is for."""
        by = cast("By", self.source.choice(row, "by", get_args(By), also=_KINDS))
        more = ("suffix", "country") if by == "phone" else ()
        self.source.only(row, ("by", "value", "columns", "vouched_by", *more))
        given = row.get("columns")
        columns: dict[str, Any] = given if isinstance(given, dict) else dict.fromkeys(tables, given)
        if unknown := [name for name in columns if name not in tables]:
            text = f"columns: {unknown[0]!r} is not an entity set of the step"
            raise self.fail(f"{text}; it has {', '.join(tables)}", key="columns")
        if not columns or not all(map(_are_columns, columns.values())):
            text = 'columns is a list of columns: columns = ["telephone1"], in small letters'
            raise self.fail(text, key="columns")
        suffix, country = row.get("suffix", 0), self.source.text_of(row, "country")
        if "suffix" in row and suffix not in range(FEWEST_DIGITS, MOST_DIGITS + 1):
            text = f"suffix = {suffix!r}: {FEWEST_DIGITS} to {MOST_DIGITS} digits"
            raise self.fail(text, key="suffix")
        if not re.fullmatch(r"(?:[1-9][0-9]{0,2})?", country):
            text = f'country = {country!r}: a country code\'s digits, like "49"'
            raise self.fail(text, key="country")
        value = self._value(row, "value", "" if by == "attribute" else VALUES[by])
        by_whom = self._value(row, "vouched_by", "") if "vouched_by" in row else None
        return {
            table: Way(by, value, tuple(named), suffix, country, by_whom)
            for table, named in columns.items()
        }

    def _value(self, row: dict[str, Any], key: str, default: str) -> Template:
        source = self.source.text_of(row, key, needed=not default) or default
        try:
            template = Template(source, choices=self.choices)
        except TemplateError as error:
            raise self.fail(str(error), source, error.index) from error
        if template.constant:
            text = f'{key} = {source!r}: a name in braces, like "{{{{Attributes.id}}}}"'
            raise self.fail(text, key=key)
        return template

    def _data(self, row: dict[str, Any], key: str, table: Entity | None) -> dict[str, Any]:
        source = self.source.text_of(row, key, needed=True)
        data = self._parse(source, key)
        if not isinstance(data, dict):
            text = f'{key} is a JSON object: {{"column": "value", …}}'
            raise self.fail(text, source, key=key)
        return {
            column: self.source.collect(self._column, column, value, table, source)
            for column, value in data.items()
        }

    def _column(self, column: str, value: Any, table: Entity | None, source: str) -> Any:
        """The compiled value of a column."""
        if "{{" in column or "{%" in column:
            raise self.fail("a column's name cannot be a template", source, source.find(column))
        if value is not None and plain(value) != value:
            raise self.fail(f"{column}: a number, text or structure that JSON cannot hold, or XML")
        length, kind = (table.lengths.get(column), table.kind(column)) if table else (None, None)
        try:
            return compile_data(value, length, column, kind, self.choices)
        except TemplateError as error:
            raise self.fail(f"{column}: {error}", error.source, error.index) from error

    def _parse(self, source: str, key: str) -> Any:
        try:
            return read_json(source)
        except JsonError as error:
            text = f"{key} is not JSON: {error}"
            raise self.fail(text, source, error.index, key=key) from error

    def conditions(self, row: dict[str, Any]) -> Condition:
        """The condition that a table states in ``when``."""
        when = row.get("when", {})
        if not isinstance(when, dict):
            raise self.fail('when is a table: when = { Channel = ["VOICE"] }', key="when")
        try:
            return parse(when)
        except ConditionError as error:
            raise self.fail(f"when: {error}", key="when") from error

    def _after(self, row: dict[str, Any]) -> tuple[str, ...]:
        names = row.get("after", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.fail('after is a list of steps: after = ["STEP5"]', key="after")
        return tuple(names)

    def _within(self, row: dict[str, Any]) -> float | None:
        if "within" not in row:
            return None
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", str(row["within"]))
        if match is None:
            text = f'within = {row["within"]!r}: a number and s, m, h or d, like "15m"'
            raise self.fail(text, key="within")
        return float(match[1]) * _UNITS[match[2]]


def _are_columns(names: Any) -> bool:
    return bool(names) and isinstance(names, list) and all(map(_is_column, names))


def _is_column(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None


def _set_like(name: Any) -> str:
    """The entity set that somebody wrote in another way, if it is plain which."""
    bare = str(name).strip("/ ").partition("(")[0].lower()
    return f"; write {bare}" if _is_column(bare) and bare != name else ""
