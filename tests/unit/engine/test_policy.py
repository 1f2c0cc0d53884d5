"""What the failure of one action means, for each kind of failure there is."""

from __future__ import annotations

import pytest

from pipelines.action import Change, Verb
from pipelines.contact import Contact
from twins.rig import Rig
from worker.dynamics.errors import (
    DynamicsError,
    NotSent,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.engine.containment import FIRST_PAUSE_S
from worker.engine.policy import (
    AT_ONCE,
    RETRY_S,
    Policy,
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
def test_a_request_of_which_nothing_definitive_came_is_tried_again_after_a_pause(
    policy: Policy, error: DynamicsError, unanswered: bool, pause_s: float
) -> None:
    assert is_unanswered(error) is unanswered
    verdict = policy.of_dynamics(Contact("c"), WRITE, error)
    assert verdict == TryAgain(pause_s * 1.5)  # a half is chance


def test_a_contact_that_alone_gets_no_answer_waits_twice_as_long_each_time(policy: Policy) -> None:
    contact = Contact("c")
    said = [policy.of_dynamics(contact, WRITE, Unavailable("no answer")) for _ in range(3)]
    assert said == [TryAgain(FIRST_PAUSE_S * 1.5 * factor) for factor in (1, 2, 4)]


def test_what_is_left_after_a_round_goes_at_once_and_only_after_several_rounds_later(
    policy: Policy,
) -> None:
    said = [policy.unfinished("c") for _ in range(7)]
    assert said == [AT_ONCE] * 5 + [TryAgain(FIRST_PAUSE_S), TryAgain(2 * FIRST_PAUSE_S)]
