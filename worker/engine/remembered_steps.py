"""Remembered steps: which creating steps each pipeline has had, kept in the state.

``pipelines.changes`` needs them to make no second record when a step is renamed. Workers only ever
add to them, by compare and replace, so two versions of a pipeline may run side by side. The moment
that goes with a version need not be right: a wrong clock changes which id a new record gets, not
how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import orjson
import structlog

from pipelines.changes import Version, creating, departures
from pipelines.pipeline import Pipeline


_log = structlog.get_logger(__name__)

#: How the versions are written down.
FORM: Final = 1

#: Longest text that is kept of one pipeline (bytes); beyond it the oldest versions are forgotten.
MOST_BYTES: Final = 100_000


class StepMemory(Protocol):
    """What a contact store keeps under names."""

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore.recall``."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore.replace``."""
        ...


async def recall_steps(
    memory: StepMemory, pipelines: Iterable[Pipeline]
) -> dict[str, tuple[Version, ...]]:
    """The versions that each pipeline had; read only.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    return {one.name: _read(await memory.recall(_name(one))) or () for one in pipelines}


async def remember_steps(
    memory: StepMemory, pipelines: Iterable[Pipeline], now: str
) -> dict[str, tuple[Version, ...]]:
    """The versions that each pipeline had, the one that is loaded among them from now on.

    What became of a step that left is logged as ``pipeline.changed``, as a warning the first time.

    Args:
        memory: The state.
        pipelines: Those that are loaded.
        now: The UTC second, ``YYYY-MM-DDTHH:MM:SSZ``.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    return {one.name: await _remember(memory, one, now) for one in pipelines}


async def _remember(memory: StepMemory, pipeline: Pipeline, now: str) -> tuple[Version, ...]:
    loaded = Version(now, creating(pipeline))
    log = _log.info
    while True:
        kept = await memory.recall(_name(pipeline))
        versions = _read(kept)
        if versions is None:  # a newer release wrote it, or it is damaged: do not overwrite it
            _log.error("pipeline.steps_unreadable", pipeline=pipeline.name)
            return (loaded,)
        if loaded.steps in [version.steps for version in versions]:
            break
        versions = (*versions, loaded)
        if await memory.replace(_name(pipeline), kept, _written(versions)):
            log = _log.warning
            break
    for step, what in departures(pipeline, versions):
        log("pipeline.changed", pipeline=pipeline.name, step=step, what=what)
    return versions


def _name(pipeline: Pipeline) -> str:
    return f"steps/{pipeline.name}"


def _read(text: str | None) -> tuple[Version, ...] | None:
    """The versions in a text; None if it cannot be read."""
    if text is None:
        return ()
    try:
        document = orjson.loads(text)
        if document["form"] != FORM:
            return None
        return tuple(
            Version(str(since), tuple((str(name), str(table)) for name, table in steps))
            for since, steps in document["versions"]
        )
    except (ValueError, TypeError, KeyError):
        return None


def _written(versions: tuple[Version, ...]) -> str:
    while True:
        pairs = [(version.since, version.steps) for version in versions]
        text = orjson.dumps({"form": FORM, "versions": pairs}).decode()
        if len(text) <= MOST_BYTES or len(versions) == 1:
            return text
        versions = versions[1:]
