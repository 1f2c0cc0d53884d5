"""What the failure of one action means, for each kind of failure there is."""

from __future__ import annotations

import pytest

from pipelines.action import Change, Verb
from pipelines.contact import Contact
from twins.rig import Rig
from worker.dynamics.errors import (
    Busy,
    DynamicsError,
    NotSent,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.reasons import GateClosed, Reason
from worker.engine.containment import FIRST_PAUSE_S
from worker.engine.policy import (
    AT_ONCE,
    RETRY_S,
    UNANSWERED_TRIES,
    Policy,
    PutOff,
    SetAside,
    TryAgain,
    is_unanswered,
)


@pytest.fixture
def policy(rig: Rig) -> Policy:
    return rig.push.transactions.policy


WRITE = Change(Verb.UPDATE, ("p/s",), "phonecalls(1)")


@pytest.mark.parametrize(
    ("error", "unanswered", "pause_s"),
    [
        (Unavailable("answered 503", status=503), True, FIRST_PAUSE_S),
        (NotSent("no slot came free in time"), False, RETRY_S),
        (Throttled("answered 429", retry_after_s=30.0), False, RETRY_S),
        (Unauthorized("answered 401", status=401), False, RETRY_S),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_request_of_which_nothing_definitive_came_is_tried_again_after_a_pause(
    policy: Policy, error: DynamicsError, unanswered: bool, pause_s: float
) -> None:
    assert is_unanswered(error) is unanswered
    verdict = await policy.of_dynamics(Contact("c"), WRITE, error)
    assert verdict == TryAgain(pause_s * 1.5)  # a half is chance


async def test_a_contact_that_alone_gets_no_answer_waits_twice_as_long_each_time(
    policy: Policy,
) -> None:
    contact = Contact("c")
    said = [await policy.of_dynamics(contact, WRITE, Unavailable("no answer")) for _ in range(3)]
    assert said == [TryAgain(FIRST_PAUSE_S * 1.5 * factor) for factor in (1, 2, 4)]
    assert contact.failures == {"update phonecalls(1)": 0}, "without a witness nothing counts"


async def test_a_429_that_is_about_one_record_has_it_wait_as_long_as_it_says(
    policy: Policy,
) -> None:
    contact = Contact("c")
    said = [
        await policy.of_dynamics(contact, WRITE, Busy("answered 429", retry_after_s=wait_s))
        for wait_s in (77.0, 0.0)
    ]
    assert said == [TryAgain(77.0), TryAgain(FIRST_PAUSE_S * 1.5 * 2)]


async def test_what_the_closed_gate_did_not_let_through_keeps_its_place(policy: Policy) -> None:
    closed = GateClosed(Reason.OUTAGE, 99.0)
    assert await policy.of_dynamics(Contact("c"), WRITE, closed) == AT_ONCE


async def test_tries_that_count_have_the_action_put_off_and_parked_in_the_end(
    rig: Rig, policy: Policy
) -> None:
    contact, error = Contact("c"), Unavailable("answered 500", status=500)
    said = []
    for number in range(UNANSWERED_TRIES + 1):
        said.append(await policy.of_dynamics(contact, WRITE, error))
        rig.gate.breaker.succeeded(f"phonecalls(other{number})")
    pauses = [FIRST_PAUSE_S * 1.5 * 2**n for n in range(UNANSWERED_TRIES)]
    assert said == [TryAgain(pauses[0]), *map(PutOff, pauses[1:]), SetAside(error)]


async def test_what_succeeds_of_the_same_record_is_no_witness(rig: Rig, policy: Policy) -> None:
    contact = Contact("c")
    for _ in range(UNANSWERED_TRIES + 2):
        said = await policy.of_dynamics(contact, WRITE, Unavailable("answered 500", status=500))
        rig.gate.breaker.succeeded(WRITE.record)
        rig.gate.breaker.succeeded("contacts?$top=1", writes=False)
    assert isinstance(said, TryAgain)


def test_what_is_left_after_a_round_goes_at_once_and_only_after_several_rounds_later(
    policy: Policy,
) -> None:
    said = [policy.unfinished("c") for _ in range(7)]
    assert said == [AT_ONCE] * 5 + [TryAgain(FIRST_PAUSE_S), TryAgain(2 * FIRST_PAUSE_S)]
