"""The command line as it is: every command and option, read from the program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import typer.main

from worker.cli import app


class Parameter(NamedTuple):
    """An argument or option: how it is written, and its help text."""

    name: str
    help: str
    required: bool


class Command(NamedTuple):
    """A command: its words, the first paragraph of its help, and what it takes."""

    name: str
    help: str
    takes: tuple[Parameter, ...]


def commands() -> list[Command]:
    """All commands, in the order of their names."""
    return sorted(_commands(typer.main.get_command(app), ""))


def _commands(found: Any, path: str) -> Iterator[Command]:
    inner = getattr(found, "commands", None)
    if inner is None:
        paragraph = (found.help or "").partition("\n\n")[0]
        takes = tuple(_parameter(one) for one in found.params)
        yield Command(path, " ".join(paragraph.split()), takes)
        return
    for name, one in inner.items():
        yield from _commands(one, f"{path} {name}".strip())


def _parameter(one: Any) -> Parameter:
    name = one.name.upper() if one.param_type_name == "argument" else one.opts[0]
    return Parameter(name, one.help or "", one.required)
