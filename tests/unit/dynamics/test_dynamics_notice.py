"""The notice: what is written is read again, and what is damaged is not believed."""

from __future__ import annotations

import pytest

from hypothesis import given
from hypothesis import strategies as st

from gating import DAMAGED_NOTICES
from worker.dynamics.notice import Notice, NoticeError
from worker.dynamics.reasons import LOCAL, Reason


def test_a_notice_is_stored_in_the_form_that_other_releases_read() -> None:
    notice = Notice(7, Reason.OUTAGE, "no answer", 2.5, "w1", 20, {"w0": 3, "w1": 4})
    assert notice.to_text() == (
        '{"form":1,"turn":7,"reason":"outage","cause":"no answer","retry_s":2.5,"owner":"w1",'
        '"hint":20,"beats":{"w0":3,"w1":4}}'
    )


@given(
    st.builds(
        Notice,
        version=st.integers(0, 2**40),
        reason=st.sampled_from([reason for reason in Reason if reason not in LOCAL]),
        cause=st.text(),
        retry_s=st.floats(0, 300),
        prober=st.text(),
        hint=st.integers(0, 100),
        heartbeats=st.dictionaries(st.text(), st.integers(0, 2**40)),
    )
)
def test_a_notice_is_read_as_it_was_written(notice: Notice) -> None:
    assert Notice.from_text(notice.to_text()) == notice


@pytest.mark.parametrize("text", [None, "", '{"later": 1}'])
def test_of_nothing_and_of_unknown_fields_comes_an_empty_notice(text: str | None) -> None:
    assert Notice.from_text(text) == Notice()


@pytest.mark.parametrize("text", DAMAGED_NOTICES)
def test_what_is_damaged_is_no_notice(text: str) -> None:
    with pytest.raises(NoticeError) as caught:
        Notice.from_text(text)
    assert not caught.value.newer


def test_a_pause_in_a_notice_is_never_longer_than_the_longest_there_can_be() -> None:
    assert Notice.from_text('{"retry_s": 1e300, "reason": "outage"}').retry_s == 300
