"""What several commands share: options, tables, and how their work is run."""

from __future__ import annotations

import time

from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from worker.terminal import shown


if TYPE_CHECKING:
    from rich.table import Table

    from worker.operations.group import Group

T = TypeVar("T")

#: Exit status when something was or stays parked or quarantined.
LEFT_ASIDE = 3

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="TOML file; environment variables override it.")
]
State = Annotated[str, typer.Option(help="sqlite:PATH or dynamodb:TABLE; default: the setting.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a command's work comes to; it is run to its end."""
    import asyncio

    return asyncio.run(work)


def spec_of(state: str, settings: Path | None) -> str:
    """Which state a command is about; the settings must be right even if it does not need them."""
    from worker.settings import load_settings

    loaded = load_settings(settings)
    return state or loaded.state


def named(ids: list[str] | None, *, all_: bool) -> None:
    """Whoever acts on several names them, or says that all are meant."""
    if bool(ids) == all_:
        raise typer.BadParameter("name some, or pass --all")


def table_of(first: str, *others: str) -> Table:
    """A table whose first column is never wrapped, so that ids can be copied from it."""
    from rich.table import Column, Table

    return Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others))


def add_row(table: Table, *cells: str) -> None:
    """Add cells that may hold foreign text."""
    from rich.markup import escape

    table.add_row(*(escape(shown(cell)) for cell in cells))


def summary(groups: Mapping[tuple[str, ...], Group], *why: str, first: str) -> Table:
    """A row for each group, the largest first."""
    table = table_of("count", "oldest", *why, first)
    for key, group in sorted(groups.items(), key=lambda item: -item[1].count):
        add_row(table, f"{group.count:,}", age(group.at), *key, group.first)
    return table


def age(at: float) -> str:
    """How long ago a time (s since 1970) was, in its largest unit."""
    seconds = max(0, int(time.time() - at))
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return f"{seconds}s ago"
