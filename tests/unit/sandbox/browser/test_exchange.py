"""The live contact centre: what people do is in the softphone and in the streams."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import orjson
import pytest

from worker.sandbox.amazon.connect_api import AmazonConnect
from worker.sandbox.browser.exchange import Exchange
from worker.sandbox.browser.outbox import Pace
from worker.sandbox.browser.softphone import Softphone
from worker.sandbox.oracle.callers import known, shared, unknown
from worker.sandbox.oracle.customers import rows
from worker.sandbox.traffic import EVENTS, RECORDINGS, RECORDS, Leg, SentMessage
from worker.sandbox.traffic.people import INSTANCE_ID, Customer


MARIA, TOM, LENA = "maria.keller", "tom.okafor", "lena.fischer"

#: Everything at once; a missed call after a moment.
FAST = Pace(queue=0, ring=0, missed=0.2, connect=0, dial=0, event=0, record=0.001, recording=0.002)

#: How often the loop turns until all that is due at once has happened.
TURNS = 50


async def settle() -> None:
    """Let everything happen that is due."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)


@dataclass
class Centre:
    """A contact centre with what it has sent."""

    softphone: Softphone = field(default_factory=Softphone)
    amazon: AmazonConnect = field(default_factory=AmazonConnect)
    sent: list[SentMessage] = field(default_factory=list)
    met: list[Customer] = field(default_factory=list)

    def __post_init__(self) -> None:
        async def send(message: SentMessage) -> None:
            self.sent.append(message)

        self.exchange = Exchange(
            self.softphone, self.amazon, send, self.met.append, rng=Random(7), pace=FAST
        )

    def events(self, leg: Leg) -> list[str]:
        """The kinds of events sent about a contact, in order."""
        about = [m for m in self.sent if m.stream == EVENTS and m.contact_id == leg.id]
        return [orjson.loads(message.body)["detail"]["eventType"] for message in about]

    def bodies(self, stream: str, leg: Leg) -> list[dict[str, Any]]:
        """What was sent about a contact on a stream."""
        about = [m for m in self.sent if m.stream == stream and m.contact_id == leg.id]
        return [orjson.loads(message.body) for message in about]

    def states(self, agent: str) -> list[tuple[str, str]]:
        """The agent's contacts with their states."""
        return [(one.id, one.state) for one in self.softphone.contacts(agent)]

    async def answered(self, leg: Leg, agent: str) -> None:
        """Let the agent answer what rings."""
        await settle()
        self.softphone.accept(agent, leg.id)
        await settle()


@pytest.fixture
async def centre() -> AsyncIterator[Centre]:
    one = Centre()
    one.softphone.sign_in(MARIA)
    running = asyncio.create_task(one.exchange.run())
    yield one
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


@pytest.fixture
def who() -> Customer:
    return known(Random(1))


@pytest.mark.parametrize(("choose", "contacts"), [(known, 1), (unknown, 0), (shared, 2)])
def test_a_caller_is_in_dynamics_as_often_as_asked(choose: Any, contacts: int) -> None:
    assert len(rows(choose(Random(3)))) == contacts


async def test_a_call_is_in_the_softphone_and_in_the_streams(centre: Centre, who: Customer) -> None:
    leg = centre.exchange.call(who)
    await settle()
    assert centre.met == [who]
    assert centre.states(MARIA) == [(leg.id, "connecting")]
    assert centre.events(leg) == ["INITIATED", "QUEUED"]
    await centre.answered(leg, MARIA)
    assert centre.states(MARIA) == [(leg.id, "connected")]
    centre.softphone.hang_up(MARIA, leg.id)
    centre.softphone.clear(MARIA, leg.id)
    await settle()
    assert centre.states(MARIA) == []
    assert centre.exchange.ongoing() == []
    assert centre.events(leg) == [
        "INITIATED",
        "QUEUED",
        "CONNECTED_TO_AGENT",
        "DISCONNECTED",
        "COMPLETED",
    ]
    [record] = centre.bodies(RECORDS, leg)
    assert record["Agent"]["Username"] == MARIA
    assert record["DisconnectReason"] == "AGENT_DISCONNECT"
    assert len([m for m in centre.sent if m.stream == RECORDINGS]) == 1


