"""A sandbox like an organization: switches as the conformance kit found them."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from worker.conformance.report import read_switches
from worker.errors import ConfigError
from worker.sandbox.dataverse.switches import Switches


if TYPE_CHECKING:
    from pathlib import Path


def positions(name: str) -> tuple[Any, ...]:
    """The positions of a switch; (), if it is any whole number."""
    hint = get_type_hints(Switches)[name]
    if get_origin(hint) is Literal:
        return get_args(hint)
    return (True, False) if hint is bool else ()


def switches_like(path: Path) -> Switches:
    """The switches of a file that ``connect-dynamics conform`` wrote.

    A switch that it does not have stays as it is.

    Raises:
        ConfigError: It is no such file, or holds a switch or a position that there is not.
    """
    found = read_switches(path)
    known = {one.name for one in fields(Switches)}
    for name, position in found.items():
        if name not in known:
            raise ConfigError(f"{path}: there is no switch {name!r}; is it of another release?")
        there = positions(name)
        fits = position in there if there else type(position) is int
        if not fits or isinstance(position, bool) != any(isinstance(p, bool) for p in there):
            raise ConfigError(f"{path}: {name} has no such position; is it of another release?")
    return Switches(**found)
