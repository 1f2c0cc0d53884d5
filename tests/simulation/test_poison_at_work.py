"""Whole workers among many records, some of which are never taken: nobody is held up by them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from twins.backlog import Backlog, old_call, p95
from twins.dynamics import Failure
from twins.loop import now, run
from worker.dynamics.errors import Unavailable
from worker.dynamics.protocol import Request


HOUR_S = 3600.0

Refuses = Callable[[Request], bool]


def answered_503(refuses: Refuses) -> Callable[[Request], Failure | None]:
    def script(request: Request) -> Failure | None:
        writes = request.method != "GET"
        return Failure(Unavailable("503", status=503)) if writes and refuses(request) else None

    return script


def about(calls: range) -> Refuses:
    """What is about one of these calls, as its create says; later changes of it too."""
    ids, keys = {old_call(number).id for number in calls}, set[str]()

    def is_about(request: Request) -> bool:
        body = request.body or {}
        if request.method == "POST" and body.get("subject") in ids:
            keys.add(str(body["activityid"]))
        return body.get("activityid") in keys or any(key in request.path for key in keys)

    return is_about


async def parked(site: Backlog) -> int:
    return len(await site.store.parked("", 100_000))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "due", [pytest.param(10_000, marks=pytest.mark.judge, id="10000"), pytest.param(200, id="200")]
)
def test_an_hour_in_which_no_write_is_answered_parks_nobody_and_all_is_written_after_it(
    due: int,
) -> None:
    async def world() -> tuple[int, int, float | None]:
        site = Backlog()
        await site.lay_up(due)
        site.dynamics.script = answered_503(lambda _: now() < HOUR_S)
        await site.run(2 * HOUR_S)
        return await parked(site), len(site.dynamics.records), await site.store.next_due()

    aside, written, next_due = run(world())
    assert aside == 0
    assert written >= due
    assert next_due is None


def test_a_tail_of_nothing_but_200_poisoned_records_ends_and_all_are_parked() -> None:
    async def world() -> tuple[int, float | None]:
        site = Backlog()
        await site.lay_up(1)
        await site.run(60)
        site.dynamics.script = answered_503(about(range(1, 201)))
        await site.lay_up(201)
        await site.run(4 * HOUR_S)
        return await parked(site), await site.store.next_due()

    assert run(world()) == (200, None)


def test_with_30_of_200_records_poisoned_the_others_wait_hardly_longer() -> None:
    async def until_written(poisoned: range) -> list[float]:
        site, poison, done = Backlog(), about(poisoned), dict[str, float]()

        def noted(request: Request) -> bool:
            refused = poison(request)
            if not refused and request.method == "POST":
                done[str((request.body or {})["activityid"])] = now()
            return refused

        site.dynamics.script = answered_503(noted)
        await site.lay_up(200)
        await site.run(HOUR_S)
        assert await parked(site) == len(poisoned)
        assert len(done) == 200 - len(poisoned)
        return list(done.values())

    with_poison, without = (
        run(until_written(poisoned)) for poisoned in (range(0, 180, 6), range(0))
    )
    assert p95(with_poison) <= 1.2 * p95(without)
