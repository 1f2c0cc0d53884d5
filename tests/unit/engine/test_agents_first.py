"""Agents first: whoever waits for a page does not wait behind a backlog that nobody looks at."""

from __future__ import annotations

import asyncio

from collections.abc import Collection

import pytest

from pipelines.live import LIVE_WITHIN_S
from twins.backlog import INSTANCE, RINGS_S, Backlog, new_call, old_call, p95
from twins.dynamics import Failure
from twins.loop import iso, wall
from worker.dynamics.errors import Unavailable
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateState
from worker.dynamics.slots import MAX_SLOTS
from worker.stores.buckets import ALL
from worker.stores.memory import MemoryStore


#: What is due after three hours without Dynamics; and where less of it shows the same.
OUTAGE = 10_000
SOME = 300

#: Calls that begin meanwhile, in a second, and for how long (s) this is watched.
CALLS_PER_S = 1.5
WATCHED_S = 25.0

#: What was sent in the minutes before: the budget's surplus is nearly spent.
SPENT = 5_700


def subjects(site: Backlog) -> list[str]:
    """The contacts whose record was made, in order."""
    posted = (r for _, r in site.way.sent_at if r.method == "POST")
    return [str((request.body or {})["subject"]) for request in posted]


async def test_after_an_outage_agents_see_their_page_at_once_and_the_backlog_keeps_its_share() -> (
    None
):
    site = Backlog()
    await site.lay_up(OUTAGE)
    site.way.spend(SPENT)
    await site.run(WATCHED_S, CALLS_PER_S)
    assert len(site.until_open) > 25
    assert p95(site.until_open) <= 1
    assert p95(site.until_written) <= 1
    backlog, live = site.sent_for(backlog=True), site.sent_for(backlog=False)
    assert backlog / (backlog + live) >= 0.8
    assert site.way.refused == 0


async def test_a_worker_that_does_not_look_who_waits_leaves_agents_behind_the_backlog() -> None:
    site = Backlog(agents_first=False)
    await site.lay_up(SOME * 3)
    site.way.spend(SPENT)
    await site.run(WATCHED_S, CALLS_PER_S)
    assert p95(site.until_open) > 10, "or the test above shows nothing"


async def test_a_flood_of_calls_does_not_starve_the_backlog() -> None:
    site = Backlog()
    await site.lay_up(SOME)
    site.way.spend(SPENT)
    await site.run(10, calls_per_s=30)
    backlog, live = site.sent_for(backlog=True), site.sent_for(backlog=False)
    assert 0.2 <= backlog / (backlog + live) < 0.4


async def test_when_dynamics_is_slow_and_all_slots_are_taken_the_next_free_one_is_an_agents() -> (
    None
):
    site = Backlog(latency_s=2.0)
    await site.lay_up(SOME)
    site.gate.slots._slots = float(MAX_SLOTS)
    await site.run(20, calls_per_s=0.5)
    # A lookup and a record, each of which takes two seconds, and a free slot for either.
    assert p95(site.until_written) <= 2 * 2.0 + 2 * 2.0


async def test_when_the_gate_opens_again_the_newest_call_goes_first_and_the_backlog_last() -> None:
    site, out = Backlog(), True

    def down(_request: Request) -> Failure | None:
        return Failure(Unavailable("down")) if out else None

    site.dynamics.script = down
    await site.lay_up(SOME)
    running = asyncio.create_task(site.run(120))
    await asyncio.sleep(30)
    assert site.gate.breaker.state is GateState.CLOSED
    ringing = []
    for number in range(3):
        ringing.append(asyncio.create_task(site.ring(number)))
        await asyncio.sleep(RINGS_S + 1)
    site.way.sent_at.clear()
    out = False
    await running
    assert subjects(site)[:3] == [new_call(n).id for n in (2, 1, 0)]
    assert len(subjects(site)) == SOME + 3
    await asyncio.gather(*ringing)


async def test_a_call_that_nobody_was_shown_in_time_takes_its_place_in_the_backlog() -> None:
    site = Backlog()
    site.way.spend(SPENT)
    at = {"initiationTimestamp": iso(wall()), "instanceArn": INSTANCE}
    await site.lay_up(SOME // 2)
    await site.tell(new_call(0).begun(**at))
    await asyncio.sleep(LIVE_WITHIN_S + 2)
    await site.tell(*(old_call(n).begun(**at) for n in range(SOME, SOME + 9)))
    await site.run(60)
    made = subjects(site)
    assert made.index(old_call(0).id) < made.index(new_call(0).id) < made.index(old_call(SOME).id)


@pytest.mark.parametrize("restarted", [True, False])
async def test_an_agent_does_not_wait_longer_because_the_worker_was_restarted_meanwhile(
    *, restarted: bool
) -> None:
    site = Backlog()
    await site.lay_up(SOME)
    await asyncio.sleep(300)
    call, at = new_call(0), iso(wall())
    said = {"initiationTimestamp": at, "instanceArn": INSTANCE}
    await site.tell(call.begun(**said), call.answered(at, **said))
    await site.run(5, push=site.worker() if restarted else None)
    assert subjects(site).index(call.id) < 20
    assert site.desktop.opened[call.id] < 302


async def test_the_page_is_opened_before_the_record_is_changed() -> None:
    site = Backlog()
    await site.run(20, calls_per_s=0.5)
    assert len(site.until_open) > 5
    assert max(site.until_open) == 0, "nothing was sent between"
    assert "PATCH" in [request.method for _, request in site.way.sent_at]


class Watched(MemoryStore):
    """Counts how often it is asked what is due."""

    asked = 0

    async def next_due(self, buckets: Collection[int] = ALL) -> float | None:
        self.asked += 1
        return await super().next_due(buckets)

    async def due(self, now: float, limit: int, buckets: Collection[int] = ALL) -> list[str]:
        self.asked += 1
        return await super().due(now, limit, buckets)


async def test_a_contact_that_another_worker_holds_is_not_asked_for_all_the_time() -> None:
    store = Watched()
    site = Backlog(store=store)
    call, at = new_call(0), iso(wall())
    said = {"initiationTimestamp": at, "instanceArn": INSTANCE}
    await site.tell(call.begun(**said))
    (entry,) = await store.load([call.id])
    entry.claim, entry.claimed_until = "another", wall() + 10
    await store.save([entry])
    await site.run(15)
    assert site.connect.written[call.id] == pytest.approx(10, abs=1.1)
    assert store.asked < 60


async def test_what_just_came_is_asked_for_once_and_when_it_is_done_what_is_next() -> None:
    store = Watched()
    site = Backlog(store=store)
    push = asyncio.create_task(site.push.run(asyncio.Event()))
    await asyncio.sleep(0.5)
    before = store.asked
    await site.tell(old_call(0).event("DISCONNECTED", disconnectTimestamp=iso(wall())))
    await asyncio.sleep(0.4)
    (entry,) = await store.load([old_call(0).id])
    assert entry.due_at is None
    # What is due; what else is while it is in hand, and when, as nothing is; at its end, when.
    assert store.asked - before == 4
    push.cancel()


async def test_on_trial_a_contact_that_somebody_waits_for_is_the_only_one_in_hand() -> None:
    site = Backlog(latency_s=5.0)
    site.gate.slots.one_at_a_time = True
    said = {"initiationTimestamp": iso(wall()), "instanceArn": INSTANCE}
    await site.tell(*(new_call(n).begun(**said) for n in range(3)))
    running = asyncio.create_task(site.run(2))
    await asyncio.sleep(1)
    assert len(site.push._in_hand) == 1
    await running
