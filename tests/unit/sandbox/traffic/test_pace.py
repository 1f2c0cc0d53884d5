"""Stories told in less time than they would take: everything in its order, nothing too brief."""

from __future__ import annotations

from random import Random

import pytest

from worker.sandbox.traffic import KINDS, history
from worker.sandbox.traffic.pace import LEAST_TALK_MS


WITHIN_S = 7.5


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "voice_midnight"])
def test_every_kind_of_contact_can_be_told_in_seconds_and_in_the_same_order(kind: str) -> None:
    for seed in range(5):
        plain = history(kind, Random(seed))
        brief = history(kind, Random(seed), within_s=WITHIN_S)
        first = brief.contacts[0].initiated_ms
        talks = sum(leg.answered for leg in brief.contacts)
        most_ms = 1000 * WITHIN_S + 3 * talks * LEAST_TALK_MS
        for leg, true in zip(brief.contacts, plain.contacts, strict=True):
            assert leg.id == true.id
            assert leg.ended_ms - first <= most_ms
            assert leg.initiated_ms <= (leg.answered_ms or leg.disconnected_ms)
            if leg.answered_ms and true.answered_ms:
                told_ms = leg.disconnected_ms - leg.answered_ms
                true_ms = true.disconnected_ms - true.answered_ms
                assert min(true_ms, LEAST_TALK_MS) - 1 <= told_ms <= true_ms
                assert leg.hold_ms <= told_ms
            after = [one.at_ms - true.disconnected_ms for one in true.stored]
            assert [one.at_ms - leg.disconnected_ms for one in leg.stored] == after


def test_a_story_that_is_brief_already_stays_as_it_is() -> None:
    plain = history("voice_ivr_only", Random(1))
    same = history("voice_ivr_only", Random(1), within_s=100_000)
    assert same.contacts == plain.contacts
