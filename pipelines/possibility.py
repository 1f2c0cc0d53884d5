"""Possibilities: what a template may give, as far as its text says.

``{{ Attributes.level | default: 2 }}`` gives what a flow has set, or 2; a conditional gives what
its branches give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from liquid import RenderContext
from liquid.ast import Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path, PositionalArgument
from liquid.builtin.expressions.primitive import Literal
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.case_tag import CaseNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode

from pipelines.value import ABSENT, plain


#: Blocks of which one branch is taken.
CONDITIONALS = (IfNode, UnlessNode, CaseNode)

#: The filter that gives its argument where there is no value.
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Possibility:
    """One thing that a placeholder may give.

    Attributes:
        roots: First parts of the names that it is made of.
        filters: Names of the filters that it goes through.
        value: What it comes to if it is made of no names, else ABSENT.
    """

    roots: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    value: Any = ABSENT


def literals(node: Node, context: RenderContext) -> Iterator[str]:
    """The branches of a conditional that are nothing but text."""
    for inner in node.children(context):
        shown = _shown(inner)
        if shown and is_text(shown):
            yield "".join(one.text for one in shown).strip()
        else:
            yield from literals(inner, context)


def possibilities(node: Node, context: RenderContext) -> Iterator[Possibility]:
    """What a placeholder gives, or the branches of a conditional that are nothing but one."""
    if isinstance(node, OutputNode):
        if isinstance(node.expression, FilteredExpression):
            yield from _of(node.expression, context)
        return
    for inner in node.children(context):
        shown = _shown(inner)
        if len(shown) == 1 and isinstance(shown[0], (OutputNode, *CONDITIONALS)):
            yield from possibilities(shown[0], context)
        elif not shown:
            yield from possibilities(inner, context)


def is_text(nodes: list[Any]) -> bool:
    """Whether there is nothing to fill in."""
    return all(isinstance(node, ContentNode) for node in nodes)


def _shown(node: Node) -> list[Any]:
    return [one for one in getattr(node, "nodes", ()) if not one.blank]


def _of(expression: FilteredExpression, context: RenderContext) -> Iterator[Possibility]:
    """The value that an expression begins with, and those that its defaults put in its place."""
    filters = expression.filters or []
    starts = [(expression.left, 0)] + [
        (one.args[0].value, at)
        for at, one in enumerate(filters)
        if one.name == _DEFAULT and one.args and isinstance(one.args[0], PositionalArgument)
    ]
    for start, at in starts:
        rest = [one for one in filters[at:] if one.name != _DEFAULT]
        used = [start, *(part for one in rest for part in one.children())]
        roots = tuple(str(one.head()) for one in used if isinstance(one, Path))
        names = tuple(one.name for one in rest)
        fixed = isinstance(start, Literal) and not roots
        whole = FilteredExpression(expression.token, start, rest)
        yield Possibility(roots, names, _value(whole, context) if fixed else ABSENT)


def _value(expression: FilteredExpression, context: RenderContext) -> Any:
    try:
        return plain(expression.evaluate(context))
    except Exception:  # noqa: BLE001 - as when it is rendered: a value of no use where it stands
        return ABSENT
