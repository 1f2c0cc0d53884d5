"""Ten workers and one account's quota, in virtual time."""

from __future__ import annotations

import asyncio
import sys

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from botocore.exceptions import ClientError

from twins.calls import Call
from twins.loop import now
from twins.rig import Rig
from worker.amazon_connect.client import ConnectClient
from worker.amazon_connect.errors import Busy
from worker.amazon_connect.quota import QUOTAS, Quota
from worker.clock import Clock
from worker.dynamics.protocol import Request
from worker.sandbox.amazon.quotas import Quotas


WORKERS = 10
CONTACTS = 150
SHARE = 0.5
PATIENCE_S = 3.0

#: Contacts begin so many a second: twice what our share lets us ask about.
ARRIVALS = 10

#: From the answer to the activity, in a worker with nothing else to do (s): it looks every second.
SLACK_S = 1.5

INSTANCE = "arn:aws:connect:x:1:instance/abc"
NUMBER = "+15550100299"


@dataclass
class Account:
    """Connect with its account's quota, which ``others`` use as well (calls per second)."""

    others: float = 0.0
    quotas: Quotas = field(default_factory=lambda: Quotas(now))
    asked_at: list[float] = field(default_factory=list)

    async def describe_contact(self, **_about: Any) -> Any:
        self.asked_at.append(now())
        if not self.quotas.take("DescribeContact"):
            error = {"Error": {"Code": "ThrottlingException"}}
            raise ClientError(error, "DescribeContact")
        await asyncio.sleep(0.05)
        return {"Contact": {"CustomerEndpoint": {"Address": NUMBER, "Type": "TELEPHONE_NUMBER"}}}

    async def be_used(self) -> None:
        while self.others:
            self.quotas.take("DescribeContact")
            await asyncio.sleep(1 / self.others)

    @property
    def throttled(self) -> int:
        return self.quotas.refused.get("DescribeContact", 0)


@dataclass
class Fleet:
    """Workers that share a store, and when contacts were told of and made."""

    rig: Rig
    account: Account
    told_at: dict[str, float] = field(default_factory=dict)
    made_at: dict[str, float] = field(default_factory=dict)

    def note(self, request: Request) -> None:
        if request.method == "POST" and request.body is not None:
            self.made_at[request.body["actualstart"]] = now()

    async def work(self, calls: list[Call]) -> None:
        """Tell of calls, let the workers do what is to be done, then bring the records."""
        self.rig.dynamics.script = self.note
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            used = group.create_task(self.account.be_used())
            for _ in range(WORKERS):
                quota = Quota(SHARE, lambda: WORKERS, Clock(monotonic=now))
                push = self.rig.another(ConnectClient(self.account, quota, PATIENCE_S))
                group.create_task(push.run(stop))
            for number, call in enumerate(calls):
                start = f"2026-01-02T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
                self.told_at[start] = now()
                await self.rig.tell(call.begun(initiationTimestamp=start, instanceArn=INSTANCE))
                await asyncio.sleep(1 / ARRIVALS)
            await asyncio.sleep(10)
            for call in calls:
                await self.rig.tell(call.record())
            await asyncio.sleep(30)
            stop.set()
            used.cancel()

    @property
    def delays_s(self) -> list[float]:
        return [self.made_at[start] - at for start, at in self.told_at.items()]


@pytest.fixture
def fleet(make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fleet]:
    # Ten workers often want the same contact, and all but one save in vain.
    monkeypatch.setattr(sys.modules[make_rig.__module__], "TOO_MANY", 20_000)
    return lambda others=0.0: Fleet(make_rig(patience_s=PATIENCE_S), Account(others))


def most_in(seconds: float, times: list[float]) -> int:
    """The most calls in any stretch of so many seconds."""
    return max(sum(begin <= at < begin + seconds for at in times) for begin in times)


@pytest.mark.parametrize("others", [0.0, 20.0])
async def test_our_share_is_never_exceeded_and_no_contact_waits_longer_than_its_patience(
    fleet: Callable[..., Fleet], calls: Callable[[int], list[Call]], others: float
) -> None:
    ten = fleet(others)
    await ten.work(calls(CONTACTS))
    rate, burst = (SHARE * amount for amount in QUOTAS["DescribeContact"])
    for seconds in (1, 2, 5, 10, 30):
        most = max(burst, WORKERS) + rate * seconds
        assert most_in(seconds, ten.account.asked_at) <= most
    assert bool(ten.account.throttled) == bool(others)
    assert max(ten.delays_s) <= PATIENCE_S + SLACK_S
    assert len(ten.rig.calls) == CONTACTS
    assert {row["phonenumber"] for row in ten.rig.calls} == {"+15550100200"}
    assert not await ten.rig.parked()


async def test_a_throttled_worker_pauses_longer_and_longer() -> None:
    account = Account(quotas=Quotas(lambda: 0.0))  # an account whose time stands still
    while account.quotas.take("DescribeContact"):
        pass
    client = ConnectClient(account, Quota(1.0, clock=Clock(monotonic=now)), patience_s=1_000.0)
    for _ in range(6):
        with pytest.raises(Busy, match="ThrottlingException"):
            await client.contact("abc", "1")
    pauses = [round(later - earlier) for earlier, later in pairwise(account.asked_at)]
    assert pauses == [1, 2, 4, 8, 16]
