"""What the failure of one action means, for each kind of failure there is."""

from __future__ import annotations

import pytest

from pipelines.contact import Contact
from twins.rig import Rig
from worker.dynamics.errors import (
    DynamicsError,
    Forbidden,
    NotSent,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.engine.containment import FIRST_PAUSE_S
from worker.engine.policy import (
    AT_ONCE,
    FORBIDDEN_TRIES,
    RETRY_S,
    Policy,
    SetAside,
    TryAgain,
    Verdict,
    is_unanswered,
)


@pytest.fixture
def policy(rig: Rig) -> Policy:
    return rig.push.transactions.policy


def forbidden() -> Forbidden:
    return Forbidden("answered 403", status=403, code="0x80040220")


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
    assert policy.of_dynamics(Contact("c"), error) == TryAgain(pause_s * 1.5)  # a half is chance


def test_a_contact_that_alone_gets_no_answer_waits_twice_as_long_each_time(policy: Policy) -> None:
    contact = Contact("c")
    said = [policy.of_dynamics(contact, Unavailable("no answer")) for _ in range(3)]
    assert said == [TryAgain(FIRST_PAUSE_S * 1.5 * factor) for factor in (1, 2, 4)]


def test_a_write_that_is_forbidden_to_one_contact_alone_is_parked_in_the_end(
    policy: Policy,
) -> None:
    contact = Contact("c")
    said = [policy.of_dynamics(contact, forbidden()) for _ in range(FORBIDDEN_TRIES)]
    expected: list[Verdict] = [TryAgain(RETRY_S * 1.5 * factor) for factor in (2, 4)]
    assert said == [*expected, SetAside()]
    assert contact.tries == 0  # an operator's retry gets as many tries again


async def test_a_403_on_several_contacts_counts_against_none_of_them(policy: Policy) -> None:
    contacts = [Contact(name) for name in "abc"]
    said = [policy.of_dynamics(contact, forbidden()) for contact in contacts]
    assert said[-1] == TryAgain(RETRY_S)
    assert contacts[-1].tries == 0


def test_what_is_left_after_a_round_goes_at_once_and_only_after_several_rounds_later(
    policy: Policy,
) -> None:
    said = [policy.unfinished("c") for _ in range(7)]
    assert said == [AT_ONCE] * 5 + [TryAgain(FIRST_PAUSE_S), TryAgain(2 * FIRST_PAUSE_S)]
