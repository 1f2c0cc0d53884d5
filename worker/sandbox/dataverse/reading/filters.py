"""``$filter``: from text to a test of one item.

Text compares without case; null is never greater or less than anything, and unequal to everything;
``%``, ``_`` and ``[]`` are LIKE wildcards in contains, startswith and endswith; columns of the same
row may be compared; ``any`` and ``all`` look into collections, though not behind a lookup
[DOC webapi/query/filter-rows].
"""

from __future__ import annotations

import operator

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading import operators, predicates
from worker.sandbox.dataverse.reading.operators import Circumstances
from worker.sandbox.dataverse.reading.predicates import Test
from worker.sandbox.dataverse.reading.scopes import Operand, Scope, Shape, Step, behind
from worker.sandbox.dataverse.reading.tokens import (
    KINDS,
    WORDS,
    Literal,
    Reader,
    fits,
    literal,
    tokens,
)
from worker.sandbox.dataverse.rows.values import folded


__all__ = ["Shape", "Test", "parse_filter"]

_COMPARE: Final[dict[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "eq": ("Equal", operator.eq),
    "ne": ("NotEqual", operator.ne),
    "gt": ("GreaterThan", operator.gt),
    "ge": ("GreaterThanOrEqual", operator.ge),
    "lt": ("LessThan", operator.lt),
    "le": ("LessThanOrEqual", operator.le),
}
_LIKE: Final = {"contains": "%{}%", "startswith": "{}%", "endswith": "%{}"}
_NAMESPACE: Final = "Microsoft.Dynamics.CRM."

#: OData's own, which Dataverse does not have; how it says so is not documented.
_NOT_HERE: Final = frozenset(
    {
        *("tolower", "toupper", "length", "indexof", "substring", "trim", "concat"),
        *("year", "month", "day", "hour", "minute", "second", "fractionalseconds", "date", "time"),
        *("now", "mindatetime", "maxdatetime", "totaloffsetminutes"),
        *("round", "floor", "ceiling", "cast", "isof", "matchesPattern"),
    }
)
_ARITHMETIC: Final = frozenset({"add", "sub", "mul", "div", "divby", "mod", "in", "has"})


def parse_filter(
    scope: Scope,
    text: str,
    aliases: Mapping[str, str],
    circumstances: Circumstances | None = None,
) -> Test:
    """Read a filter.

    Args:
        scope: What it may name.
        text: Decoded.
        aliases: Values of ``@p1`` and the like, from the query.
        circumstances: What query functions look at; None: now, and nobody.

    Raises:
        Refusal: It cannot be understood, or names something that is not there.
    """
    now = circumstances or Circumstances(datetime.now(UTC), "")
    reader = Reader(text)
    test = _Parser(scope, reader, aliases, now).either()
    if not reader.done:
        reader.fail()
    return test


class _Parser:
    """Reads tests of one scope; inside a lambda, of its variable's."""

    def __init__(
        self,
        scope: Scope,
        reader: Reader,
        aliases: Mapping[str, str],
        circumstances: Circumstances,
        variable: str = "",
    ) -> None:
        self._scope = scope
        self._reader = reader
        self._aliases = aliases
        self._circumstances = circumstances
        self._variable = variable

    def either(self) -> Test:
        tests = [self._both()]
        while self._reader.take("or"):
            tests.append(self._both())
        return predicates.any_of(tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._reader.take("and"):
            tests.append(self._one())
        return predicates.all_of(tests)

    def _one(self) -> Test:
        reader = self._reader
        if reader.take("not"):
            return predicates.opposite(self._one())
        if reader.take("("):
            test = self.either()
            reader.expect(")")
            return test
        if reader.peek(1) == "(" and reader.kind == "name":
            return self._function(reader.name())
        return self._comparison()

    def _function(self, name: str) -> Test:
        if name in _LIKE:
            return self._like(_LIKE[name])
        if name.startswith(_NAMESPACE):
            return self._query_function(self._scope, [], name)
        if name in _NOT_HERE:
            raise refusals.no_node("SingleValueFunctionCall")
        raise refusals.bad_query(
            f"An unknown function with name '{name}' was found. This may also be a function import "
            "or a key lookup on a navigation property, which is not allowed."
        )

    def _like(self, pattern: str) -> Test:
        reader = self._reader
        reader.expect("(")
        found = self._operand()
        reader.expect(",")
        value = self._literal()
        reader.expect(")")
        if not isinstance(found, Operand) or found.edm != "Edm.String" or value.kind != "string":
            reader.fail()
        return predicates.tested(found, operators.matches(pattern.format(value.value)))

    def _query_function(self, scope: Scope, steps: list[Step], name: str) -> Test:
        """``Microsoft.Dynamics.CRM.In(PropertyName='x',PropertyValues=["a","b"])``.

        Behind a path (``c/Microsoft.Dynamics.CRM.…``) it is about what that leads to.
        """
        given = self._parameters()
        column = given.pop("PropertyName", None)
        if column is None or not isinstance(column.value, str):
            self._reader.fail()
        operand = self._path_of(scope, steps, column.value)
        texts = [text for value in given.values() for text in self._texts(value)]
        short = name.removeprefix(_NAMESPACE)
        wanted = operators.wanted(short, operand.edm, texts, self._circumstances)
        if wanted is None:
            raise refusals.bad_query(f"The query function '{name}' is not supported.")
        return predicates.tested(operand, wanted)

    def _parameters(self) -> dict[str, Literal]:
        reader, given = self._reader, dict[str, Literal]()
        reader.expect("(")
        while not reader.take(")"):
            name = reader.name()
            reader.expect("=")
            given[name] = self._literal()
            if reader.peek() != ")":
                reader.expect(",")
        return given

    def _path_of(self, scope: Scope, steps: list[Step], text: str) -> Operand:
        """The column a query function names, by its logical name: ``ownerid``, not its property.

        Raises:
            Refusal: There is none: with FetchXML's code, as organisations were seen to answer.
        """
        *navs, name = text.split("/")
        for nav in navs:
            step = scope.step(nav)
            if step is None or not step.single:
                raise refusals.no_property(scope.type, nav)
            steps = [*steps, step]
            scope = step.scope
        operand = scope.attribute(name)
        if operand is None:
            raise refusals.no_attribute(scope.type.rpartition(".")[2], name)
        for step in reversed(steps):
            operand = behind(step, operand)
        return operand

    def _texts(self, value: Literal) -> list[str]:
        if value.kind != "array":
            return [str(value.value)]
        text = value.value if "'" not in value.value else _double_quoted(value.value)
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise refusals.bad_query(
                "Invalid JSON. A comma character ',' was expected in scope 'Array'. Every two "
                "elements in an array and properties of an object must be separated by commas."
            ) from None
        for item in found:
            if not isinstance(item, str):
                raise refusals.bad_query(
                    f"Cannot convert the literal '{item}' to the expected type 'Edm.String'."
                )
        return list(found)

    def _comparison(self) -> Test:
        reader = self._reader
        left = self._operand()
        if not isinstance(left, Operand):
            return left
        word = reader.next().text
        if word in _ARITHMETIC:
            raise refusals.no_node("In" if word == "in" else "BinaryOperator")
        if word not in _COMPARE:
            reader.fail()
        label, compare = _COMPARE[word]
        right = self._value()
        if isinstance(right, Operand):
            if right.edm != left.edm:
                raise refusals.incompatible(left.edm, right.edm, label)
            return predicates.columns(left, right, compare, null=word == "ne")
        if right.kind == "null":
            return predicates.tested(
                left, predicates.present if word == "ne" else predicates.absent
            )
        if not fits(right.kind, left.edm):
            raise refusals.incompatible(left.edm, KINDS.get(right.kind, right.kind), label)
        other = folded(right.value)
        return predicates.tested(left, operators.compared(compare, other, null=word == "ne"))

    def _value(self) -> Literal | Operand:
        """What stands right of a comparison: a literal, or a column of the same row."""
        reader = self._reader
        if reader.kind != "name" or reader.peek().startswith("@"):
            return self._aliased() or self._literal()
        if reader.peek() in WORDS:
            return self._literal()
        if reader.peek(1).startswith("'"):
            wrong = f"{reader.peek()}{reader.peek(1)}"
            raise refusals.bad_query(f"Unrecognized literal '{wrong}' in '{reader.text}'.")
        found_operand = self._operand()
        return found_operand if isinstance(found_operand, Operand) else reader.fail()

    def _aliased(self) -> Operand | None:
        """The column an alias stands for; None if a literal comes next."""
        text = self._aliases.get(self._reader.peek(), "")
        operand = self._scope.operand(text) if text else None
        if operand:
            self._reader.next()
        return operand

    def _literal(self) -> Literal:
        """The value that comes next; an alias that nothing is assigned to is null."""
        token = self._reader.next()
        if token.text.startswith("@"):
            assigned = tokens(self._aliases.get(token.text, "null"))
            token = assigned[0] if len(assigned) == 1 else self._reader.fail()
        found = literal(token)
        return self._reader.fail() if found is None else found

    def _operand(self) -> Operand | Test:
        """A path: to a column, or to the test that a lambda at its end makes."""
        reader, scope, steps = self._reader, self._scope, list[Step]()
        if reader.peek().startswith("@"):
            return self._aliased() or reader.fail()
        if self._variable and not reader.take(self._variable):
            raise refusals.no_property(scope.type, reader.name())
        if self._variable:
            reader.expect("/")
        while True:
            name = reader.name()
            if name.startswith(_NAMESPACE):
                return self._query_function(scope, steps, name)
            if reader.peek() != "/":
                return self._behind(steps, scope, name)
            step = scope.step(name)
            if step is None:
                raise refusals.no_property(scope.type, name)
            reader.expect("/")
            if not step.single:
                return self._lambda(steps, step)
            steps.append(step)
            scope = step.scope

    def _behind(self, steps: list[Step], scope: Scope, name: str) -> Operand:
        operand = scope.operand(name)
        if operand is None:
            raise refusals.no_property(scope.type, name)
        for step in reversed(steps):
            operand = behind(step, operand)
        return operand

    def _lambda(self, steps: list[Step], step: Step) -> Test:
        """``any(c:c/lastname eq 'x')``, ``any()``, ``all(c:…)``."""
        reader, word = self._reader, self._reader.name()
        if steps:
            raise refusals.no_node("Any" if word == "any" else "All")
        if word not in {"any", "all"}:
            reader.fail()
        reader.expect("(")
        if word == "any" and reader.take(")"):
            return lambda item: bool(step.follow(item))
        variable = reader.name()
        reader.expect(":")
        inner = _Parser(step.scope, reader, self._aliases, self._circumstances, variable)
        test = inner.either()
        reader.expect(")")
        quantified = any if word == "any" else all
        return lambda item: quantified(test(found) for found in step.follow(item))


def _double_quoted(text: str) -> str:
    """An array of single-quoted texts as JSON, unless it has double quotes already."""
    return text if '"' in text else text.replace("'", '"')
