"""What operators see of pushing: steps that are done, fail or are parked, and how fresh it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from twins.calls import Call
from twins.dynamics import Failure
from twins.loop import wall
from twins.rig import Rig
from worker.dynamics.errors import Refused, Unavailable
from worker.engine.freshness import LAPSE_S, MOST, Freshness


MakeRig = Callable[..., Rig]

STEP = "phonecall/STEP2"
AT_FAULT = Unavailable("POST phonecalls answered 500", status=500, code="0x80040265")


class Watched:
    """A rig whose steps are counted."""

    def __init__(self, make_rig: MakeRig) -> None:
        self.rig = make_rig()
        self.steps: Counter[tuple[str, str]] = Counter()
        self.rig.push.transactions.reports.stepped = self.count

    def count(self, steps: Sequence[str], outcome: str) -> None:
        self.steps.update((step, outcome) for step in steps)

    def oldest(self, push: Rig | None = None) -> float | None:
        transactions = (push or self.rig).push.transactions
        return transactions.freshness.oldest(wall())


@pytest.fixture
def watched(make_rig: MakeRig) -> Watched:
    return Watched(make_rig)


async def test_a_step_that_succeeds_is_told_as_done(watched: Watched, call: Call) -> None:
    await watched.rig.tell(call.begun())
    await watched.rig.run(1)
    assert watched.steps == {(STEP, "done"): 1}
    assert watched.oldest() is None


async def test_a_step_whose_record_is_refused_is_told_as_parked(
    watched: Watched, call: Call
) -> None:
    error = Refused("POST phonecalls answered 400", status=400, code="0x80044331")
    watched.rig.dynamics.script = lambda r: Failure(error) if r.method == "POST" else None
    await watched.rig.tell(call.begun())
    await watched.rig.run(1)
    assert watched.steps == {(STEP, "parked"): 1}
    assert watched.oldest() is None


async def test_each_try_without_an_answer_is_told_as_failed_and_the_success_as_done(
    watched: Watched, call: Call
) -> None:
    watched.rig.dynamics.script = lambda r: Failure(AT_FAULT) if r.method != "GET" else None
    await watched.rig.tell(call.begun())
    await watched.rig.run(30)
    assert watched.steps[STEP, "failed"] > 1
    assert not watched.steps[STEP, "done"]
    watched.rig.dynamics.script = lambda _request: None
    await watched.rig.run(300)
    assert watched.steps[STEP, "done"] == 1


async def test_what_is_tried_in_vain_is_as_old_as_when_it_first_came_due_until_it_is_done(
    watched: Watched, call: Call
) -> None:
    came = wall()
    watched.rig.dynamics.script = lambda r: Failure(AT_FAULT) if r.method != "GET" else None
    await watched.rig.tell(call.begun())
    for _ in range(3):
        await watched.rig.run(60)
        assert watched.oldest() == pytest.approx(came, abs=1)
    watched.rig.dynamics.script = lambda _request: None
    await watched.rig.run(300)
    assert watched.oldest() is None
    assert (await watched.rig.entry(call.id)).contact.owed_since is None


async def test_another_worker_knows_how_long_a_contact_has_waited_before_it_took_it(
    watched: Watched, call: Call
) -> None:
    came = wall()
    watched.rig.dynamics.script = lambda r: Failure(AT_FAULT) if r.method != "GET" else None
    await watched.rig.tell(call.begun())
    await watched.rig.run(60)
    other = watched.rig.another()
    await watched.rig.run(120, other)
    assert other.transactions.freshness.oldest(wall()) == pytest.approx(came, abs=1)


def test_a_contact_that_another_worker_took_over_is_not_remembered_here() -> None:
    freshness = Freshness()
    freshness.tried("a", 1.0, again_at=100.0)
    assert freshness.oldest(100.0 + LAPSE_S) == 1.0
    assert freshness.oldest(101.0 + LAPSE_S) is None


def test_however_many_contacts_fail_so_many_are_remembered_and_the_first_among_them() -> None:
    freshness = Freshness()
    for n in range(MOST + 10):
        freshness.tried(str(n), float(n), again_at=9e9)
    assert len(freshness._behind) == MOST
    assert freshness.oldest(0.0) == 0.0
