"""Loads pipelines from TOML.

Everything that can be wrong with a pipeline is found here and said with file, step and position.
ConnectPath's example bodies and query strings can be pasted as they are.
"""

from __future__ import annotations

import json
import re
import tomllib

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, cast, get_args

from pipelines.caller import As, read_as
from pipelines.condition import Condition, paths
from pipelines.entity import Entity, entity
from pipelines.lifecycle import MILESTONES
from pipelines.lookup import VALUES, By, Place, Way
from pipelines.phone import FEWEST_DIGITS, MOST_DIGITS
from pipelines.pipeline import Pipeline
from pipelines.reference import wrong
from pipelines.step import (
    RESPONSE,
    CreateStep,
    LookupStep,
    OpenStep,
    ReadFileStep,
    Step,
    UpdateStep,
)
from pipelines.template import Query, Template, TemplateError, compile_data, templates
from pipelines.value import plain
from pipelines.when import ConditionError, parse
from pipelines.writeback import AttributeTable


METHODS = ("GET", "POST", "PATCH")
ON_MISSING = ("park", "recreate", "skip")

#: The filter ``choice`` with the table that it names.
_CHOICE = re.compile(r"""\|\s*choice\b\s*(:\s*(?:'([^']*)'|"([^"]*)"))?""")

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class PipelineError(ValueError):
    """A pipeline that cannot be used; the message says file, step and position."""


