"""Reads the steps of a pipeline file, one TOML table each.

ConnectPath's example bodies and query strings can be pasted as they are.
"""

from __future__ import annotations

import json
import re

from dataclasses import replace
from typing import Any, cast, get_args

from pipelines.caller import As, read_as
from pipelines.condition import Condition
from pipelines.entity import Entity, entity
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


METHODS = ("GET", "POST", "PATCH")
ON_MISSING = ("park", "recreate", "skip")

#: Tables of labels and option values, by name: ``[choices.priority]``.
Choices = dict[str, dict[str, bool | int | str]]

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
        """The step in a table.

        Raises:
            PipelineError: Something is wrong with it, besides what is noted in the source.
        """
        self.source.where = str(row.get("name", "?"))
        self.source.only(
            row,
            (
                "name", "on", "method", "entity", "body", "query", "open", "tab", "when", "after",
                "within", "on_missing", "description", "lookup", "read", "key", "as",
            ),
        )  # fmt: skip
        name = self.source.text_of(row, "name", needed=True)
        if not re.fullmatch(r"[A-Za-z_][\w-]*", name) or name.endswith(RESPONSE):
            raise self.fail(f"{name!r} is not a step name: use letters, digits, - and _")
        shared = {
            "name": name,
            "path": f"{pipeline}/{name}",
            "on": self.source.choice(row, "on", MILESTONES),
            "when": self.conditions(row),
            "after": self._after(row),
            "within_s": self._within(row),
        }
        if "as" in row and row.get("method") not in ("POST", "PATCH"):
            raise self.fail('\'as\' goes with method = "POST" or "PATCH"')
        if "open" in row:
            return self._opening(row, shared)
        if "read" in row:
            return self._reading(row, shared)
        return self._request(row, shared)

    def _opening(self, row: dict[str, Any], shared: dict[str, Any]) -> OpenStep:
        for key in ("method", "entity", "body", "lookup", "key"):
            if key in row:
                raise self.fail(f"a step with 'open' has no {key!r}")
        page = self.source.text_of(row, "open")
        if not re.fullmatch(r"[\w./-]+", page) or page.startswith("/") or ".." in page:
            raise self.fail(f"open = {page!r}: a page below the environment, like main.aspx")
        tab = row.get("tab", False)
        if not isinstance(tab, bool):
            raise self.fail("tab is true or false")
        return OpenStep(**shared, page=page, tab=tab, query=self._data(row, "query", None))

    def _reading(self, row: dict[str, Any], shared: dict[str, Any]) -> ReadFileStep:
        for key in ("method", "entity", "body", "query", "lookup", "tab", "on_missing", "key"):
            if key in row:
                raise self.fail(f"a step with 'read' has no {key!r}")
        if row["read"] is not True or shared["on"] not in ("transcript", "analysis"):
            raise self.fail('read = true goes with on = "transcript" or "analysis"')
        return ReadFileStep(**shared)

    def _request(self, row: dict[str, Any], shared: dict[str, Any]) -> Step:
        method = self.source.choice(row, "method", METHODS)
        tables = self._entities_of(row, method)
        table = tables[0]
        if "tab" in row:
            raise self.fail("'tab' goes with 'open'")
        body = {} if method == "GET" else self._data(row, "body", table)
        if method == "GET" and "body" in row:
            raise self.fail("a GET has no body")
        query, places = self._query(row, method), self._places(row, method, tables)
        missing = self.source.choice(row, "on_missing", ON_MISSING, "park")
        if method == "GET":
            return LookupStep(**shared, places=places, query=query)
        shared |= {"table": table, "body": body, "on_missing": missing, "as_": self._as(row)}
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
            raise self.fail(str(error)) from error

    def _entities_of(self, row: dict[str, Any], method: str) -> list[Entity]:
        """The step's table; of a lookup several in their order."""
        given = row.get("entity")
        if not isinstance(given, list):
            given = [self.source.text_of(row, "entity", needed=True)]
        elif method != "GET" or "lookup" not in row:
            raise self.fail("several entity sets go with [step.lookup]; name one")
        for name in given:
            if not isinstance(name, str) or not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                raise self.fail(f"entity = {name!r}: the entity set's name, like phonecalls")
        if not given or len({*given}) < len(given):
            raise self.fail("entity: a list of entity sets, each once")
        return [self._keyed(row, entity(name), given) for name in given]

    def _keyed(self, row: dict[str, Any], table: Entity, given: list[str]) -> Entity:
        """The table with the primary key that the step names."""
        if "key" not in row:
            return table
        key = row["key"]
        if not _is_column(key):
            raise self.fail(f'key = {key!r}: the column of the primary key, like "activityid"')
        if len(given) > 1:
            raise self.fail("key goes with one entity set")
        if table.known and table.key != key:
            raise self.fail(f"key = {key!r}: the key of {table.set} is {table.key!r}")
        return replace(table, key=key, known=True, stated=True)

    def _query(self, row: dict[str, Any], method: str) -> Query | None:
        source = self.source.text_of(row, "query", needed=method == "PATCH")
        if method == "POST" and source:
            raise self.fail("a POST has no query: the record's key is chosen by this program")
        if not source:
            return None
        # ConnectPath's page prints its example without the braces: (STEP2-Response.activityid)
        bare = re.fullmatch(r"\(\s*([A-Za-z_][\w-]*-Response\.\w+)\s*\)", source)
        text = f"({{{{{bare[1]}}}}})" if bare else source
        if method == "PATCH" and not (text.startswith("(") and text.endswith(")")):
            raise self.fail("the query of a PATCH is the record's key in parentheses", source)
        if method == "GET" and text.startswith("$"):
            text = f"?{text}"
        if method == "GET" and not text.startswith(("?", "(")):
            raise self.fail("the query of a GET begins with ? or with a key in parentheses", source)
        try:
            return Query(text, self.choices)
        except TemplateError as error:
            raise self.fail(str(error), source, error.index) from error

    def _places(self, row: dict[str, Any], method: str, tables: list[Entity]) -> tuple[Place, ...]:
        """``[step.lookup]``, or several as ``[[step.lookup]]``, for each table."""
        if "lookup" not in row:
            return tuple(Place(table) for table in tables)
        if method != "GET" or "query" in row:
            raise self.fail("'lookup' goes with method = \"GET\", in place of 'query'")
        given = row["lookup"]
        rows = given if isinstance(given, list) else [given]
        if not rows or not all(isinstance(one, dict) for one in rows):
            raise self.fail("lookup is a table: [step.lookup]")
        ways = [self._way(one, [table.set for table in tables]) for one in rows]
        places = [Place(t, tuple(way[t.set] for way in ways if t.set in way)) for t in tables]
        for place in places:
            if not place.ways:
                raise self.fail(f"entity: no lookup names columns of {place.table.set}")
        return tuple(places)

    def _way(self, row: dict[str, Any], tables: list[str]) -> dict[str, Way]:
        """The way to look in each of the tables that it is for."""
        by = cast("By", self.source.choice(row, "by", get_args(By)))
        more = ("suffix", "country") if by == "phone" else ()
        self.source.only(row, ("by", "value", "columns", "vouched_by", *more))
        given = row.get("columns")
        columns: dict[str, Any] = given if isinstance(given, dict) else dict.fromkeys(tables, given)
        if unknown := [name for name in columns if name not in tables]:
            raise self.fail(f"columns: {unknown[0]!r} is not an entity set of the step")
        if not columns or not all(map(_are_columns, columns.values())):
            raise self.fail('columns is a list of columns: columns = ["telephone1"]')
        suffix, country = row.get("suffix", 0), self.source.text_of(row, "country")
        if "suffix" in row and suffix not in range(FEWEST_DIGITS, MOST_DIGITS + 1):
            raise self.fail(f"suffix = {suffix!r}: {FEWEST_DIGITS} to {MOST_DIGITS} digits")
        if not re.fullmatch(r"(?:[1-9][0-9]{0,2})?", country):
            raise self.fail(f'country = {country!r}: a country code\'s digits, like "49"')
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
            raise self.fail(f'{key} = {source!r}: a name in braces, like "{{{{Attributes.id}}}}"')
        return template

    def _data(self, row: dict[str, Any], key: str, table: Entity | None) -> dict[str, Any]:
        source = self.source.text_of(row, key, needed=True)
        data = self._parse(source, key)
        if not isinstance(data, dict):
            raise self.fail(f'{key} is a JSON object: {{"column": "value", …}}', source)
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
            return json.loads(source, strict=False)
        except json.JSONDecodeError as error:
            # Text copied from a page's source (\") or with typographic quotes still means JSON.
            mended = re.sub("[“”„]", '"', source.replace('\\"', '"'))
            try:
                return json.loads(mended, strict=False)
            except json.JSONDecodeError:
                raise self.fail(
                    f"{key} is not JSON: {error.msg}; placeholders stand in quotes: "
                    '"{{Name}}"', source, error.pos,
                ) from error  # fmt: skip

    def conditions(self, row: dict[str, Any]) -> Condition:
        """The condition that a table states in ``when``."""
        when = row.get("when", {})
        if not isinstance(when, dict):
            raise self.fail('when is a table: when = { Channel = ["VOICE"] }')
        try:
            return parse(when)
        except ConditionError as error:
            raise self.fail(f"when: {error}") from error

    def _after(self, row: dict[str, Any]) -> tuple[str, ...]:
        names = row.get("after", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.fail('after is a list of steps: after = ["STEP5"]')
        return tuple(names)

    def _within(self, row: dict[str, Any]) -> float | None:
        if "within" not in row:
            return None
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", str(row["within"]))
        if match is None:
            raise self.fail(f'within = {row["within"]!r}: a number and s, m, h or d, like "15m"')
        return float(match[1]) * _UNITS[match[2]]


def _are_columns(names: Any) -> bool:
    return bool(names) and isinstance(names, list) and all(map(_is_column, names))


def _is_column(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None
