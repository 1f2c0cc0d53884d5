"""Words, literals and signs of an OData expression."""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import Any, Final, NoReturn

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.values import moment


_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})
    | (?P<date>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?)
    | (?P<number>-?\d{1,30}(?:\.\d{1,30})?)
    | (?P<string>'(?:[^']|'')*')
    | (?P<array>\[(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\]"'])*\])
    | (?P<name>[@$A-Za-z_][\w.]*)
    | (?P<sign>[(),=/:])
    )""",
    re.VERBOSE,
)

KINDS: Final = {
    "string": "Edm.String",
    "guid": "Edm.Guid",
    "date": "Edm.DateTimeOffset",
    "number": "Edm.Int32",
    "boolean": "Edm.Boolean",
}
NUMBERS: Final = frozenset({"Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double"})
DATES: Final = frozenset({"Edm.DateTimeOffset", "Edm.Date"})

WORDS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}
_END: Final = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """One of them; ``kind`` is a group of the pattern, ``text`` as it was written."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: ``kind`` one of ``KINDS``, "null" or "array"; ``value`` as rows hold it."""

    kind: str
    value: Any


def tokens(text: str) -> list[Token]:
    """The tokens of an expression.

    Raises:
        Refusal: Something in it is none.
    """
    found = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match:
            if text[at:].lstrip().startswith("'"):
                where = f"position {len(text)} in '{text}'"
                raise refusals.bad_query(f"There is an unterminated literal at {where}.")
            raise refusals.bad_query(f"Syntax error at position {at} in '{text}'.")
        found.append(Token(match.lastgroup or "", match[match.lastgroup or 0]))
        at = match.end()
    return found


class Reader:
    """Reads tokens one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokens(text)
        self._at = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._tokens)

    @property
    def kind(self) -> str:
        """Kind of what comes next."""
        return _END if self.done else self._tokens[self._at].kind

    def peek(self, ahead: int = 0) -> str:
        """What comes next, or after that; "" at the end."""
        at = self._at + ahead
        return self._tokens[at].text if at < len(self._tokens) else ""

    def next(self) -> Token:
        """Take what comes next."""
        if self.done:
            self.fail()
        self._at += 1
        return self._tokens[self._at - 1]

    def take(self, text: str) -> bool:
        """Whether that comes next; then it is taken."""
        if self.kind == "string" or self.peek() != text:
            return False
        self._at += 1
        return True

    def expect(self, text: str) -> None:
        """Take what must come next."""
        if not self.take(text):
            self.fail()

    def name(self) -> str:
        """Take a name."""
        token = self.next()
        return token.text if token.kind == "name" else self.fail()

    def fail(self) -> NoReturn:
        """Refuse the expression."""
        raise refusals.bad_query(f"Syntax error in filter expression '{self.text}'.")


def literal(token: Token) -> Literal | None:
    """The value a token stands for; None if it stands for none."""
    if token.kind == "name":
        if token.text not in WORDS:
            return None
        kind = "null" if token.text == "null" else "boolean"
        return Literal(kind, WORDS[token.text])
    if token.kind == "array":
        return Literal("array", token.text)
    if token.kind not in KINDS:
        return None
    return Literal(token.kind, _value(token))


def _value(token: Token) -> Any:
    text = token.text
    if token.kind == "string":
        return text[1:-1].replace("''", "'")
    if token.kind == "guid":
        return text.lower()
    if token.kind == "number":
        return float(text) if "." in text else int(text)
    found = moment(text if "T" in text else f"{text}T00:00:00Z")
    if found is None:
        raise refusals.bad_query(f"Syntax error: '{text}' is no date.")
    return found


def fits(kind: str, edm: str) -> bool:
    """Whether a literal of a kind may be compared with a column of a type."""
    if kind == "number":
        return edm in NUMBERS
    return edm in DATES if kind == "date" else KINDS.get(kind) == edm
