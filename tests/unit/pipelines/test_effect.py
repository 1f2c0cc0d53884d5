"""What came of a page, as the ledger keeps it: in this release's words and in earlier ones'."""

from __future__ import annotations

from typing import get_args

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.effect import PENDING, WHY, Effect, Outcome, is_final
from pipelines.live import LIVE_WITHIN_S, SOON_S, Expired


AT = 1_767_323_021.5
OUTCOMES = [*get_args(Outcome), "waiting", "dropped"]


@given(
    st.sampled_from(OUTCOMES),
    st.none() | st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000),
    st.just("") | st.from_regex(r"\A[A-Za-z][A-Za-z ]{0,40}[a-z]\Z"),
)
def test_what_is_kept_is_what_is_read(outcome: str, at: float | None, detail: str) -> None:
    assert Effect.read(str(Effect(outcome, at, detail))) == Effect(outcome, at, detail)


@pytest.mark.parametrize(
    ("word", "state", "says"),
    [
        ("done", "unknown", "did not tell whether it was shown or only logged"),
        ("expired", "expired", "an earlier release did not say why"),
        ("refused", "expired", "Connect did not take it: an earlier release did not say why"),
        ("dropped", "dropped", "an operator dropped it"),
    ],
)
def test_the_words_of_earlier_releases_are_understood(word: str, state: str, says: str) -> None:
    effect = Effect.read(word)
    assert (effect.state, effect.when) == (state, "")
    assert says in effect.why
    assert is_final(word)


def test_only_what_is_shown_and_what_is_logged_needs_no_reason() -> None:
    assert {one for one in OUTCOMES if not WHY.get(one)} == {"shown", "logged"}


def test_what_is_delayed_or_waits_may_still_come_and_all_else_is_over() -> None:
    assert [one for one in OUTCOMES if not is_final(str(Effect(one, AT, "x")))] == [*PENDING]
    assert not is_final(None)


def test_the_log_alone_is_never_called_shown() -> None:
    assert Effect.read(str(Effect("logged", AT))).state == "logged"


# --- why a page was not shown ---

SINCE = AT


def judged(expired: Expired, heard: float, now: float = SINCE + 100) -> tuple[str, str]:
    effect = expired.judged(SINCE + heard, now)
    return effect.outcome, effect.why


def late(outcome: str = "", detail: str = "", ended: float | None = None) -> Expired:
    end = None if ended is None else SINCE + ended
    return Expired(True, outcome, detail, SINCE, end)  # type: ignore[arg-type] # by its value


@pytest.mark.parametrize(
    ("expired", "heard", "outcome", "says"),
    [
        (late(), 75, "heard_late", "it was 75 s before the worker heard of it"),
        (late(), 3, "worker_late", "the worker came to it too late: 100 s"),
        (late("record_late", "for CALL"), 3, "record_late", "it waited for CALL"),
        (late("record_late", "for CALL"), 75, "heard_late", "75 s before"),
        (late("value_missing"), 3, "value_missing", "a value of its page never came"),
        (late(ended=20), 20.5, "ended_first", "the contact ended first"),
        (late(ended=20), 20 - SOON_S / 2, "ended_first", "the contact ended first"),
        (late(ended=20), 3, "worker_late", "too late"),
        (late("record_late", "for CALL", ended=20), 30, "ended_first", "ended first"),
        (late(ended=300), 400, "heard_late", "it was 400 s before"),
        (late(ended=300), 3, "worker_late", "too late"),
        (late("refused", "Busy"), 75, "refused", "Connect did not take it: Busy"),
        (late("replayed"), 9_000, "replayed", "it was replayed"),
        (late("no_record", "no: a side leg"), 3, "no_record", "no: a side leg"),
    ],
)
def test_a_page_that_was_not_shown_says_whose_lateness_it_was(
    expired: Expired, heard: float, outcome: str, says: str
) -> None:
    found, why = judged(expired, heard)
    assert found == outcome
    assert says in why


def test_a_minute_after_the_answer_is_the_last_moment_to_hear_of_it() -> None:
    assert judged(late(), LIVE_WITHIN_S)[0] == "worker_late"
    assert judged(late(), LIVE_WITHIN_S + 1)[0] == "heard_late"


def test_what_the_worker_has_known_for_long_is_not_late_news_however_often_it_was_tried() -> None:
    waited = Expired(True, "record_late", "for its record", SINCE, None, SINCE + 2)
    assert judged(waited, 300)[0] == "record_late"


def test_without_a_time_of_the_milestone_it_is_not_called_late_news() -> None:
    assert Expired(True).judged(SINCE, SINCE + 5).outcome == "worker_late"
