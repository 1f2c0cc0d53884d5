"""A 403: what the role lacks waits, what one record is refused is parked, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from structlog.testing import capture_logs

from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure
from twins.rig import Rig
from worker.dynamics.errors import Forbidden, Privilege
from worker.dynamics.privileges import LONGEST_PAUSE_S, TRIAL_S, TRIES
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateState
from worker.engine.push import CONTACTS_AT_A_TIME


FORBIDDEN = Forbidden("answered 403 0x80040220", status=403, code="0x80040220")

#: A call with a note about it, which needs the call's record, and a task of its own.
THREE_TABLES = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}"}'
[[step]]
name = "NOTE"
on = "created"
method = "POST"
entity = "annotations"
body = '''{"subject": "{{ContactId}}",
           "objectid_phonecall@odata.bind": "/phonecalls({{CALL-Response.activityid}})"}'''
[[step]]
name = "TASK"
on = "created"
method = "POST"
entity = "tasks"
body = '{"subject": "{{ContactId}}"}'
"""


def refused(*words: str, table: str = "") -> Callable[[Request], Failure | None]:
    """Requests to this table whose text has one of these words are forbidden."""

    def script(request: Request) -> Failure | None:
        if request.path == "WhoAmI" or not request.path.startswith(table):
            return None
        return Failure(FORBIDDEN) if any(word in str(request) for word in words or ("",)) else None

    return script


@pytest.fixture
def tables(make_rig: Callable[..., Rig], pipeline: Callable[[str], list[Pipeline]]) -> Rig:
    """A worker that writes to three tables."""
    return make_rig(pipelines=pipeline(THREE_TABLES))


def written(rig: Rig) -> dict[str, int]:
    """How many records each table has."""
    sets = [entity_set for entity_set, _ in rig.dynamics.records]
    return {name: sets.count(name) for name in sorted(set(sets))}


async def test_notes_that_are_forbidden_wait_while_calls_and_tasks_go_on(
    tables: Rig, calls: Callable[[int], list[Call]]
) -> None:
    tables.dynamics.script = refused(table="annotations")
    await tables.tell(*[call.begun() for call in calls(20)])
    await tables.run(60)
    assert written(tables) == {"phonecalls": 20, "tasks": 20}
    assert tables.gate.breaker.state is GateState.OPEN
    assert tables.gate.privileges.missing == [Privilege("annotations", "create")]
    assert not await tables.parked()


async def test_what_waits_for_the_role_comes_by_itself_when_it_is_mended(
    tables: Rig, calls: Callable[[int], list[Call]]
) -> None:
    tables.dynamics.script = refused(table="annotations")
    await tables.tell(*[call.begun() for call in calls(20)])
    await tables.run(7_200)
    assert not await tables.parked()
    tables.dynamics.script = lambda _request: None
    await tables.run(1.5 * LONGEST_PAUSE_S)
    assert written(tables) == {"annotations": 20, "phonecalls": 20, "tasks": 20}
    assert not tables.gate.privileges.missing


async def test_a_missing_privilege_costs_one_trial_a_minute_and_few_saves_however_much_is_due(
    tables: Rig, calls: Callable[[int], list[Call]]
) -> None:
    tables.dynamics.script = refused(table="annotations")
    many = calls(100)
    with capture_logs() as lines:
        await tables.tell(*[call.begun() for call in many])
        await tables.run(600)
        saves, sent = tables.store.saves, len(tables.sent)
        await tables.run(3_600)
    assert len(tables.sent) - sent <= 3_600 / TRIAL_S + 2
    looks = 3_600 / 600 + 1  # waits grow from 600 s on, to 900 s
    assert tables.store.saves - saves <= 2 * 61 + len(many) * looks
    assert [line["event"] for line in lines if line["log_level"] == "error"] == [
        "dynamics.forbidden"
    ]


async def test_a_record_that_may_not_be_made_holds_back_what_refers_to_it_and_nothing_else(
    tables: Rig, call: Call
) -> None:
    tables.dynamics.script = refused(table="phonecalls")
    await tables.tell(call.begun())
    await tables.run(300)
    assert written(tables) == {"tasks": 1}
    assert not await tables.parked()
    tables.dynamics.script = lambda _request: None
    await tables.run(1.5 * LONGEST_PAUSE_S)
    assert written(tables) == {"annotations": 1, "phonecalls": 1, "tasks": 1}


