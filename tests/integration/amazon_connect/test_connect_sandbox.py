"""The client of Connect's API against the sandbox's, over HTTP, with AWS's own SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import orjson
import pytest

from worker import aws
from worker.amazon_connect.client import ConnectClient
from worker.amazon_connect.errors import Busy, ConnectRefused
from worker.amazon_connect.quota import Quota
from worker.exchange import Exchange, collected
from worker.sandbox.amazon.connect_api import MOST_BYTES, AmazonConnect
from worker.sandbox.server import serve_plainly
from worker.sandbox.traffic import EVENTS, RECORDS, Leg, SentMessage, history
from worker.sandbox.traffic.people import INSTANCE_ID


pytestmark = pytest.mark.services

#: A clock that stands still: a quota's burst is all there is.
NOON = 1_767_355_200.0


def still() -> float:
    return NOON


@pytest.fixture
def leg() -> Leg:
    """A call that is over by noon."""
    return history("voice_inbound", Random(1)).contacts[0]


@pytest.fixture
def amazon(leg: Leg) -> AmazonConnect:
    sandbox = AmazonConnect(still, Random(1))
    sandbox.meet(leg)
    return sandbox


@pytest.fixture
def called() -> list[tuple[str, str]]:
    """What the client tells of its calls."""
    return []


@pytest.fixture
async def client(
    amazon: AmazonConnect, called: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConnectClient]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "invented")

    def note(*told: Any) -> None:
        called.append(told)

    async with (
        serve_plainly(amazon.app) as url,
        aws.client("connect", endpoint_url=url, region="eu-central-1", attempts=1) as connect,
    ):
        yield ConnectClient(connect, Quota(1.0), 30.0, note)


async def test_the_sandbox_describes_contacts_agents_and_queues(
    client: ConnectClient, leg: Leg
) -> None:
    described = await client.contact(INSTANCE_ID, leg.id)
    assert described["CustomerEndpoint"]["Address"] == leg.customer.number
    assert leg.agent is not None
    assert leg.queue is not None
    agent, queue = described["AgentInfo"]["Id"], described["QueueInfo"]["Id"]
    assert await client.agent(INSTANCE_ID, agent) == leg.agent.username
    assert await client.queue(INSTANCE_ID, queue) == leg.queue.name


async def test_attributes_are_merged_and_read_back(client: ConnectClient, leg: Leg) -> None:
    await client.update_attributes(INSTANCE_ID, leg.id, {"ms_id": "1", "topic": ""})
    await client.update_attributes(INSTANCE_ID, leg.id, {"ms_id": "2"})
    attributes = await client.attributes(INSTANCE_ID, leg.id)
    assert attributes == {**{k: v for k, v in leg.attributes.items() if k != "topic"}, "ms_id": "2"}


async def test_what_is_not_known_or_not_allowed_is_refused(
    client: ConnectClient, leg: Leg, called: list[tuple[str, str]]
) -> None:
    with pytest.raises(ConnectRefused, match="ResourceNotFoundException"):
        await client.contact(INSTANCE_ID, "00000000-0000-4000-8000-000000000000")
    with pytest.raises(ConnectRefused):
        await client.agent("another-instance", "x")
    for attributes in ({"a b": "1"}, {"a": "x" * MOST_BYTES}):
        with pytest.raises(ConnectRefused, match="InvalidParameterException"):
            await client.update_attributes(INSTANCE_ID, leg.id, attributes)
    assert called[0] == ("DescribeContact", "ResourceNotFoundException")


async def test_beyond_the_account_s_quota_calls_are_throttled_and_not_repeated(
    client: ConnectClient, amazon: AmazonConnect, called: list[tuple[str, str]]
) -> None:
    while amazon.quotas.take("DescribeUser"):
        pass
    with pytest.raises(Busy, match="ThrottlingException"):
        await client.agent(INSTANCE_ID, "x")
    assert called == [("DescribeUser", "ThrottlingException")]


async def test_of_a_refused_call_connect_s_id_is_kept_for_a_support_case(
    client: ConnectClient, leg: Leg
) -> None:
    told = Exchange()
    with collected(told, lambda: 0.0):
        await client.update_attributes(INSTANCE_ID, leg.id, {"ms_id": "1"})
    assert (told.requests, told.status, told.ids) == (1, 200, {})
    with collected(told, lambda: 0.0), pytest.raises(ConnectRefused):
        await client.update_attributes(INSTANCE_ID, leg.id, {"a b": "1"})
    assert (told.requests, told.status, [*told.ids]) == (2, 400, ["connect"])


async def test_no_answer_at_all_is_for_later(amazon: AmazonConnect) -> None:
    async with serve_plainly(amazon.app) as url:
        gone = url
    async with aws.client(
        "connect", endpoint_url=gone, region="eu-central-1", attempts=1
    ) as connect:
        with pytest.raises(Busy):
            await ConnectClient(connect, Quota(1.0), 1.0).contact(INSTANCE_ID, "x")


async def test_written_attributes_come_back_as_an_event_in_the_record_and_in_it_once_more(
    client: ConnectClient, amazon: AmazonConnect, leg: Leg
) -> None:
    await client.update_attributes(INSTANCE_ID, leg.id, {"ms_id": "1"})
    (plain,) = [m for m in history("voice_inbound", Random(1)).sent if m.stream == RECORDS][:1]
    other = SentMessage(0.0, RECORDS, "somebody-else", b"{}")
    event, record, again, untouched = amazon.told([plain, other])
    assert (event.stream, event.contact_id) == (EVENTS, leg.id)
    assert orjson.loads(event.body)["detail"]["eventType"] == "CONTACT_DATA_UPDATED"
    records = [orjson.loads(message.body) for message in (record, again)]
    assert [r["Attributes"]["ms_id"] for r in records] == ["1", "1"]
    assert records[0]["LastUpdateTimestamp"] < records[1]["LastUpdateTimestamp"]
    assert untouched == other
