"""Health: loops that do not go on are named, whether they hang, were dropped or ended."""

from __future__ import annotations

import asyncio

import pytest

from twins.clock import Turned
from worker import heartbeat
from worker.clock import Clock
from worker.heartbeat import STORE_SILENCE_S, Health


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
def health(clock: Turned) -> Health:
    return Health(Clock(monotonic=clock))


async def test_a_loop_that_beats_in_time_is_not_silent(health: Health, clock: Turned) -> None:
    heart = health.heart("push", 10)

    async def loop() -> None:
        for _ in range(5):
            clock.now += 9
            heartbeat.beat()

    await asyncio.create_task(loop(), context=heart.context())
    assert health.silent() == []


async def test_a_loop_that_ended_without_a_word_is_named(health: Health, clock: Turned) -> None:
    going, ended = health.heart("push", 10), health.heart("recordings", 10)
    await asyncio.create_task(asyncio.sleep(0), context=ended.context())
    clock.now += 11
    going.beat()
    assert health.silent() == ["recordings"]


def test_each_loop_has_its_own_longest_silence(health: Health, clock: Turned) -> None:
    health.heart("short", 10)
    health.heart("long", 100)
    clock.now += 50
    assert health.silent() == ["short"]
    clock.now += 51
    assert health.silent() == ["short", "long"]


async def test_tasks_that_a_loop_starts_beat_for_it(health: Health, clock: Turned) -> None:
    heart = health.heart("push", 10)

    async def work() -> None:
        heartbeat.beat()

    async def loop() -> None:
        await asyncio.create_task(work())

    clock.now += 11
    await asyncio.create_task(loop(), context=heart.context())
    assert health.silent() == []


async def test_a_part_is_watched_for_itself_and_only_while_it_lasts(
    health: Health, clock: Turned
) -> None:
    heart = health.heart("contact_events", 10)

    async def hang(until: asyncio.Event) -> None:
        with heartbeat.apart("shard-0"):
            await until.wait()
            heartbeat.beat()

    async def loop() -> None:
        over = asyncio.Event()
        part = asyncio.create_task(hang(over))
        await asyncio.sleep(0)
        clock.now += 11
        heartbeat.beat()
        assert health.silent() == ["contact_events/shard-0"]
        over.set()
        await part
        assert health.silent() == []

    await asyncio.create_task(loop(), context=heart.context())


async def test_a_loop_that_rests_may_be_silent_until_it_beats_again(
    health: Health, clock: Turned
) -> None:
    heart = health.heart("contact_events", 10)

    async def loop() -> None:
        heartbeat.rest()
        clock.now += 1e6
        assert health.silent() == []
        heartbeat.beat()
        clock.now += 11

    await asyncio.create_task(loop(), context=heart.context())
    assert health.silent() == ["contact_events"]


def test_where_nobody_watches_signs_of_life_do_nothing() -> None:
    heartbeat.beat()
    heartbeat.rest()
    heartbeat.connected()
    with heartbeat.apart("shard-0"):
        heartbeat.beat()


async def test_a_worker_is_ready_once_the_store_answers_and_every_source_was_reached(
    health: Health,
) -> None:
    hearts = [health.heart(name, 10, connects=True) for name in ("recordings", "contact_events")]
    health.heart("push", 10)
    assert health.awaited() == ["store", "contact_events", "recordings"]
    health.store_answered()

    async def loop() -> None:
        with heartbeat.apart("shard-0"):
            assert "contact_events/shard-0" not in health.awaited()
            heartbeat.connected()

    for heart in hearts:
        await asyncio.create_task(loop(), context=heart.context())
    assert health.awaited() == []


def test_a_store_that_fails_or_does_not_answer_any_more_makes_unready(
    health: Health, clock: Turned
) -> None:
    health.store_answered()
    assert health.awaited() == []
    health.store_failed()
    assert health.awaited() == ["store"]
    health.store_answered()
    clock.now += STORE_SILENCE_S + 1
    assert health.awaited() == ["store"]
