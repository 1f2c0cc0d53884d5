"""Restored states: what push makes of them."""

from __future__ import annotations

import copy

from typing import Any

from twins.calls import Call
from twins.rig import Rig
from worker.stores.restoration import Keeper, declare


async def restore(rig: Rig, older: Any) -> None:
    """Go on with an older state."""
    rig.store._rows, rig.store._owed, rig.store._remembered = older
    await declare(rig.store, rig.clock.wall())
    keeping = Keeper(rig.store, None)
    await keeping.look()
    rig.push = rig.another(doubt=keeping.doubt)


def state(rig: Rig) -> Any:
    return copy.deepcopy((rig.store._rows, rig.store._owed, rig.store._remembered))


def edit(rig: Rig, **columns: Any) -> None:
    ((entity_set, key),) = rig.dynamics.records
    rig.dynamics.edit(entity_set, key, **columns)


async def test_after_a_restoration_a_record_is_read_and_only_then_written(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    await rig.run(1)
    older = state(rig)
    await restore(rig, older)
    edit(rig, category="by hand")
    await rig.tell(call.record(Queue={"Name": "Support"}))
    await rig.run(1)
    assert rig.sent[:2] == ["POST", "GET"]
    [record] = rig.calls
    assert (record["subcategory"], record["statecode"]) == ("Support", 1)
    assert record["category"] == "by hand"


async def test_an_edit_of_the_lost_time_survives_a_create_that_is_sent_again(
    rig: Rig, call: Call
) -> None:
    older = state(rig)
    await rig.tell(call.begun())
    await rig.run(1)
    edit(rig, subject="by hand")
    await restore(rig, older)
    for message in (call.begun(), call.record()):
        await rig.tell(message)
        await rig.run(1)
    [record] = rig.calls
    assert record["subject"] == "by hand"
    assert record["statecode"] == 1
    assert not await rig.parked()


async def test_an_older_claim_and_what_it_was_about_to_send_undo_no_edit(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    older: list[Any] = []
    rig.dynamics.script = lambda _request: older.append(state(rig))
    await rig.run(1)
    rig.dynamics.script = lambda _request: None
    edit(rig, subject="by hand")
    await restore(rig, older[0])
    await rig.run(1000)
    [record] = rig.calls
    assert record["subject"] == "by hand"
    assert (await rig.entry(call.id)).contact.intent == {}


async def test_new_facts_after_a_restoration_reach_a_record_that_nobody_else_changed(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    await rig.run(1)
    older = state(rig)
    await rig.tell(call.record(Queue={"Name": "Lost"}))
    await rig.run(1)
    await restore(rig, older)
    news = {"Queue": {"Name": "New"}, "LastUpdateTimestamp": "2026-01-02T03:06:00Z"}
    await rig.tell(call.record(**news))
    await rig.run(1)
    assert rig.calls[0]["subcategory"] == "New"


async def test_a_record_that_is_deleted_in_the_lost_time_is_let_go_of_without_a_word_to_operators(
    rig: Rig, call: Call
) -> None:
    await rig.tell(call.begun())
    await rig.run(1)
    older = state(rig)
    rig.dynamics.records.clear()
    await restore(rig, older)
    await rig.tell(call.record())
    await rig.run(1)
    assert not rig.calls
    assert not await rig.parked()
