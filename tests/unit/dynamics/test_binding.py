"""A state is bound to one organization."""

from __future__ import annotations

import asyncio

import pytest

from structlog.testing import capture_logs

from worker.clock import Clock
from worker.dynamics import binding
from worker.dynamics.binding import GOOD_FOR_S, NAME, Binding, Bound
from worker.dynamics.errors import Unavailable, WrongOrganization
from worker.stores.memory import MemoryStore


THIS = "11111111-0000-4000-8000-000000000001"
THAT = "22222222-0000-4000-8000-000000000002"


class Organization:
    """Who answers at an address; None: nobody."""

    def __init__(self, found: str | None = THIS, store: MemoryStore | None = None) -> None:
        self.id = found
        self.store = store or MemoryStore()
        self.now = 0.0
        clock = Clock(monotonic=lambda: self.now)
        self.binding = Binding(self.ask, "https://org.test", self.store, clock)

    async def ask(self) -> str:
        if self.id is None:
            raise Unavailable("GET WhoAmI got no answer")
        return self.id

    async def kept(self) -> Bound:
        return binding.read(await self.store.recall(NAME))


async def test_a_state_is_bound_to_the_first_organization_it_is_used_with_and_the_log_says_so() -> (
    None
):
    first = Organization()
    with capture_logs() as lines:
        await first.binding.confirm()
    assert await first.kept() == Bound(THIS, "https://org.test")
    assert first.binding.bound_now
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("state.bound", "warning")
    assert line["organization"] == THIS


async def test_a_state_that_is_bound_refuses_another_organization_and_says_what_to_do() -> None:
    first = Organization()
    await first.binding.confirm()
    other = Organization(THAT, first.store)
    for asked in (other.binding.confirm, other.binding.check):
        with pytest.raises(WrongOrganization) as refused:
            await asked()
        for said in (THIS, THAT, "https://org.test", "state of its own", "state rebind"):
            assert said in str(refused.value)
    assert (await first.kept()).organization == THIS


async def test_a_check_binds_nothing() -> None:
    first = Organization()
    assert await first.binding.check() == THIS
    assert await first.kept() == Bound()


async def test_of_workers_that_begin_together_with_two_organizations_one_gets_the_state() -> None:
    store = MemoryStore()
    both = [Organization(found, store) for found in (THIS, THAT)]
    ended = await asyncio.gather(*(one.binding.confirm() for one in both), return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["NoneType", "WrongOrganization"]


async def test_what_the_state_says_is_read_again_after_a_while() -> None:
    first = Organization()
    await first.binding.confirm()
    text = await first.store.recall(NAME)
    given_up = binding.written(Bound(THIS, "https://org.test", giving_up=""))
    assert await first.store.replace(NAME, text, given_up)
    await first.binding.confirm()
    first.now += GOOD_FOR_S
    with pytest.raises(WrongOrganization, match="given up"):
        await first.binding.confirm()


async def test_while_nobody_says_which_organization_it_is_nothing_is_bound() -> None:
    first = Organization(None)
    with pytest.raises(Unavailable):
        await first.binding.confirm()
    assert await first.kept() == Bound()


@pytest.mark.parametrize("text", ["?", "{}", '{"form": 2}', "[]"])
async def test_a_binding_that_cannot_be_read_admits_nobody(text: str) -> None:
    first = Organization()
    await first.store.replace(NAME, None, text)
    with pytest.raises(WrongOrganization, match="cannot be read"):
        await first.binding.confirm()
