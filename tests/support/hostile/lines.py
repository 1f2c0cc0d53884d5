"""Tests over the table: each line a case, and what is common to all of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import pytest

from hostile.behaviours import COMMON, OWN, Behaviour
from hostile.world import World, ended, indiscretions


#: Who runs the lines of a service that ``make test`` has no time for. AWS's clients are all alike
#: and Entra's pauses long, so theirs are for a hunt by hand, ``make hostile``.
LATER: Final = dict.fromkeys(OWN, pytest.mark.hunt) | {"dynamics": pytest.mark.judge}


def lines(service: str, common: Collection[str], own: Collection[str] | None = None) -> list[Any]:
    """A service's lines as cases; what is not named here is left to ``LATER``.

    Args:
        service: Which.
        common: Names of lines that any service has.
        own: Names of its own lines; None: all of them.
    """
    return [
        pytest.param(line, id=line.name, marks=[] if named else LATER[service])
        for line, named in (
            *((line, own is None or line.name in own) for line in OWN[service]),
            *((line, line.name in common) for line in COMMON),
        )
    ]


async def all_in_order(scene: World) -> None:
    """The worker ends well when asked to; none has ended before, met a bug or been indiscreet."""
    worker = await scene.worker()
    assert await ended(worker) == 0
    for one in scene.crew.workers.values():
        assert indiscretions(one, scene.told) == []
        assert one.process.returncode == 0, f"{one.name} ended by itself"
        assert one.said("fault.contained") == []


def happened(scene: World, service: str, line: Behaviour, times: int = 1) -> bool:
    """Whether a line was carried out so often since it was asked for."""
    return scene.middles[service].spoiled[line.name] >= times