async def test_an_event_of_a_call_that_goes_on_tells_no_end(centre: Centre, who: Customer) -> None:
    leg = centre.exchange.call(who)
    await centre.answered(leg, MARIA)
    details = [body["detail"] for body in centre.bodies(EVENTS, leg)]
    assert len(details) == 3
    assert not any("disconnectTimestamp" in detail for detail in details)


async def test_an_attribute_written_by_the_worker_is_in_softphone_and_record(
    centre: Centre, who: Customer
) -> None:
    leg = centre.exchange.call(who)
    await settle()
    transport = httpx.ASGITransport(app=centre.amazon.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://connect") as http:
        body = {"InitialContactId": leg.id, "InstanceId": INSTANCE_ID, "Attributes": {"ms_id": "x"}}
        assert (await http.post("/contact/attributes", json=body)).status_code == 200
    assert centre.softphone.attributes(leg.id)["ms_id"] == "x"
    await centre.answered(leg, MARIA)
    centre.exchange.hang_up(leg)
    centre.softphone.clear(MARIA, leg.id)
    await settle()
    assert "CONTACT_DATA_UPDATED" in centre.events(leg)
    assert all(record["Attributes"]["ms_id"] == "x" for record in centre.bodies(RECORDS, leg))


async def test_a_customer_who_hangs_up_while_it_rings_is_gone_from_the_softphone(
    centre: Centre, who: Customer
) -> None:
    leg = centre.exchange.call(who)
    await settle()
    centre.exchange.hang_up(leg)
    await settle()
    assert centre.states(MARIA) == []
    assert centre.events(leg) == ["INITIATED", "QUEUED", "DISCONNECTED", "COMPLETED"]


async def test_a_missed_call_rings_at_the_next_agent(centre: Centre, who: Customer) -> None:
    leg = centre.exchange.call(who)
    await settle()
    centre.softphone.sign_in(TOM)
    page = centre.softphone.pages.open(MARIA)
    while "MissedCallAgent" not in str(await page.get()):
        pass
    assert centre.states(MARIA) == [(leg.id, "missed")]
    assert centre.states(TOM) == [(leg.id, "connecting")]
    centre.softphone.clear(MARIA, leg.id)
    assert [call.agent for call in centre.exchange.ongoing()] == [TOM]


async def test_a_rejected_call_waits_for_another_agent(centre: Centre, who: Customer) -> None:
    leg = centre.exchange.call(who)
    await settle()
    centre.softphone.reject(MARIA, leg.id)
    await settle()
    assert centre.states(MARIA) == []
    centre.softphone.sign_in(TOM)
    centre.softphone.choose(TOM, "Available")
    await settle()
    assert centre.states(TOM) == [(leg.id, "connecting")]


async def test_a_call_waits_until_somebody_is_available(centre: Centre, who: Customer) -> None:
    centre.softphone.choose(MARIA, "Break")
    leg = centre.exchange.call(who)
    await settle()
    assert centre.states(MARIA) == []
    centre.softphone.choose(MARIA, "Available")
    await settle()
    assert centre.states(MARIA) == [(leg.id, "connecting")]


async def test_a_transferred_call_is_a_new_contact_of_its_chain(
    centre: Centre, who: Customer
) -> None:
    leg = centre.exchange.call(who)
    await centre.answered(leg, MARIA)
    centre.softphone.sign_in(TOM)
    second = centre.exchange.transfer(leg, TOM)
    await centre.answered(second, TOM)
    assert centre.states(MARIA) == [(leg.id, "ended")]
    [shown] = centre.softphone.contacts(TOM)
    assert (shown.id, shown.initial_id, shown.state) == (second.id, leg.id, "connected")
    assert centre.softphone.attributes(leg.id)["customerName"] == who.name
    assert second.previous_id == leg.id
    assert leg.next_id == second.id


async def test_after_a_warm_transfer_the_customer_stays_with_the_colleague(
    centre: Centre, who: Customer
) -> None:
    centre.softphone.sign_in(TOM, "Break")
    leg = centre.exchange.call(who)
    await centre.answered(leg, MARIA)
    centre.softphone.choose(TOM, "Available")
    centre.softphone.transfer(MARIA, leg.id, TOM)
    second = centre.exchange.legs[-1]
    await centre.answered(second, TOM)
    assert [other.name for other in centre.softphone.contacts(MARIA)[0].third] == [TOM]
    centre.softphone.hang_up(MARIA, leg.id)
    assert centre.states(MARIA) == [(leg.id, "ended")]
    assert centre.states(TOM) == [(second.id, "connected")]


async def test_a_conference_ends_for_all_when_the_customer_hangs_up(
    centre: Centre, who: Customer
) -> None:
    leg = centre.exchange.call(who)
    await centre.answered(leg, MARIA)
    centre.softphone.sign_in(TOM)
    second = centre.exchange.conference(leg, TOM)
    await centre.answered(second, TOM)
    centre.exchange.hang_up(leg)
    assert centre.states(MARIA) == [(leg.id, "ended")]
    assert centre.states(TOM) == [(second.id, "ended")]


async def test_a_supervisor_has_a_contact_that_is_no_conversation(
    centre: Centre, who: Customer
) -> None:
    leg = centre.exchange.call(who)
    await centre.answered(leg, MARIA)
    centre.softphone.sign_in(LENA)
    heard = centre.exchange.monitor(leg, LENA)
    await centre.answered(heard, LENA)
    assert centre.softphone.contacts(LENA)[0].monitoring
    assert heard.fate == "none"
    assert centre.softphone.contacts(MARIA)[0].third == []
    centre.softphone.barge(LENA, heard.id)
    assert [other.name for other in centre.softphone.contacts(MARIA)[0].third] == [LENA]
    centre.softphone.hang_up(MARIA, leg.id)
    assert centre.states(LENA) == [(heard.id, "ended")]


async def test_a_dialled_number_is_an_outbound_contact(centre: Centre) -> None:
    centre.softphone.dial(MARIA, "+4915550000042")
    await settle()
    [leg] = centre.exchange.legs
    assert centre.states(MARIA) == [(leg.id, "connected")]
    assert centre.events(leg) == ["INITIATED", "CONNECTED_TO_SYSTEM", "CONNECTED_TO_AGENT"]
    assert leg.outgoing


async def test_an_outbound_call_given_up_before_the_answer_is_cancelled(centre: Centre) -> None:
    centre.softphone.dial(MARIA, "+4915550000042")
    [leg] = centre.exchange.legs
    centre.softphone.hang_up(MARIA, leg.id)
    await settle()
    assert leg.fate == "cancelled"
    assert centre.events(leg) == ["INITIATED", "DISCONNECTED", "COMPLETED"]


async def test_a_queued_callback_is_dialled_once_the_agent_accepts(
    centre: Centre, who: Customer
) -> None:
    leg = centre.exchange.callback(who)
    await settle()
    assert centre.states(MARIA) == [(leg.id, "incoming")]
    await centre.answered(leg, MARIA)
    assert centre.states(MARIA) == [(leg.id, "connected")]
    assert centre.events(leg) == [
        "INITIATED",
        "QUEUED",
        "CONNECTED_TO_AGENT",
        "CONNECTED_TO_SYSTEM",
    ]
    assert leg.initial_id == centre.exchange.legs[0].id


@pytest.mark.parametrize(
    ("come", "channel"),
    [(Exchange.chat, "chat"), (Exchange.task, "task"), (Exchange.email, "email")],
)
async def test_a_written_contact_goes_to_its_close(
    come: Any, channel: str, centre: Centre, who: Customer
) -> None:
    leg = come(centre.exchange, who)
    await centre.answered(leg, MARIA)
    assert centre.softphone.contacts(MARIA)[0].channel == channel
    centre.softphone.hang_up(MARIA, leg.id)
    centre.softphone.clear(MARIA, leg.id)
    await settle()
    assert centre.events(leg)[-2:] == ["DISCONNECTED", "COMPLETED"]
    assert len(centre.bodies(RECORDS, leg)) == 1
