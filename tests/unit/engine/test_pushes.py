"""Several application users: each pushes its own contacts, and what becomes of them in trouble."""

from __future__ import annotations

import asyncio

import pytest

from structlog.testing import capture_logs

from twins.calls import Call
from twins.loop import iso, now, wall
from twins.rig import Rig
from twins.team import NAMES, Team
from worker.dynamics.errors import Forbidden, Throttled, Unauthorized, Unavailable
from worker.engine.pushes import HAND_OVER_AFTER_S
from worker.stores.buckets import bucket_of


FIRST, *OTHERS = NAMES

EXPIRED = Unauthorized("the secret has expired")


@pytest.fixture
def team(rig: Rig) -> Team:
    return Team(rig)


def later(seconds: float, team: Team, trouble: Exception | None) -> None:
    """After a while the first user has this trouble, or none."""
    loop = asyncio.get_running_loop()
    loop.call_later(seconds, setattr, team.users[FIRST], "trouble", trouble)


async def test_each_contact_is_pushed_by_the_user_of_its_bucket_alone(team: Team) -> None:
    calls = team.calls()
    await team.tell(*(call.begun() for call in calls))
    await team.run(30)
    assert len(team.rig.calls) == len(calls)
    for name in NAMES:
        assert team.made(name) == len(team.owned_by(name, calls))
        assert 10 <= team.made(name) <= 20


async def test_of_one_user_nothing_is_different(rig: Rig) -> None:
    team = Team(rig, ["only"])
    await team.tell(*(call.begun() for call in team.calls(3)))
    await team.run(30)
    assert team.made("only") == 3


@pytest.mark.parametrize(
    "trouble",
    [Throttled("429", retry_after_s=300.0), Unavailable("503", status=503)],
    ids=["throttled", "outage"],
)
async def test_the_contacts_of_a_user_that_is_throttled_wait_and_hold_up_nobody_else_s(
    team: Team, trouble: Throttled
) -> None:
    calls = team.calls()
    own = team.owned_by(FIRST, calls)
    team.users[FIRST].trouble = trouble
    await team.tell(*(call.begun() for call in calls))
    later(HAND_OVER_AFTER_S * 3, team, None)
    await team.run(HAND_OVER_AFTER_S * 2)
    assert len(team.rig.calls) == len(calls) - len(own)
    assert not any(team.owned_by(name, own) for name in OTHERS)
    await team.run(900)
    assert len(team.rig.calls) == len(calls)
    assert team.made(FIRST) >= len(own)


@pytest.mark.parametrize("trouble", [EXPIRED, Forbidden("disabled", status=403)])
async def test_a_user_that_is_not_let_in_hands_its_contacts_over_after_a_minute_and_gets_them_back(
    team: Team, trouble: Exception
) -> None:
    calls = team.calls()
    own = team.owned_by(FIRST, calls)
    await team.run(5)
    team.users[FIRST].trouble = EXPIRED
    await team.tell(*(call.begun() for call in calls))
    later(10, team, trouble)
    with capture_logs() as lines:
        await team.run(HAND_OVER_AFTER_S - 5)
        assert len(team.rig.calls) == len(calls) - len(own)
        await team.run(15)
        assert len(team.rig.calls) == len(calls)
        assert sum(len(team.owned_by(name, own)) for name in OTHERS) == len(own)
        assert {len(push.buckets) for push in team.pushes.each} == {0, 4}
        later(1, team, None)
        await team.run(600)
        await team.tell(*(call.ended() for call in calls))
        before = team.made(FIRST)
        await team.tell(Call("00000000-0000-4000-8000-000000000061").begun())
        await team.run(30)
    assert len(team.owned_by(FIRST, own)) == len(own)
    assert team.made(FIRST) >= before
    told = [(line["event"], line["client_id"]) for line in lines if "client_id" in line]
    assert told == [("dynamics.user_handed_over", FIRST), ("dynamics.user_back", FIRST)]


