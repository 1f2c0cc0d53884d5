"""A monkey in push: every single call inside one contact's round raises, whatever it is.

A profiler sees each call and each return of a function of ours; while one contact's round is on
the stack, the one that the test is about raises. So no list of calls has to be kept.
"""

from __future__ import annotations

import dis
import sys

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from types import CodeType, FrameType
from typing import Any

import pytest

from structlog.testing import capture_logs

from twins.calls import Call
from twins.loop import run
from twins.rig import Rig
from worker.definitions import find
from worker.engine import containment
from worker.engine.push import Push
from worker.operations.parked import parked_writes, retry_parked


#: What may be raised.
KINDS = (
    TypeError("'NoneType' has no attribute"),
    KeyError("+15550100200"),
    ValueError("+15550100200"),
    OverflowError("integer exceeds 64-bit range"),
    RecursionError("maximum recursion depth exceeded"),
    ZeroDivisionError("division by zero"),
    AssertionError(),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    RuntimeError("anything"),
    ExceptionGroup("some", [OSError(5, "Input/output error"), LookupError()]),
)

#: The boundary itself: what it calls may raise, it may not.
BOUNDARY = {
    ("worker.engine.push", "Push._guarded"),
    ("worker.engine.containment", "Containment.rest"),
    ("worker.faults", "Faults.note"),
    ("worker.faults", "fault_of"),
    ("worker.faults", "Fault.__str__"),
}

LONG = pytest.mark.timeout(900)

#: A contact is parked sooner here than in life (s), so that less time has to be lived through.
PARKED_S = 30.0
PAUSE_S = 5.0

#: Longer than any pause, and than it takes until a contact is parked.
LONG_S = PARKED_S + 10 * PAUSE_S


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containment, "PARK_AFTER_S", PARKED_S)
    monkeypatch.setattr(containment, "LONGEST_PAUSE_S", PAUSE_S)


#: A function of ours, and whether it raises before or after it has done its work.
Spot = tuple[str, str, str]


def _returns(frame: FrameType) -> bool:
    """Whether it really returns: a coroutine that waits leaves its frame as well."""
    return dis.opname[frame.f_code.co_code[frame.f_lasti]].startswith("RETURN")


