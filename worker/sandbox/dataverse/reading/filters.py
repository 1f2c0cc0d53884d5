"""``$filter``: from text to a test of one row.

Text compares without case; null is never greater or less than anything; ``%``, ``_`` and ``[]`` are
LIKE wildcards in contains, startswith and endswith [DOC webapi/query/filter-rows].
"""

from __future__ import annotations

import re

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NoReturn

import orjson

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.values import folded, moment


#: Tells whether a row, its non-null columns by property, is wanted.
Test = Callable[[Mapping[str, Any]], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})
    | (?P<date>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<string>'(?:[^']|'')*')
    | (?P<array>\[(?:"(?:[^"\\]|\\.)*"|[^\]"])*\])
    | (?P<name>[@A-Za-z_][\w.]*)
    | (?P<sign>[(),=])
    )""",
    re.VERBOSE,
)

_KINDS: Final = {
    "string": "Edm.String",
    "guid": "Edm.Guid",
    "date": "Edm.DateTimeOffset",
    "number": "Edm.Int32",
    "boolean": "Edm.Boolean",
}
_WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_COMPARE: Final[dict[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "eq": ("Equal", lambda a, b: a == b),
    "ne": ("NotEqual", lambda a, b: a != b),
    "gt": ("GreaterThan", lambda a, b: a > b),
    "ge": ("GreaterThanOrEqual", lambda a, b: a >= b),
    "lt": ("LessThan", lambda a, b: a < b),
    "le": ("LessThanOrEqual", lambda a, b: a <= b),
}
_LIKE: Final = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
_IN: Final = "Microsoft.Dynamics.CRM.In"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a filter may name: the rows' type, and the OData type of each property."""

    type: str
    edms: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def parse_filter(shape: Shape, text: str, aliases: Mapping[str, str]) -> Test:
    """Read a filter.

    Args:
        shape: What it may name.
        text: Decoded.
        aliases: Values of ``@p1`` and the like, from the query.

    Raises:
        Refusal: It cannot be understood, or names something that is not there.
    """
    return _Parser(shape, text, aliases).parse()


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match:
            if text[at:].lstrip().startswith("'"):
                where = f"position {len(text)} in '{text}'"
                raise refusals.bad_query(f"There is an unterminated literal at {where}.")
            raise refusals.bad_query(f"Syntax error at position {at} in '{text}'.")
        found.append(_Token(match.lastgroup or "", match[match.lastgroup or 0]))
        at = match.end()
    return found