def load(text: str, source: str = "pipeline") -> Pipeline:
    """The pipeline in a TOML text.

    Args:
        text: The file's text.
        source: The file's name, for messages.

    Raises:
        PipelineError: Something is wrong with it.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(f"{source}: not TOML: {error}") from error
    return _Loader(text, source).pipeline(document)


class _Loader:
    """Turns one TOML document into a pipeline, knowing where things stand in the file."""

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.where = ""
        self.choices: dict[str, dict[str, bool | int | str]] = {}

    def fail(self, message: str, template: str = "", index: int = 0) -> PipelineError:
        """The error to raise, with the position of ``template`` + ``index`` in the file."""
        position = ""
        if template:
            named = re.search(rf"""name\s*=\s*["']{re.escape(self.where)}["']""", self.text)
            found = self.text.find(template, named.start() if named else 0)
            if found >= 0:
                before = self.text[: found + index]
                line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
                position = f" (line {line}, column {column})"
            else:
                position = f" (character {index + 1} of {template[:40]!r})"
        step = f" step {self.where}:" if self.where else ""
        return PipelineError(f"{self.source}:{step} {message}{position}")

    def pipeline(self, document: dict[str, Any]) -> Pipeline:
        keys = ("name", "description", "when", "both", "step", "writeback", "choices")
        self.only(document, keys)
        name = self.text_of(document, "name", needed=True)
        self.choices = self.choices_of(document)
        rows = document.get("step")
        if not rows or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self.fail("needs at least one [[step]]")
        when = self.conditions(document)
        for path in paths(when):
            if message := wrong(path, {}):
                raise self.fail(f"when: {message}")
        both = document.get("both", False)
        if not isinstance(both, bool):
            raise self.fail("both is true or false")
        steps = [self.step(row, name) for row in rows]
        self.check_names(steps)
        self.check_order(steps)
        writeback = self.writeback(document, name, steps)
        for step in steps:
            self.check_choices(step.name, step.templates())
        if writeback is not None:
            self.check_choices("writeback", templates(writeback.attributes))
        readers: list[Step | AttributeTable] = [*steps, *([writeback] if writeback else [])]
        read = tuple(_with_reads(step, readers) for step in steps)
        digest = blake2b(self.text.encode(), digest_size=8).hexdigest()
        return Pipeline(name, read, when, self.source, writeback, digest, both, self.choices)

    def choices_of(self, document: dict[str, Any]) -> dict[str, dict[str, bool | int | str]]:
        """The tables of labels and option values, ``[choices.priority]``."""
        tables = document.get("choices", {})
        if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
            raise self.fail("choices are tables: [choices.priority], and in it high = 2")
        found: dict[str, dict[str, bool | int | str]] = {}
        for name, table in tables.items():
            if not table or not all(isinstance(one, bool | int | str) for one in table.values()):
                raise self.fail(f"choices.{name}: lines like high = 2")
            found[name] = {label.strip().lower(): option for label, option in table.items()}
            if len(found[name]) < len(table):
                raise self.fail(f"choices.{name}: a label is there twice; case does not matter")
        return found

    def step(self, row: dict[str, Any], pipeline: str) -> Step:
        self.where = str(row.get("name", "?"))
        self.only(
            row,
            (
                "name", "on", "method", "entity", "body", "query", "open", "tab", "when", "after",
                "within", "on_missing", "description", "lookup", "read", "key", "as",
            ),
        )  # fmt: skip
        name = self.text_of(row, "name", needed=True)
        if not re.fullmatch(r"[A-Za-z_][\w-]*", name) or name.endswith(RESPONSE):
            raise self.fail(f"{name!r} is not a step name: use letters, digits, - and _")
        shared = {
            "name": name,
            "path": f"{pipeline}/{name}",
            "on": self.choice(row, "on", MILESTONES),
            "when": self.conditions(row),
            "after": self.after(row),
            "within_s": self.within(row),
        }
        if "as" in row and row.get("method") not in ("POST", "PATCH"):
            raise self.fail('\'as\' goes with method = "POST" or "PATCH"')
        if "open" in row:
            return self.opening(row, shared)
        if "read" in row:
            return self.reading(row, shared)
        return self.request(row, shared)

    def opening(self, row: dict[str, Any], shared: dict[str, Any]) -> OpenStep:
        for key in ("method", "entity", "body", "lookup", "key"):
            if key in row:
                raise self.fail(f"a step with 'open' has no {key!r}")
        page = self.text_of(row, "open")
        if not re.fullmatch(r"[\w./-]+", page) or page.startswith("/") or ".." in page:
            raise self.fail(f"open = {page!r}: a page below the environment, like main.aspx")
        tab = row.get("tab", False)
        if not isinstance(tab, bool):
            raise self.fail("tab is true or false")
        return OpenStep(**shared, page=page, tab=tab, query=self.data(row, "query", None))

    def reading(self, row: dict[str, Any], shared: dict[str, Any]) -> ReadFileStep:
        for key in ("method", "entity", "body", "query", "lookup", "tab", "on_missing", "key"):
            if key in row:
                raise self.fail(f"a step with 'read' has no {key!r}")
        if row["read"] is not True or shared["on"] not in ("transcript", "analysis"):
            raise self.fail('read = true goes with on = "transcript" or "analysis"')
        return ReadFileStep(**shared)

    def request(self, row: dict[str, Any], shared: dict[str, Any]) -> Step:
        method = self.choice(row, "method", METHODS)
        tables = self.entities_of(row, method)
        table = tables[0]
        if "tab" in row:
            raise self.fail("'tab' goes with 'open'")
        body = {} if method == "GET" else self.data(row, "body", table)
        if method == "GET" and "body" in row:
            raise self.fail("a GET has no body")
        query, places = self.query(row, method), self.places(row, method, tables)
        missing = self.choice(row, "on_missing", ON_MISSING, "park")
        if method == "GET":
            return LookupStep(**shared, places=places, query=query)
        shared |= {"table": table, "body": body, "on_missing": missing, "as_": self.as_(row)}
        if query is None:  # a POST: a PATCH without one has been refused
            return CreateStep(**shared)
        return UpdateStep(**shared, key=query)

    def as_(self, row: dict[str, Any]) -> As | None:
        if "as" not in row:
            return None
        try:
            return read_as(row["as"], self.choices)
        except TemplateError as error:
            raise self.fail(f"as: {error}", error.source, error.index) from error
        except ValueError as error:
            raise self.fail(str(error)) from error

    def entities_of(self, row: dict[str, Any], method: str) -> list[Entity]:
        """The step's table; of a lookup several in their order."""
        given = row.get("entity")
        if not isinstance(given, list):
            given = [self.text_of(row, "entity", needed=True)]
        elif method != "GET" or "lookup" not in row:
            raise self.fail("several entity sets go with [step.lookup]; name one")
        for name in given:
            if not isinstance(name, str) or not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
                raise self.fail(f"entity = {name!r}: the entity set's name, like phonecalls")
        if not given or len({*given}) < len(given):
            raise self.fail("entity: a list of entity sets, each once")
        return [self.keyed(row, entity(name), given) for name in given]

    def keyed(self, row: dict[str, Any], table: Entity, given: list[str]) -> Entity:
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

    def query(self, row: dict[str, Any], method: str) -> Query | None:
        source = self.text_of(row, "query", needed=method == "PATCH")
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

    def places(self, row: dict[str, Any], method: str, tables: list[Entity]) -> tuple[Place, ...]:
        """``[step.lookup]``, or several as ``[[step.lookup]]``, for each table."""
        if "lookup" not in row:
            return tuple(Place(table) for table in tables)
        if method != "GET" or "query" in row:
            raise self.fail("'lookup' goes with method = \"GET\", in place of 'query'")
        given = row["lookup"]
        rows = given if isinstance(given, list) else [given]
        if not rows or not all(isinstance(one, dict) for one in rows):
            raise self.fail("lookup is a table: [step.lookup]")
        ways = [self.way(one, [table.set for table in tables]) for one in rows]
        places = [Place(t, tuple(way[t.set] for way in ways if t.set in way)) for t in tables]
        for place in places:
            if not place.ways:
                raise self.fail(f"entity: no lookup names columns of {place.table.set}")
        return tuple(places)

    def way(self, row: dict[str, Any], tables: list[str]) -> dict[str, Way]:
        """The way to look in each of the tables that it is for."""
        by = cast("By", self.choice(row, "by", get_args(By)))
        more = ("suffix", "country") if by == "phone" else ()
        self.only(row, ("by", "value", "columns", "vouched_by", *more))
        given = row.get("columns")
        columns: dict[str, Any] = given if isinstance(given, dict) else dict.fromkeys(tables, given)
        if unknown := [name for name in columns if name not in tables]:
            raise self.fail(f"columns: {unknown[0]!r} is not an entity set of the step")
        if not columns or not all(map(_are_columns, columns.values())):
            raise self.fail('columns is a list of columns: columns = ["telephone1"]')
        suffix, country = row.get("suffix", 0), self.text_of(row, "country")
        if "suffix" in row and suffix not in range(FEWEST_DIGITS, MOST_DIGITS + 1):
            raise self.fail(f"suffix = {suffix!r}: {FEWEST_DIGITS} to {MOST_DIGITS} digits")
        if not re.fullmatch(r"(?:[1-9][0-9]{0,2})?", country):
            raise self.fail(f'country = {country!r}: a country code\'s digits, like "49"')
        value = self.value(row, "value", "" if by == "attribute" else VALUES[by])
        by_whom = self.value(row, "vouched_by", "") if "vouched_by" in row else None
        return {
            table: Way(by, value, tuple(named), suffix, country, by_whom)
            for table, named in columns.items()
        }

    def value(self, row: dict[str, Any], key: str, default: str) -> Template:
        source = self.text_of(row, key, needed=not default) or default
        try:
            template = Template(source, choices=self.choices)
        except TemplateError as error:
            raise self.fail(str(error), source, error.index) from error
        if template.constant:
            raise self.fail(f'{key} = {source!r}: a name in braces, like "{{{{Attributes.id}}}}"')
        return template

    def data(self, row: dict[str, Any], key: str, table: Entity | None) -> dict[str, Any]:
        source = self.text_of(row, key, needed=True)
        data = self.parse(source, key)
        if not isinstance(data, dict):
            raise self.fail(f'{key} is a JSON object: {{"column": "value", …}}', source)
        compiled = {}
        for column, value in data.items():
            if "{{" in column or "{%" in column:
                raise self.fail("a column's name cannot be a template", source, source.find(column))
            if value is not None and plain(value) != value:
                raise self.fail(
                    f"{column}: a number, text or structure that JSON cannot hold, or XML"
                )
            length, kind = (
                (table.lengths.get(column), table.kind(column)) if table else (None, None)
            )
            try:
                compiled[column] = compile_data(value, length, column, kind, self.choices)
            except TemplateError as error:
                raise self.fail(f"{column}: {error}", error.source, error.index) from error
        return compiled

    def parse(self, source: str, key: str) -> Any:
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
        when = row.get("when", {})
        if not isinstance(when, dict):
            raise self.fail('when is a table: when = { Channel = ["VOICE"] }')
        try:
            return parse(when)
        except ConditionError as error:
            raise self.fail(f"when: {error}") from error

    def after(self, row: dict[str, Any]) -> tuple[str, ...]:
        names = row.get("after", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.fail('after is a list of steps: after = ["STEP5"]')
        return tuple(names)

    def within(self, row: dict[str, Any]) -> float | None:
        if "within" not in row:
            return None
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", str(row["within"]))
        if match is None:
            raise self.fail(f'within = {row["within"]!r}: a number and s, m, h or d, like "15m"')
        return float(match[1]) * _UNITS[match[2]]

    def writeback(
        self, document: dict[str, Any], pipeline: str, steps: list[Step]
    ) -> AttributeTable | None:
        """The table of attributes that go back to Connect, if there is one."""
        if "writeback" not in document:
            return None
        self.where = "writeback"
        table = document["writeback"]
        if not isinstance(table, dict) or not table:
            raise self.fail('writeback is a table: ms_id = "{{ContactId}}"')
        earlier = {step.name.lower(): step for step in steps}
        attributes = {}
        for attribute in table:
            if not re.fullmatch(r"[A-Za-z0-9_-]+", attribute):
                raise self.fail(
                    f"{attribute!r} is not an attribute name: use letters, digits, - and _"
                )
            source = self.text_of(table, attribute)
            try:
                attributes[attribute] = compile_data(source, choices=self.choices)
            except TemplateError as error:
                raise self.fail(f"{attribute}: {error}", source, error.index) from error
            for template in templates(attributes[attribute]):
                for path, index in template.names:
                    if message := wrong(path, earlier, steps):
                        raise self.fail(f"{attribute}: {message}", source, index)
        return AttributeTable(f"{pipeline}/writeback", attributes)

    def check_names(self, steps: list[Step]) -> None:
        names = [step.name.lower() for step in steps]
        for position, step in enumerate(steps):
            self.where = step.name
            if names.count(step.name.lower()) > 1:
                raise self.fail("there are two steps of this name")
            earlier = {s.name.lower(): s for s in steps[:position]}
            for template, path, index in _used(step):
                if message := wrong(path, earlier, steps):
                    # A text that was mended on reading is not in the file, but the name is.
                    there = template in self.text
                    raise self.fail(message, template if there else path[0], index if there else 0)
            for path in paths(step.when):
                if message := wrong(path, earlier, steps):
                    raise self.fail(f"when: {message}")

    def check_choices(self, step: str, used: Iterable[Template | Query]) -> None:
        """The filter ``choice`` names tables there are, in quotes."""
        self.where = step
        for template in used:
            for match in _CHOICE.finditer(template.source):
                name = match[2] or match[3]
                if name not in self.choices:
                    known = ", ".join(self.choices) or "none"
                    raise self.fail(
                        f"choice: there is no table [choices.{name or '…'}]; there are {known}",
                        template.source, match.start(),
                    )  # fmt: skip

    def check_order(self, steps: list[Step]) -> None:
        """Steps wait for steps there are, and not for one another in a circle."""
        after = {step.name.lower(): [name.lower() for name in step.after] for step in steps}
        for step in steps:
            self.where = step.name
            if unknown := [name for name in step.after if name.lower() not in after]:
                raise self.fail(f"after: there is no step {unknown[0]!r}")
            seen: set[str] = set()
            queue = [*after[step.name.lower()]]
            while queue:
                name = queue.pop()
                if name == step.name.lower():
                    raise self.fail("after: it waits for itself, by way of the steps it names")
                if name not in seen:
                    seen.add(name)
                    queue += after.get(name, [])

    def only(self, row: dict[str, Any], known: tuple[str, ...]) -> None:
        for key in row:
            if key not in known:
                raise self.fail(f"there is no option {key!r}; there are {', '.join(known)}")

    def text_of(self, row: dict[str, Any], key: str, *, needed: bool = False) -> str:
        value = row.get(key, "")
        if not isinstance(value, str) or (needed and not value.strip()):
            raise self.fail(f"{key} must be text" if key in row else f"{key} is missing")
        return value.strip()

    def choice(
        self, row: dict[str, Any], key: str, allowed: tuple[str, ...], default: str | None = None
    ) -> str:
        value = row.get(key, default)
        if value not in allowed:
            given = f"{key} = {value!r}" if key in row else f"{key} is missing"
            raise self.fail(f"{given}: one of {', '.join(allowed)}")
        return str(value)


def _used(step: Step) -> Iterator[tuple[str, tuple[str, ...], int]]:
    for template in step.templates():
        for path, index in template.names:
            yield template.source, path, index


def _are_columns(names: Any) -> bool:
    return bool(names) and isinstance(names, list) and all(map(_is_column, names))


def _is_column(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None


def _with_reads(step: Step, readers: Sequence[Step | AttributeTable]) -> Step:
    """The step, knowing which fields of its answer others name."""
    if isinstance(step, OpenStep | UpdateStep):
        return step  # has no answer, or one that is its key
    answer = (step.name + RESPONSE).lower()
    fields = {
        p[1].lower() for r in readers for p in r.names() if p[0].lower() == answer and len(p) > 1
    }
    key = {step.table.key} if isinstance(step, CreateStep) else set()
    return replace(step, reads=frozenset(fields - key))
