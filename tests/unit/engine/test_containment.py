"""A bug of ours on contacts: who waits, who is parked, and who tries again."""

from __future__ import annotations

import re

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from structlog.testing import capture_logs

from pipelines.contact import Contact
from pipelines.snapshot import Snapshot
from twins.calls import Call
from twins.rig import Rig
from worker.definitions import find
from worker.engine import revival
from worker.engine.containment import LONGEST_PAUSE_S, PARK_AFTER_S, PARK_TRIES, build_of
from worker.engine.ingest import DAMAGED, NEWER
from worker.engine.planner import Planner
from worker.engine.push import Push
from worker.operations.contact import described
from worker.operations.parked import FAULT, ParkedWrite, drop_parked, parked_writes, retry_parked
from worker.stores.protocol import FaultNote


HOUR_S = 3600.0


@dataclass(slots=True)
class Buggy(Planner):
    """A build that cannot plan some contacts."""

    breaks: Callable[[Contact], bool] = lambda _contact: True

    def plan(
        self, contact: Contact, seen: Snapshot | None = None, put_off: Container[str] = ()
    ) -> Any:
        if self.breaks(contact):
            raise TypeError(f"cannot plan {contact.record and contact.record.body!r}")
        return Planner.plan(self, contact, seen, put_off)


def build(rig: Rig, name: str, breaks: Callable[[Contact], bool] | None = None) -> Push:
    """One more worker on the rig's store, of a build of that name."""
    planner = rig.planner
    if breaks is not None:
        planner = Buggy(planner.pipelines, planner.terms, planner.clock, breaks=breaks)
    return rig.another(planner=planner, build=name)


@pytest.fixture(autouse=True)
def few_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours pass here; a look every second costs time and shows nothing more."""
    monkeypatch.setattr("worker.engine.push.LOOK_AGAIN_S", 5.0)


def of(*calls: Call) -> Callable[[Contact], bool]:
    ids = {call.id for call in calls}
    return lambda contact: contact.id in ids


async def notes(rig: Rig, *calls: Call) -> list[Any]:
    return [entry.fault for entry in await rig.store.load([call.id for call in calls])]


async def test_a_contact_that_fails_alone_waits_ever_longer_and_is_parked_after_an_hour(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    one, *others = calls(20)
    await rig.tell(*[call.begun() for call in (one, *others)])
    push = build(rig, "1+a", of(one))
    await rig.run(PARK_AFTER_S - 60, push)
    assert len(rig.calls) == 19
    [note] = await notes(rig, one)
    assert not note.parked
    assert note.tries >= PARK_TRIES
    await rig.run(4 * LONGEST_PAUSE_S, push)
    [note] = await notes(rig, one)
    assert note.parked
    assert note.what.startswith("our bug: TypeError at ")
    assert note.tried == ("1+a",)
    assert (await rig.entry(one.id)).due_at is None
    assert await rig.parked() == [one.id]


async def test_news_do_not_shorten_the_pause_of_what_fails_by_our_own_bug(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    push = build(rig, "1+a", of(call))
    await rig.run(300, push)
    due_at = (await rig.entry(call.id)).due_at
    await rig.tell(call.answered(), call.record())
    assert (await rig.entry(call.id)).due_at == due_at


async def test_a_bug_that_hits_every_voice_call_for_hours_parks_none_and_all_come_right(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    some = calls(40)
    push = build(rig, "1+a", lambda _contact: True)
    for call in some:
        await rig.tell(call.begun())
        await rig.run(3 * HOUR_S / len(some), push)
    assert [note.parked for note in await notes(rig, *some)] == [False] * 40
    with capture_logs() as logs:
        await rig.run(2 * LONGEST_PAUSE_S, build(rig, "2+a"))
    assert len(rig.calls) == 40
    assert await notes(rig, *some) == [None] * 40
    assert sum(line["event"] == "push.done" for line in logs) == 40


async def test_several_that_fail_at_one_place_are_tried_one_at_a_time_and_ever_more_rarely(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    some = calls(30)
    await rig.tell(*[call.begun() for call in some])
    push = build(rig, "1+a", lambda _contact: True)
    with capture_logs() as logs:
        await rig.run(6 * HOUR_S, push)
    contained = [line for line in logs if line["event"] == "fault.contained"]
    # Each once before they are known to be one fault, then one in a pause of ten minutes.
    assert len(contained) < 30 + 20 + 6 * HOUR_S / LONGEST_PAUSE_S
    assert sum(line["event"] == "fault.shared" for line in logs) == 1


async def test_a_build_tries_what_another_one_parked_a_few_first_and_all_if_those_come_right(
    rig: Rig, calls: Callable[[int], list[Call]], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = await parked(rig, calls(20))
    due: list[int] = []
    put_back = rig.store.put_back

    async def counted(*arguments: Any) -> bool:
        due.append(int(rig.clock.monotonic()))
        return await put_back(*arguments)

    monkeypatch.setattr(rig.store, "put_back", counted)
    await rig.run(HOUR_S, build(rig, "2+a"))
    assert await notes(rig, *some) == [None] * 20
    assert len(rig.calls) == 20
    waves = [due.count(moment) for moment in dict.fromkeys(due)]
    assert waves == [3, 6, 11]


async def test_a_build_with_the_same_bug_tries_a_few_of_what_another_one_parked_and_no_more(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    some = await parked(rig, calls(20))
    await rig.run(HOUR_S / 2, build(rig, "2+a", lambda _contact: True))
    tried = [note for note in await notes(rig, *some) if "2+a" in note.tried]
    assert len(tried) == revival.FIRST_TRIED
    assert not rig.calls


async def test_a_build_that_parked_a_contact_does_not_try_it_again_after_a_restart(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    some = await parked(rig, calls(5))
    before = await notes(rig, *some)
    await rig.run(HOUR_S, build(rig, "1+a", lambda _contact: True))
    assert await notes(rig, *some) == before


async def test_in_a_rolling_update_what_the_new_build_cannot_do_the_old_one_does_and_nothing_flaps(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    some = calls(10)
    await rig.tell(*[call.begun() for call in some])
    old, new = build(rig, "1+a"), build(rig, "2+a", of(*some[:5]))
    for _ in range(40):
        await rig.run(30, new)
        await rig.run(30, old)
    assert await notes(rig, *some) == [None] * 10
    assert len(rig.calls) == 10
    assert len(rig.sent) == 10


async def parked(rig: Rig, some: list[Call], name: str = "1+a") -> list[Call]:
    """Contacts that a build parked, one after the other so that none looks like another's fault."""
    await rig.tell(*[call.begun() for call in some])
    for call in some:
        entry = await rig.entry(call.id)
        note = FaultNote("our bug: TypeError at worker.x:1", 10, 0.0, (name,), True)
        assert await rig.store.put_back(call.id, entry.version, None, note)
    return some


