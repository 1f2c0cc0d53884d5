"""Remembered steps: the versions that pipelines had, in the state."""

from __future__ import annotations

import asyncio

from typing import Any

import orjson
import pytest

from structlog.testing import capture_logs

from pipelines.changes import Version, creating
from pipelines.loader import load
from pipelines.pipeline import Pipeline
from worker.engine.remembered_steps import MOST_BYTES, recall_steps, remember_steps
from worker.stores.memory import MemoryStore


FIRST, SECOND = "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"


def version(*names: str) -> Pipeline:
    return load('name = "p"' + "".join(step(name) for name in names))


def step(name: str) -> str:
    return f"""
[[step]]
name = "{name}"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{{}}'
"""


async def test_each_version_is_remembered_once_with_when_it_came_first() -> None:
    store, old, new = MemoryStore(), version("A"), version("B", "C")
    assert await recall_steps(store, [old]) == {"p": ()}
    await remember_steps(store, [old], FIRST)
    for one in (old, new, new, old):
        known = await remember_steps(store, [one], SECOND)
    both = (Version(FIRST, creating(old)), Version(SECOND, creating(new)))
    assert known == {"p": both}
    assert await recall_steps(store, [old]) == {"p": both}


async def test_two_workers_that_start_at_once_forget_nothing_of_each_other() -> None:
    store, each = MemoryStore(), [version(name) for name in "ABCD"]

    class Slow:
        async def recall(self, name: str) -> str | None:
            known = await store.recall(name)
            await asyncio.sleep(0)
            return known

        async def replace(self, name: str, old: str | None, new: str) -> bool:
            return await store.replace(name, old, new)

    await asyncio.gather(*(remember_steps(Slow(), [one], FIRST) for one in each))
    known = (await recall_steps(store, each))["p"]
    assert {v.steps for v in known} == {creating(one) for one in each}


async def test_a_change_is_warned_of_the_first_time() -> None:
    store = MemoryStore()
    with capture_logs() as logs:
        for one in (version("A"), version("A"), version("B"), version("B")):
            await remember_steps(store, [one], FIRST)
    assert [(entry["event"], entry["log_level"], entry["step"]) for entry in logs] == [
        ("pipeline.changed", "warning", "A"),
        ("pipeline.changed", "info", "A"),
    ]
    assert "left as B came" in logs[0]["what"]


@pytest.mark.parametrize(
    "kept",
    ["", "junk", "[]", "{}", '{"form":2,"versions":[]}', '{"form":1,"versions":[1]}'],
)
async def test_what_cannot_be_read_is_left_alone_and_said(kept: str) -> None:
    store = MemoryStore()
    await store.remember("steps/p", kept)
    with capture_logs() as logs:
        known = await remember_steps(store, [version("A")], FIRST)
    assert known == {"p": (Version(FIRST, (("A", "phonecalls"),)),)}
    assert await store.recall("steps/p") == kept
    assert [entry["event"] for entry in logs] == ["pipeline.steps_unreadable"]


async def test_what_is_remembered_is_bounded_and_the_newest_is_kept() -> None:
    store, most = MemoryStore(), 12
    for n in range(most):
        names = [f"S{n}_{k}_{'x' * 2_000}" for k in range(5)]
        known: Any = await remember_steps(store, [version(*names)], FIRST)
    text = await store.recall("steps/p")
    assert text is not None
    assert MOST_BYTES / 2 < len(text) <= MOST_BYTES
    assert orjson.loads(text)["versions"][-1][1][0][0].startswith("S11_0_")
    assert known["p"][-1].steps == (await recall_steps(store, [version("A")]))["p"][-1].steps
