"""Which application users a state remembers as its own."""

from __future__ import annotations

import asyncio

from typing import Any

import pytest

from structlog.testing import capture_logs

from pipelines.action import Change, Verb
from pipelines.contact import UNKNOWN, Contact, RecordLedger
from pipelines.ledger import digest
from pipelines.settle import settle
from twins.dynamics import PERSON_ID, ScriptedDynamics
from worker.clock import Clock
from worker.dynamics.errors import Unavailable
from worker.dynamics.performer import Performer
from worker.dynamics.users import NAME, READ_AGAIN_S, Users
from worker.errors import StoreUnavailable
from worker.files import MemoryFiles
from worker.stores.memory import MemoryStore


OTHER = "22222222-0000-4000-8000-000000000002"
THIRD = "33333333-0000-4000-8000-000000000003"
KEY = "11111111-2222-5333-8444-555555555555"
RECORD = f"phonecalls({KEY})"


class As(ScriptedDynamics):
    """Dynamics to an application user; what it does not know of is whose the requests are."""

    def __init__(self, user: str = "") -> None:
        super().__init__()
        self.user = user
        self.asked = 0

    async def user_id(self) -> str:
        self.asked += 1
        if self.user == "down":
            raise Unavailable("WhoAmI got no answer")
        return self.user or await super().user_id()


class Hands:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now)


async def test_whoever_ever_acknowledged_for_a_state_stays_known_to_it() -> None:
    store = MemoryStore()
    for user in (OTHER, THIRD):
        await Users(As(user), store, Clock()).acknowledged()
    assert await Users(As(OTHER), store, Clock()).known() == {OTHER, THIRD}


async def test_a_state_of_an_earlier_release_knows_the_user_of_today() -> None:
    assert await Users(As(OTHER), MemoryStore(), Clock()).known() == {OTHER}


async def test_who_we_are_is_asked_and_written_once() -> None:
    dynamics, store = As(OTHER), MemoryStore()
    users = Users(dynamics, store, Clock())
    await asyncio.gather(*(users.acknowledged() for _ in range(5)))
    await users.acknowledged()
    assert dynamics.asked == 1


async def test_users_of_two_workers_that_begin_together_are_both_remembered() -> None:
    store = MemoryStore()
    both = [Users(As(user), store, Clock()) for user in (OTHER, THIRD)]
    await asyncio.gather(*(users.acknowledged() for users in both))
    assert await both[0].known() == {OTHER, THIRD}


async def test_another_worker_s_user_is_known_after_a_while() -> None:
    store, hands = MemoryStore(), Hands()
    users = Users(As(OTHER), store, hands.clock())
    assert await users.known() == {OTHER}
    await Users(As(THIRD), store, Clock()).acknowledged()
    hands.now = READ_AGAIN_S
    assert await users.known() == {OTHER, THIRD}


class DownAtFirst(MemoryStore):
    down = True

    async def recall(self, name: str) -> str | None:
        if self.down:
            self.down = False
            raise StoreUnavailable("locked")
        return await super().recall(name)


async def test_a_user_that_could_not_be_remembered_is_remembered_with_the_next_write() -> None:
    store = DownAtFirst()
    users = Users(As(OTHER), store, Clock())
    with capture_logs() as logs:
        await users.acknowledged()
    assert [log["event"] for log in logs] == ["dynamics.user_not_remembered"]
    await users.acknowledged()
    assert await Users(As(THIRD), store, Clock()).known() == {OTHER, THIRD}


async def test_a_write_is_done_although_nobody_says_who_we_are() -> None:
    await Users(As("down"), MemoryStore(), Clock()).acknowledged()


@pytest.mark.parametrize("text", ["", "[]", '{"form": 2, "users": ["x"]}', '{"form": 1}'])
async def test_a_list_that_cannot_be_read_is_left_as_it_is(text: str) -> None:
    store = MemoryStore()
    await store.remember(NAME, text)
    users = Users(As(OTHER), store, Clock())
    with capture_logs() as logs:
        await users.acknowledged()
    assert [log["event"] for log in logs] == ["dynamics.users_unreadable"]
    assert await store.recall(NAME) == text
    assert await users.known() == {OTHER}


# --- what follows of it for a record --------------------------------------------------------------


async def perform(dynamics: As, store: MemoryStore, change: Change, contact: Contact) -> None:
    users = Users(dynamics, store, Clock())
    performer = Performer(dynamics, Clock(), MemoryFiles(), users=users)
    settle(contact, change, await performer.perform(change, timeout_s=1))


@pytest.mark.parametrize(
    ("made", "changed", "ours"),
    [
        ({"by": OTHER}, {"by": OTHER}, True),  # by the user of before
        ({"by": OTHER}, {"by": THIRD}, True),  # and by the user of today
        ({"by": PERSON_ID, "onbehalfby": OTHER}, {"by": THIRD}, True),  # for an agent
        ({"by": PERSON_ID, "onbehalfby": OTHER}, {"by": PERSON_ID, "onbehalfby": THIRD}, True),
        ({"by": PERSON_ID, "onbehalfby": OTHER}, {"by": PERSON_ID}, False),  # by the agent himself
        ({"by": OTHER}, {"by": PERSON_ID}, False),
        ({"by": OTHER}, {"by": THIRD, "onbehalfby": PERSON_ID}, False),
        ({"by": PERSON_ID}, {"by": OTHER}, False),
        ({"by": None}, {"by": OTHER}, False),
    ],
)
async def test_a_record_is_ours_if_users_of_ours_did_all_that_was_done_to_it(
    made: dict[str, Any], changed: dict[str, Any], *, ours: bool
) -> None:
    store = MemoryStore()
    await Users(As(OTHER), store, Clock()).acknowledged()
    dynamics = As(THIRD)
    who = {f"_created{k}_value": v for k, v in made.items()}
    who |= {f"_modified{k}_value": v for k, v in changed.items()}
    dynamics.records["phonecalls", KEY] = {"activityid": KEY, "subject": "other", **who}
    contact = Contact("c", ledger={RECORD: RecordLedger("phonecalls", KEY, "found")})
    look = Change(Verb.ADOPT, ("p/S",), RECORD, {"subject": "x"})
    await perform(dynamics, store, look, contact)
    assert contact.ledger[RECORD].columns == {"subject": UNKNOWN if ours else digest("x")}


async def test_a_write_that_was_acknowledged_makes_its_user_known() -> None:
    store = MemoryStore()
    create = Change(Verb.CREATE, ("p/S",), RECORD, {"subject": "x"})
    await perform(As(OTHER), store, create, Contact("c"))
    assert await Users(As(THIRD), store, Clock()).known() == {OTHER, THIRD}


async def test_a_look_makes_nobody_known() -> None:
    store = MemoryStore()
    look = Change(Verb.ADOPT, ("p/S",), RECORD, {"subject": "x"})
    await perform(As(OTHER), store, look, Contact("c"))
    assert await store.recall(NAME) is None
