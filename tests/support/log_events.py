"""The events that the worker logs, collected from its source."""

from __future__ import annotations

import ast

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


WORKER = Path(__file__).parents[2] / "worker"

LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


@dataclass
class Event:
    """One event, of all places that log it.

    Attributes:
        levels: Its levels.
        fields: The names of its fields; ``…`` where they are the caller's.
    """

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


class UnreadableEventError(Exception):
    """A call to a logger whose event cannot be read from the source."""


def logged() -> dict[str, Event]:
    """Every event by its name.

    Raises:
        UnreadableEventError: An event's name is put together when it is logged.
    """
    found: defaultdict[str, Event] = defaultdict(Event)
    for path in sorted(WORKER.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
        loggers = set(_loggers(tree))
        if source.count("get_logger(") != len(loggers):
            raise UnreadableEventError(f"{path.name}: a logger that is no name of the module")
        for function in ast.walk(tree):
            if loggers and isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for name, level, fields in _calls(function, loggers, path):
                    found[name].levels.add(level)
                    found[name].fields |= fields
    return dict(found)


def _loggers(tree: ast.Module) -> Iterator[str]:
    """The names that loggers have in a module."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and "get_logger(" in ast.unparse(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _calls(function: ast.AST, loggers: set[str], path: Path) -> Iterator[tuple[str, str, set[str]]]:
    """(event, level, fields) of a function's calls, also of those by way of a variable."""
    kept = _kept(function)
    for call in ast.walk(function):
        if not isinstance(call, ast.Call):
            continue
        levels = _levels(call.func, loggers, kept)
        if not levels:
            continue
        names = _texts(call.args[0], kept)
        if not names:
            raise UnreadableEventError(f"{path.name}:{call.lineno}")
        fields = {keyword.arg or "…" for keyword in call.keywords}
        for name in names:
            yield from ((name, level, fields) for level in levels)


def _kept(function: ast.AST) -> dict[str, list[ast.expr]]:
    """What a function's variables were given."""
    kept: defaultdict[str, list[ast.expr]] = defaultdict(list)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            kept[node.targets[0].id].append(node.value)
    return kept


def _levels(func: ast.expr, loggers: set[str], kept: dict[str, list[ast.expr]]) -> set[str]:
    places = kept.get(func.id, []) if isinstance(func, ast.Name) else [func]
    return {
        node.attr
        for place in places
        for node in _branches(place)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in loggers
        and node.attr in LEVELS
    }


def _texts(argument: ast.expr, kept: dict[str, list[ast.expr]]) -> set[str]:
    places = kept.get(argument.id, []) if isinstance(argument, ast.Name) else [argument]
    return {
        node.value
        for place in places
        for node in _branches(place)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _branches(value: ast.expr) -> list[ast.expr]:
    """An expression, or both sides of a conditional one."""
    return [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