@dataclass
class Monkey:
    """Raises at a spot while one contact's round is on the stack.

    Attributes:
        contact_id: Whose round.
        spot: Where; None: nowhere, it only looks.
        error: What it raises.
        always: Each time, and not the first time alone.
        seen: Every spot there was.
        raised: How often it has.
    """

    contact_id: str
    spot: Spot | None = None
    error: Exception = KINDS[0]
    always: bool = False
    seen: dict[Spot, None] = field(default_factory=dict)
    raised: int = 0
    guarded: CodeType = Push._guarded.__code__

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call" and (event != "return" or not _returns(frame)):
            return
        module = frame.f_globals.get("__name__", "")
        name = frame.f_code.co_qualname
        if not module.startswith(("worker.", "pipelines.")) or (module, name) in BOUNDARY:
            return
        if module.startswith("worker.sandbox."):  # the world, not the worker
            return
        spot = (module, name, "before" if event == "call" else "after")
        if spot != self.spot and self.spot is not None:
            return
        if not self._inside(frame):
            return
        self.seen[spot] = None
        if spot == self.spot and (self.always or not self.raised):
            self.raised += 1
            raise type(self.error)(*self.error.args)  # a new one, without a history

    def _inside(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code is self.guarded:
                return bool(frame.f_locals["contact_id"] == self.contact_id)
            frame = frame.f_back
        return False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Python takes a profiler away once it has raised, so each round brings it back."""
        original = Push._guarded
        monkey = self

        async def guarded(push: Push, contact_id: str) -> None:
            if contact_id != monkey.contact_id:
                return await original(push, contact_id)
            sys.setprofile(monkey)
            try:
                return await original(push, contact_id)
            finally:
                sys.setprofile(None)

        Push._guarded = guarded  # type: ignore[assignment,method-assign]
        try:
            yield
        finally:
            Push._guarded = original  # type: ignore[method-assign]


async def tell(rig: Rig, calls: list[Call]) -> None:
    for call in calls:
        await rig.tell(call.begun(), call.record())


async def quiet(rig: Rig, calls: list[Call], monkey: Monkey) -> None:
    """A world in which nothing is wrong; the monkey only looks."""
    await tell(rig, calls)
    with monkey.at_work():
        await rig.run(60)


async def tried(rig: Rig, calls: list[Call], monkey: Monkey) -> None:
    """A world with the monkey in it, until all is at rest; then without, and retried."""
    await tell(rig, calls)
    with monkey.at_work():
        await rig.run(LONG_S)
    assert monkey.raised
    entries = await rig.store.load([call.id for call in calls])
    assert all(entry.due_at is None and not entry.fault for entry in entries[1:])
    assert all(entry.claimed_until <= rig.clock.wall() for entry in entries)
    assert len(rig.dynamics.records) >= len(calls) - 1
    async for write in parked_writes(rig.store):
        assert write.contact_id == calls[0].id
        await retry_parked(rig.store, write, rig.clock)
    await rig.run(LONG_S, rig.another())
    assert [entry.fault for entry in await rig.store.load([calls[0].id])] == [None]


def lived(story: Callable[..., Any], rig: Rig, *rest: Any) -> dict[Any, Any]:
    """What Dynamics holds after a story, in virtual time of its own."""
    with capture_logs():
        run(story(rig, *rest))
    return dict(rig.dynamics.records)


#: (spot, error, always): which of all are tried.
Choice = Callable[[list[Spot]], list[tuple[Spot, Exception, bool]]]


def each_once(spots: list[Spot]) -> list[tuple[Spot, Exception, bool]]:
    """Each spot, with kinds of errors in turn, once and always in turn."""
    return list(zip(spots, cycle(KINDS), cycle((False, False, True)), strict=False))


def some_once(spots: list[Spot]) -> list[tuple[Spot, Exception, bool]]:
    """Every fourth of them: a sample for each day."""
    return each_once(spots)[::4]


def each_always(spots: list[Spot]) -> list[tuple[Spot, Exception, bool]]:
    """The same the other way round."""
    return list(zip(spots, cycle(KINDS[::-1]), cycle((True, True, False)), strict=False))


#: A round that the monkey broke off in mid-air is closed by the garbage collector, past it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SLOW = [pytest.mark.judge, LONG]


@pytest.mark.parametrize(
    ("pipeline_name", "chosen"),
    [
        pytest.param("timeline", some_once, marks=LONG),
        pytest.param("timeline", each_once, marks=SLOW),
        pytest.param("timeline", each_always, marks=SLOW),
        pytest.param("phonecall", each_always, marks=SLOW),
    ],
)
def test_whatever_raises_in_one_contacts_round_the_others_are_written_and_it_comes_right(
    make_rig: Callable[..., Rig],
    calls: Callable[[int], list[Call]],
    chosen: Choice,
    pipeline_name: str,
) -> None:
    some = calls(3)
    make = partial(make_rig, [find(pipeline_name)], patience_s=1.0)
    lived(quiet, make(), some, Monkey(some[0].id))  # what is cached is called no more from here on
    onlooker = Monkey(some[0].id)
    expected = lived(quiet, make(), some, onlooker)
    assert len(expected) >= len(some)
    assert len(onlooker.seen) > 300
    wrong = []
    for spot, error, always in chosen(list(onlooker.seen)):
        monkey = Monkey(some[0].id, spot, error, always=always)
        try:
            assert lived(tried, make(), some, monkey) == expected
        except (Exception, ExceptionGroup) as failure:  # noqa: BLE001 - all are told, at the end
            wrong.append((spot, always, type(error).__name__, repr(failure)[:300]))
    assert not wrong, "\n".join(map(str, wrong))