async def test_a_role_that_is_gone_for_hours_parks_nothing(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    rig.dynamics.script = refused()  # WhoAmI needs no role
    latency = Random(0)
    rig.dynamics.slow = lambda _request: latency.random()
    await rig.tell(*[call.begun() for call in calls(4)])
    await rig.run(3600)
    assert not await rig.parked()
    rig.dynamics.script = lambda _request: None
    await rig.run(1.5 * LONGEST_PAUSE_S)
    assert len(rig.calls) == 4


async def test_others_that_succeed_do_not_save_the_one_that_is_forbidden(
    rig: Rig, calls: Callable[[int], list[Call]]
) -> None:
    one, *others = calls(10)
    rig.dynamics.script = lambda r: (
        Failure(FORBIDDEN) if (r.body or {}).get("phonenumber") == "+1" else None
    )
    await rig.tell(one.record(CustomerEndpoint={"Address": "+1"}))
    for other in others:
        await rig.tell(other.record())
        await rig.run(60)
    assert await rig.parked() == [one.id]
    assert len(rig.calls) == 9
    assert not rig.gate.privileges.missing


async def test_a_contact_that_is_forbidden_in_a_silent_night_waits_and_holds_up_no_other(
    tables: Rig, calls: Callable[[int], list[Call]]
) -> None:
    one, *others = calls(6)
    tables.dynamics.script = refused(one.id, table="phonecalls")
    await tables.tell(one.begun())
    await tables.run(600)
    assert not await tables.parked()
    for number, other in enumerate(others, 1):
        await tables.tell(other.begun())
        await tables.run(1)
        assert len(tables.calls) == number
        await tables.run(200)
    assert await tables.parked() == [one.id]


async def test_a_403_on_a_lookup_leaves_the_call_without_a_customer_until_it_may_be_asked(
    make_rig: Callable[..., Rig],
    pipeline: Callable[[str], list[Pipeline]],
    calls: Callable[[int], list[Call]],
) -> None:
    rig = make_rig(pipelines=pipeline(LOOKED_UP))
    rig.dynamics.script = refused(table="contacts")
    some = calls(4)
    await rig.tell(*[call.begun() for call in some])
    await rig.run(60)
    assert len(rig.calls) == 4
    assert not await rig.parked()
    assert rig.gate.privileges.missing == [Privilege("contacts", "read")]


LOOKED_UP = """
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
query = "?$select=contactid&$filter=externaluseridentifier eq '{{ContactId}}'"
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "{{ContactId}}", "category": "{{WHO-Response.contactid}}"}'
"""


# --- a replay, which has to end ---


@pytest.fixture
def replaying(make_rig: Callable[..., Rig], pipeline: Callable[[str], list[Pipeline]]) -> Rig:
    """A worker that replays."""
    rig = make_rig(pipelines=pipeline(THREE_TABLES), live=False)
    rig.planner.waits_over = True
    rig.push = rig.another()
    return rig


async def test_a_replay_parks_what_several_contacts_were_refused_without_asking_for_each(
    replaying: Rig, calls: Callable[[int], list[Call]]
) -> None:
    many = calls(150)
    replaying.dynamics.script = refused(table="annotations")
    await replaying.tell(*[call.record() for call in many])
    await replaying.push.drain()
    assert written(replaying) == {"phonecalls": 150, "tasks": 150}
    assert sorted(await replaying.parked()) == sorted(call.id for call in many)
    notes = [r for r in replaying.dynamics.requests if r.path.startswith("annotations")]
    assert len(notes) <= CONTACTS_AT_A_TIME  # those in hand when it turned out
    entry = await replaying.entry(many[-1].id)
    (parked,) = entry.contact.parked.values()
    assert (parked.status, parked.code, parked.request["method"]) == (403, "0x80040220", "POST")


async def test_a_replay_tries_a_contact_that_is_forbidden_alone_a_few_times_and_parks_it(
    replaying: Rig, call: Call
) -> None:
    replaying.dynamics.script = refused(table="annotations")
    await replaying.tell(call.record())
    await replaying.push.drain()
    assert await replaying.parked() == [call.id]
    notes = [r for r in replaying.dynamics.requests if r.path.startswith("annotations")]
    assert len(notes) == TRIES
