"""The one retry: growing pauses that are partly chance, a stop, a deadline, every failure told."""

from __future__ import annotations

import asyncio

from collections.abc import Callable

import pytest

from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from worker import aws
from worker.clock import BACKOFF_FIRST_S, BACKOFF_LONGEST_S, Clock
from worker.errors import StoreUnavailable
from worker.retry import LASTING_S, retry_until


class Time:
    """Time that sleeping moves, and chance that comes as drawn; notes how long was slept."""

    def __init__(self, chances: list[float] | None = None) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._chances = iter(chances or [])

    @property
    def clock(self) -> Clock:
        return Clock(lambda: 0.0, lambda: self.now, self.sleep, lambda: next(self._chances, 0.5))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Failing:
    """Fails so many times, then answers with the number of the try; each takes ``took_s``."""

    def __init__(self, time: Time, failures: int, took_s: float = 0.0) -> None:
        self.tries: list[float] = []
        self._time = time
        self._failures = failures
        self._took_s = took_s

    async def __call__(self) -> int:
        self.tries.append(self._time.now)
        self._time.now += self._took_s
        if len(self.tries) <= self._failures:
            raise StoreUnavailable(str(len(self.tries)))
        return len(self.tries)


def ignored(_failure: Exception, _pause_s: float) -> None:
    pass


chances = st.lists(st.floats(0, 1, exclude_max=True), max_size=20)


@given(failures=st.integers(0, 20), drawn=chances)
async def test_every_failure_is_reported_with_the_pause_that_follows(
    failures: int, drawn: list[float]
) -> None:
    time = Time(drawn)
    told: list[tuple[str, float]] = []
    answer = await retry_until(
        Failing(time, failures),
        clock=time.clock,
        errors=(StoreUnavailable,),
        failed=lambda failure, pause_s: told.append((str(failure), pause_s)),
    )
    assert answer == failures + 1
    assert told == [(str(n + 1), pause_s) for n, pause_s in enumerate(time.slept)]
    assert len(told) == failures


@given(failures=st.integers(0, 20), drawn=chances)
async def test_pauses_double_up_to_the_longest_and_half_of_each_is_chance(
    failures: int, drawn: list[float]
) -> None:
    time = Time(drawn)
    await retry_until(
        Failing(time, failures), clock=time.clock, errors=(StoreUnavailable,), failed=ignored
    )
    for n, pause_s in enumerate(time.slept):
        whole_s = min(BACKOFF_FIRST_S * 2**n, BACKOFF_LONGEST_S)
        chance = drawn[n] if n < len(drawn) else 0.5
        assert whole_s / 2 <= pause_s <= whole_s
        assert pause_s == pytest.approx(whole_s * (1 + chance) / 2)


@given(drawn=chances, deadline=st.floats(0, 200), took_s=st.floats(0, 20))
async def test_no_try_begins_at_the_deadline_or_later_and_the_last_failure_is_raised(
    drawn: list[float], deadline: float, took_s: float
) -> None:
    time = Time(drawn)
    call = Failing(time, 1_000, took_s)
    with pytest.raises(StoreUnavailable) as raised:
        await retry_until(
            call,
            clock=time.clock,
            errors=(StoreUnavailable,),
            failed=ignored,
            deadline=deadline,
        )
    assert str(raised.value) == str(len(call.tries))
    assert call.tries[0] == 0.0  # the first try is made in any case
    assert all(at < deadline for at in call.tries[1:])
    assert time.now <= max(deadline, 0.0) + took_s  # nor is the rest of the time slept through


@given(seconds=st.floats(0.01, 100))
async def test_a_stop_ends_a_pause_at_once(seconds: float) -> None:
    stop = asyncio.Event()
    time = Time()

    async def sleep(pause_s: float) -> None:
        if time.now + pause_s >= seconds:  # the stop comes in the middle of this pause
            stop.set()
            await asyncio.Event().wait()
        time.now += pause_s

    clock = Clock(monotonic=lambda: time.now, sleep=sleep, chance=lambda: 0.5)
    call = Failing(time, 1_000)
    answer = await retry_until(
        call, clock=clock, errors=(StoreUnavailable,), failed=ignored, stop=stop
    )
    assert answer is None
    assert all(at < seconds for at in call.tries)


async def test_a_try_that_has_begun_is_finished_after_the_stop() -> None:
    stop, time = asyncio.Event(), Time()

    async def call() -> str:
        stop.set()
        await asyncio.sleep(0)
        return "acknowledged"

    answer = await retry_until(
        call, clock=time.clock, errors=(StoreUnavailable,), failed=ignored, stop=stop
    )
    assert answer == "acknowledged"


async def test_what_is_not_to_be_tried_again_is_raised_at_once_and_not_reported() -> None:
    time = Time()

    async def call() -> None:
        raise KeyError

    def never(_failure: Exception, _pause_s: float) -> None:
        pytest.fail("reported")

    with pytest.raises(KeyError):
        await retry_until(call, clock=time.clock, errors=(StoreUnavailable,), failed=never)
    assert time.slept == []


async def test_whoever_is_told_of_a_failure_may_end_the_tries() -> None:
    time = Time()
    call = Failing(time, 10)

    def patient(failure: Exception, _pause_s: float) -> None:
        if str(failure) == "3":
            raise failure

    with pytest.raises(StoreUnavailable):
        await retry_until(call, clock=time.clock, errors=(StoreUnavailable,), failed=patient)
    assert len(call.tries) == 3


async def test_after_a_try_that_went_on_for_long_the_pauses_begin_anew() -> None:
    time = Time([0.0] * 10)
    lasting = iter([0.0, 0.0, LASTING_S + 1, 0.0])

    async def call() -> None:
        if (seconds := next(lasting, None)) is not None:
            time.now += seconds
            raise StoreUnavailable("closed")

    await retry_until(call, clock=time.clock, errors=(StoreUnavailable,), failed=ignored)
    first = BACKOFF_FIRST_S / 2
    assert time.slept == [first, 2 * first, first, 2 * first]


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "GetRecords")


@pytest.mark.parametrize(
    ("failure", "code", "mends"),
    [
        (StoreUnavailable("locked"), "StoreUnavailable", True),
        (refusal("ThrottlingException"), "ThrottlingException", True),
        (refusal("AccessDeniedException"), "AccessDeniedException", True),
        (refusal("ValidationException"), "ValidationException", False),
    ],
)
async def test_what_aws_refuses_for_good_is_reported_and_raised(
    failure: Exception, code: str, *, mends: bool
) -> None:
    time, reported = Time(), list[str]()
    left = iter([failure])

    async def call() -> str:
        for one in left:
            raise one
        return "done"

    async def attempt() -> str:
        hook: Callable[[Exception, float], None] = aws.reporting(reported.append)
        return await retry_until(call, clock=time.clock, errors=aws.OUTSIDE, failed=hook)

    if mends:
        assert await attempt() == "done"
    else:
        with pytest.raises(type(failure)):
            await attempt()
    assert reported == [code]
