"""What several commands share: options, and how their work is run."""

from __future__ import annotations

import time

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from typer.core import TyperGroup

from worker.commands.output import Form


if TYPE_CHECKING:
    from worker.operations.listing import Listed
    from worker.stores.protocol import ContactStore

T = TypeVar("T")


class Group(TyperGroup):
    """Commands whose help lists each with its whole first paragraph, not the beginning of it."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [
            (name, " ".join((one.help or "").partition("\n\n")[0].split()))
            for name, one in found
            if one is not None and not one.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


#: Exit status when something was or stays parked or quarantined.
LEFT_ASIDE = 3

#: Help of ``--output``.
FORM = "Form of the output."

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="TOML file; environment variables override it.")
]
State = Annotated[str, typer.Option(help="sqlite:PATH or dynamodb:TABLE; default: the setting.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be touched, only.")]
Why = Annotated[str, typer.Option(help="The reason, kept with your user name; no names of people.")]
Output = Annotated[Form, typer.Option("--output", "-o", help=FORM)]
Limit = Annotated[int, typer.Option(min=0, help="At most so many rows; 0: all.")]

#: How many rows a list has if nobody says.
LIMIT = 50

#: How many names a line gives.
FEW = 3

#: Seconds in what an age is given in.
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


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


def moment(text: str, option: str) -> float:
    """A time (s since 1970) given as ISO time or date, or as an age; 0.0 if none is given."""
    from datetime import UTC, datetime

    if not text:
        return 0.0
    unit = _UNITS.get(text[-1])
    if unit and text[:-1].isdecimal() and text.isascii():
        return time.time() - int(text[:-1]) * unit
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is no ISO time like 2026-01-02T03:04:05Z, and no age like 90m, 2h, 3d"
        raise typer.BadParameter(message, param_hint=option) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def user() -> str:
    """Who is at work: the system's user name, or number if it has no name."""
    import getpass
    import os

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # as in a container whose user is a mere number
        return f"user {os.getuid()}"


def counted(number: int, noun: str) -> str:
    """``1 contact``, ``2 contacts``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(
    spec: str, rows: Callable[[ContactStore], Awaitable[list[Any]]], limit: int
) -> Listed[Any]:
    """The rows of a state that a list shows; what is named and not there is said beside it."""
    from worker.operations.listing import Listed, UnknownNameError, cut

    try:
        return cut(finished(on(spec, rows)), limit)
    except UnknownNameError as error:
        return Listed(note=str(error))


async def on(spec: str, work: Callable[[ContactStore], Awaitable[T]]) -> T:
    """What comes of work on a state that is there."""
    from worker.operations.state import opened

    async with opened(spec) as store:
        return await work(store)