# --- stored contacts that cannot be read ---


async def spoilt(rig: Rig, call: Call, data: bytes) -> None:
    row = rig.store._rows[call.id]
    rig.store._rows[call.id] = replace(row, data=data)
    rig.store._owed[call.id] = (row.due_at or 0.0, rig.store._rows[call.id])


async def test_a_damaged_contact_is_set_aside_its_row_untouched_its_messages_quarantined(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    one, *others = calls(3)
    await rig.tell(*[call.begun() for call in (one, *others)])
    await spoilt(rig, one, b"{")
    await rig.run(60)
    assert len(rig.calls) == 2
    [note] = await notes(rig, one)
    assert note.parked
    assert "cannot be read" in note.what
    await rig.tell(one.record(), others[0].record())
    [item] = await rig.store.quarantined("", 10)
    assert item.reason == DAMAGED
    assert rig.store._rows[one.id].data == b"{"


async def test_a_contact_of_a_newer_release_is_left_alone_and_the_worker_says_it_is_too_old(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    one, two, other = calls(3)
    await rig.tell(*[call.begun() for call in (one, two, other)])
    newer = {call.id: rig.store._rows[call.id].data for call in (one, two)}
    for call in (one, two):
        document = {**orjson.loads(newer[call.id].partition(b"\n")[0]), "form": 99}
        data = orjson.dumps(document) + b"\n" + newer[call.id].partition(b"\n")[2]
        newer[call.id] = data
        await spoilt(rig, call, data)
    with capture_logs() as logs:
        await rig.run(300)
        await rig.tell(one.record())
    assert sum(line["event"] == "push.too_old" for line in logs) == 1
    assert len(rig.calls) == 1
    assert {call.id: rig.store._rows[call.id].data for call in (one, two)} == newer
    assert await notes(rig, one, two) == [None, None]
    [item] = await rig.store.quarantined("", 10)
    assert item.reason == NEWER


# --- the operator ---


async def faulty(rig: Rig, call: Call) -> ParkedWrite:
    await rig.tell(call.begun())
    await rig.run(30, build(rig, "1+a", of(call)))
    [write] = [write async for write in parked_writes(rig.store)]
    assert (write.contact_id, write.place) == (call.id, FAULT)
    return write


async def test_what_a_bug_keeps_waiting_is_listed_with_place_tries_and_builds(
    rig: Rig, call: Call
) -> None:
    write = await faulty(rig, call)
    assert write.parked.answer.startswith("our bug: TypeError at ")
    assert re.search(r"; tried again by itself; tries: \d+; seen by 1\+a$", write.parked.answer)


async def test_retry_takes_the_note_off_and_the_next_worker_does_it(rig: Rig, call: Call) -> None:
    await retry_parked(rig.store, await faulty(rig, call), rig.clock)
    await rig.run(30)
    assert len(rig.calls) == 1


async def test_drop_lets_the_contact_rest_until_it_has_news(rig: Rig, call: Call) -> None:
    await drop_parked(rig.store, await faulty(rig, call))
    await rig.run(HOUR_S)
    assert not rig.calls
    await rig.tell(call.record())
    await rig.run(30)
    assert len(rig.calls) == 1


async def test_contact_show_works_on_a_contact_that_cannot_be_planned_or_read(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    await faulty(rig, call)
    entry = await rig.entry(call.id)

    def broken(*_: Any) -> None:
        raise TypeError("+15550100200")

    monkeypatch.setattr("worker.operations.contact.plan", broken)
    told = described(entry, rig.pipelines, rig.planner.terms, rig.clock.wall())
    assert "our bug: TypeError" in told["waiting"]["every step"]
    assert "+1555" not in str(told["waiting"])
    assert told["fault"].tries >= 1
    await spoilt(rig, call, b"{")
    told = described(await rig.entry(call.id), rig.pipelines, rig.planner.terms, rig.clock.wall())
    assert told["unreadable"]


def test_a_build_is_named_by_release_and_pipelines() -> None:
    one, two = find("phonecall"), find("timeline")
    assert build_of([one]) == build_of([find("phonecall")])
    assert len({build_of([one]), build_of([two]), build_of([one, two])}) == 3