class _Parser:
    def __init__(self, shape: Shape, text: str, aliases: Mapping[str, str]) -> None:
        self._shape = shape
        self._text = text
        self._aliases = aliases
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> Test:
        test = self._either()
        if self._at < len(self._tokens):
            self._fail()
        return test

    def _fail(self) -> NoReturn:
        raise refusals.bad_query(f"Syntax error in filter expression '{self._text}'.")

    def _peek(self) -> str:
        return self._tokens[self._at].text if self._at < len(self._tokens) else ""

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            self._fail()
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, text: str) -> None:
        if self._next().text != text:
            self._fail()

    def _either(self) -> Test:
        test = self._both()
        while self._peek() == "or":
            self._next()
            test = _any(test, self._both())
        return test

    def _both(self) -> Test:
        test = self._one()
        while self._peek() == "and":
            self._next()
            test = _all(test, self._one())
        return test

    def _one(self) -> Test:
        if self._peek() == "not":
            self._next()
            return _none(self._one())
        if self._peek() == "(":
            self._next()
            test = self._either()
            self._expect(")")
            return test
        name = self._next()
        if name.kind != "name":
            self._fail()
        if name.text in _LIKE:
            return self._like(name.text)
        if name.text == _IN:
            return self._in()
        return self._comparison(name.text)

    def _edm(self, name: str) -> str:
        edm = self._shape.edms.get(name)
        if edm is None:
            raise refusals.no_property(self._shape.type, name)
        return edm

    def _literal(self) -> tuple[str, Any]:
        """Kind and value of what comes next; kind "null" for null."""
        token = self._next()
        if token.kind == "name" and token.text.startswith("@"):
            aliased = _tokens(self._aliases.get(token.text, "null"))
            token = aliased[0] if len(aliased) == 1 else self._fail()
        if token.kind == "name":
            return self._word(token.text)
        if token.kind not in _KINDS and token.kind != "array":
            self._fail()
        return token.kind, token.text

    def _word(self, text: str) -> tuple[str, Any]:
        if text in _WORDS:
            return ("null" if text == "null" else "boolean"), _WORDS[text]
        if self._peek().startswith("'"):
            literal = f"{text}{self._peek()}"
            raise refusals.bad_query(f"Unrecognized literal '{literal}' in '{self._text}'.")
        raise refusals.no_property(self._shape.type, text)

    def _comparison(self, name: str) -> Test:
        operator = self._next().text
        if operator not in _COMPARE:
            self._fail()
        edm = self._edm(name)
        kind, value = self._literal()
        label, compare = _COMPARE[operator]
        if kind == "null":
            return _present(name) if operator == "ne" else _none(_present(name))
        if not _fits(kind, edm):
            raise refusals.bad_query(
                "A binary operator with incompatible types was detected. Found operand types "
                f"'{edm}' and '{_KINDS.get(kind, kind)}' for operator kind '{label}'."
            )
        wanted = self._value(kind, value)
        return _compared(name, compare, wanted, null=operator == "ne")

    def _value(self, kind: str, text: Any) -> Any:
        if kind == "string":
            return text[1:-1].replace("''", "'").casefold()
        if kind == "guid":
            return text.lower()
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "date":
            return moment(text if "T" in text else f"{text}T00:00:00Z") or self._fail()
        return text

    def _like(self, function: str) -> Test:
        self._expect("(")
        name = self._next().text
        if self._edm(name) != "Edm.String":
            self._fail()
        self._expect(",")
        kind, value = self._literal()
        if kind != "string":
            self._fail()
        self._expect(")")
        pattern = _LIKE[function].format(self._value(kind, value))
        return _matches(name, like(pattern))

    def _in(self) -> Test:
        """``Microsoft.Dynamics.CRM.In(PropertyName='x',PropertyValues=["a","b"])``."""
        self._expect("(")
        self._expect("PropertyName")
        self._expect("=")
        _, name = self._literal()
        self._expect(",")
        self._expect("PropertyValues")
        self._expect("=")
        _, array = self._literal()
        self._expect(")")
        column = name.strip("'")
        edm = self._edm(column)
        try:
            values = orjson.loads(array)
        except orjson.JSONDecodeError:
            self._fail()
        texts = edm in {"Edm.String", "Edm.Guid"}
        wanted = frozenset(folded(v) if texts else _number(v) for v in values)
        return lambda row: folded(row.get(column)) in wanted


def _fits(kind: str, edm: str) -> bool:
    return _KINDS.get(kind) == edm or (kind == "number" and edm == "Edm.Int64")


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value


def _any(one: Test, other: Test) -> Test:
    return lambda row: one(row) or other(row)


def _all(one: Test, other: Test) -> Test:
    return lambda row: one(row) and other(row)


def _none(test: Test) -> Test:
    return lambda row: not test(row)


def _present(name: str) -> Test:
    return lambda row: name in row


def _compared(name: str, compare: Callable[[Any, Any], bool], wanted: Any, *, null: bool) -> Test:
    def test(row: Mapping[str, Any]) -> bool:
        value = row.get(name)
        return null if value is None else compare(folded(value), wanted)

    if isinstance(wanted, str):
        wanted = wanted.casefold()  # times hold a T and a Z
    return test


def _matches(name: str, pattern: re.Pattern[str]) -> Test:
    def test(row: Mapping[str, Any]) -> bool:
        value = row.get(name)
        return value is not None and pattern.fullmatch(value) is not None

    return test


@lru_cache(maxsize=256)
def like(pattern: str) -> re.Pattern[str]:
    """A LIKE pattern as a regular expression: ``%`` any text, ``_`` a character, ``[…]`` one of."""
    parts = []
    for piece in re.findall(r"\[[^\]]+\]|.", pattern, re.DOTALL):
        if piece == "%":
            parts.append(".*")
        elif piece == "_":
            parts.append(".")
        elif len(piece) > 1:
            parts.append("[" + piece[1:-1].replace("\\", "\\\\").replace("[", "\\[") + "]")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