async def test_what_one_user_made_is_ours_to_whoever_its_contact_was_handed_over_to(
    team: Team,
) -> None:
    """The answer to the create is lost, the state knows nothing: the record is read and judged."""
    (call,) = team.owned_by(FIRST, team.calls())[:1]
    team.users[FIRST].lost = EXPIRED
    await team.tell(call.begun())
    later(1, team, EXPIRED)
    await team.run(HAND_OVER_AFTER_S - 10)
    assert [made["subject"] for made in team.rig.calls]
    await team.tell(call.answered(), call.ended(), call.record())
    await team.run(3600)
    (made,) = team.rig.calls
    assert made["statecode"] == 1, "and with all that the other user was told"
    assert made["phonenumber"] == "+15550100200"


async def test_when_no_user_is_let_in_each_keeps_its_contacts(team: Team) -> None:
    calls = team.calls()
    for user in team.users.values():
        user.trouble = EXPIRED
    await team.tell(*(call.begun() for call in calls))
    await team.run(HAND_OVER_AFTER_S * 2)
    assert not team.rig.calls
    assert {len(push.buckets) for push in team.pushes.each} == {3}
    for user in team.users.values():
        user.trouble = None
    await team.run(600)
    assert len(team.rig.calls) == len(calls)


async def test_who_is_waited_for_is_waited_for_also_after_the_contact_was_handed_over(
    team: Team,
) -> None:
    call = team.owned_by(FIRST, team.calls())[0]
    team.users[FIRST].trouble = EXPIRED
    await team.tell(call.begun(initiationTimestamp=iso(wall())))
    working = asyncio.create_task(team.run(HAND_OVER_AFTER_S + 20))
    await asyncio.sleep(HAND_OVER_AFTER_S - 5)
    assert not team.rig.calls
    await team.tell(call.answered(iso(wall())))
    await working
    assert team.rig.desktop.opened.keys() == {call.id}


async def test_a_user_that_comes_back_only_to_be_refused_again_hands_over_at_once(
    team: Team,
) -> None:
    """Its probe succeeds, but nothing else does."""
    user = team.users[FIRST]
    user.trouble = EXPIRED
    await team.tell(*(call.begun() for call in team.calls()))
    await team.run(HAND_OVER_AFTER_S + 20)

    async def probe() -> None:
        """It may ask who it is."""

    for push in team.pushes.each:
        if push.user == FIRST:
            push._probe = probe
    handed_over = 0.0
    stop = asyncio.Event()
    working = asyncio.create_task(team.pushes.run(stop))
    for second in range(600):
        await team.tell(Call(f"00000000-0000-4000-8000-{1000 + second:012}").begun())
        await asyncio.sleep(1)
        handed_over += not team.pushes.each[0].buckets
    stop.set()
    await working
    assert handed_over > 400


async def test_what_was_parked_is_revived_once_for_all_users(team: Team) -> None:
    listed = 0
    parked = team.rig.store.parked

    async def counted(after: str, limit: int) -> list[str]:
        nonlocal listed
        listed += 1
        return await parked(after, limit)

    team.rig.store.parked = counted  # type: ignore[method-assign]
    await team.run(5)
    assert listed == 1


async def test_a_replay_hands_over_too_and_ends(rig: Rig) -> None:
    team = Team(rig)
    calls = team.calls()
    team.users[FIRST].trouble = EXPIRED
    await team.tell(*(call.begun() for call in calls))
    await team.pushes.drain()
    assert len(team.rig.calls) == len(calls)
    assert HAND_OVER_AFTER_S <= now() < HAND_OVER_AFTER_S + 60


async def test_a_replay_of_several_users_ends_when_everything_is_done(team: Team) -> None:
    calls = team.calls()
    await team.tell(*(call.begun() for call in calls))
    await team.pushes.drain()
    assert len(team.rig.calls) == len(calls)
    assert {bucket_of(call.id) for call in calls} == set(range(12))
