"""The softphone's state: what agents and customers do, and what the pages are told of it."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from worker.sandbox.browser.softphone import Softphone
from worker.sandbox.traffic import people


AGENT = "maria.keller"


class Clock:
    """A wall clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_767_312_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def softphone(clock: Clock) -> Softphone:
    one = Softphone(clock)
    one.sign_in(AGENT)
    return one


@pytest.fixture
async def http(softphone: Softphone) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=softphone.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://softphone") as client:
        yield client


def contact(softphone: Softphone, agent: str = AGENT) -> dict[str, Any]:
    """The agent's only contact, as the snapshot has it."""
    [shown] = softphone.update(agent)["snapshot"]["contacts"]
    return dict(shown)


def opened(softphone: Softphone) -> asyncio.Queue[dict[str, Any] | None]:
    """A page that has got what it gets at once."""
    page = softphone.pages.open(AGENT)
    page.get_nowait()
    page.get_nowait()
    return page


async def ask(http: httpx.AsyncClient, method: str, **params: Any) -> dict[str, Any]:
    """Ask as the page does for the library."""
    body = {"method": method, "params": params}
    return dict((await http.post(f"/agents/{AGENT}/requests", json=body)).json())


def test_a_withheld_number_is_anonymous(softphone: Softphone) -> None:
    softphone.ring(AGENT)
    assert contact(softphone)["connections"][1]["endpoint"]["phoneNumber"] == "anonymous"


def test_the_states_of_both_sides_follow_the_call(softphone: Softphone) -> None:
    def sides() -> list[str]:
        return [side["state"]["type"] for side in contact(softphone)["connections"]]

    call = softphone.ring(AGENT, {"number": "+4915550000042"})
    assert sides() == ["connecting", "connected"]
    softphone.accept(AGENT, call)
    assert sides() == ["connected", "connected"]
    softphone.connect(AGENT, call)
    softphone.hold(AGENT, call)
    assert sides() == ["connected", "hold"]
    softphone.end(AGENT, call)
    assert sides() == ["disconnected", "disconnected"]


def test_an_outbound_call_waits_for_the_customer(softphone: Softphone) -> None:
    softphone.dial(AGENT, "+4915550000042")
    agent, customer = contact(softphone)["connections"]
    assert agent["state"]["type"] == "connected"
    assert (customer["type"], customer["state"]["type"]) == ("outbound", "connecting")
    assert softphone.update(AGENT)["snapshot"]["state"]["name"] == "CallingCustomer"


@pytest.mark.parametrize(
    ("act", "state"),
    [
        (Softphone.connect, "Busy"),
        (Softphone.end, "AfterCallWork"),
        (Softphone.miss, "MissedCallAgent"),
        (Softphone.fail, "FailedConnectCustomer"),
        (Softphone.clear, "Available"),
    ],
)
def test_the_state_of_the_agent_follows_a_call(act: Any, state: str, softphone: Softphone) -> None:
    call = softphone.ring(AGENT)
    assert softphone.update(AGENT)["snapshot"]["state"]["name"] == "PendingBusy"
    act(softphone, AGENT, call)
    assert softphone.update(AGENT)["snapshot"]["state"]["name"] == state


def test_a_written_contact_leaves_the_agent_available(softphone: Softphone) -> None:
    chat = softphone.ring(AGENT, {"channel": "chat"})
    softphone.connect(AGENT, chat)
    assert softphone.update(AGENT)["snapshot"]["state"]["name"] == "Available"
    assert softphone.free(AGENT, "voice")


def test_an_agent_with_a_call_is_not_free_for_another(softphone: Softphone) -> None:
    call = softphone.ring(AGENT)
    assert not softphone.free(AGENT, "voice")
    assert softphone.free(AGENT, "chat")
    softphone.miss(AGENT, call)
    assert not softphone.free(AGENT, "chat")
    softphone.clear(AGENT, call)
    assert softphone.free(AGENT, "voice")


def test_a_mail_has_its_address_at_the_contact(softphone: Softphone) -> None:
    softphone.ring(AGENT, {"channel": "email", "number": "ada@example.com", "name": "Ada"})
    shown = contact(softphone)
    assert shown["customerEndpoint"]["address"] == "ada@example.com"
    assert shown["connections"][1]["endpoint"]["phoneNumber"] is None


def test_a_call_that_does_not_ring_cannot_be_accepted(softphone: Softphone) -> None:
    call = softphone.ring(AGENT)
    softphone.connect(AGENT, call)
    with pytest.raises(KeyError):
        softphone.accept(AGENT, call)


async def test_without_a_poll_attributes_are_told_at_once(softphone: Softphone) -> None:
    call = softphone.ring(AGENT)
    page = opened(softphone)
    softphone.set_attributes(call, {"ms_id": call})
    told = page.get_nowait()
    assert told is not None
    [shown] = told["snapshot"]["contacts"]
    assert shown["attributes"] == {"ms_id": {"name": "ms_id", "value": call}}


async def test_with_a_poll_attributes_are_told_when_it_comes(
    softphone: Softphone, clock: Clock
) -> None:
    softphone.poll_s = 30
    call = softphone.ring(AGENT)
    page = opened(softphone)
    clock.now += 29.95
    softphone.set_attributes(call, {"ms_id": call})
    assert page.empty()
    told = await asyncio.wait_for(page.get(), 5)
    assert told is not None
    assert "ms_id" in told["snapshot"]["contacts"][0]["attributes"]


async def test_attributes_of_a_contact_that_is_gone_are_those_of_its_chain(
    softphone: Softphone,
) -> None:
    first = softphone.ring("tom.okafor")
    second = softphone.ring(AGENT, {"initial_id": first})
    softphone.remove("tom.okafor", first)
    softphone.set_attributes(first, {"ms_id": "x"})
    assert contact(softphone)["contactId"] == second
    assert contact(softphone)["attributes"]["ms_id"]["value"] == "x"


async def test_an_agent_without_session_is_not_served(
    softphone: Softphone, http: httpx.AsyncClient
) -> None:
    assert (await http.get("/ccp-v2/")).status_code == 200
    softphone.lose_session(AGENT)
    answer = await http.get("/ccp-v2/")
    assert (answer.status_code, answer.headers["x-frame-options"]) == (302, "DENY")
    assert answer.headers["location"].startswith("/login")
    assert (await http.get(f"/agents/{AGENT}/events")).status_code == 401
    body = {"method": "getAgentSnapshot", "params": {}}
    assert (await http.post(f"/agents/{AGENT}/requests", json=body)).status_code == 401


@pytest.mark.parametrize("asking", ["", "https://other.example.com/page"])
async def test_framing_is_allowed_to_a_page_that_says_who_asks(
    asking: str, softphone: Softphone, http: httpx.AsyncClient
) -> None:
    softphone.frame_ancestors = ["https://ours.example.com", "https://org.crm4.dynamics.com"]
    good = await http.get("/ccp-v2/", headers={"Referer": "https://ours.example.com/"})
    assert good.headers["content-security-policy"].endswith(
        "frame-ancestors 'self' https://ours.example.com https://org.crm4.dynamics.com"
    )
    bad = await http.get("/ccp-v2/", headers={"Referer": asking} if asking else {})
    assert bad.headers["content-security-policy"].endswith("frame-ancestors 'self'")


async def test_an_agents_name_is_text_on_the_page(
    softphone: Softphone, http: httpx.AsyncClient
) -> None:
    softphone.sign_in('"><script>')
    assert "<script>" not in (await http.get("/ccp-v2/")).text.split("</title>")[0]


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("acceptContact", {"contactId": "nobody's"}, "ContactNotFoundException"),
        ("createOutboundContact", {"endpoint": {"phoneNumber": "112"}}, "BadEndpointException"),
        ("putAgentState", {"state": {"name": "Asleep"}}, "InvalidStateException"),
        ("makeCoffee", {}, "UnknownOperationException"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    method: str, params: dict[str, Any], error: str, http: httpx.AsyncClient
) -> None:
    assert (await ask(http, method, **params))["err"].startswith(error)


async def test_a_method_can_be_made_to_fail(softphone: Softphone, http: httpx.AsyncClient) -> None:
    softphone.refusals["acceptContact"] = "InternalServiceException"
    call = softphone.ring(AGENT)
    assert await ask(http, "acceptContact", contactId=call) == {"err": "InternalServiceException"}
    assert contact(softphone)["state"]["type"] == "connecting"


async def test_a_contact_closed_while_it_goes_on_is_ended_first(
    softphone: Softphone, http: httpx.AsyncClient
) -> None:
    done: list[str] = []
    softphone.on("end", lambda *_: done.append("end"))
    softphone.on("clear", lambda *_: done.append("clear"))
    task = softphone.ring(AGENT, {"channel": "task"})
    softphone.connect(AGENT, task)
    assert await ask(http, "completeContact", contactId=task) == {"data": {}}
    assert done == ["end", "clear"]


async def test_a_task_is_put_aside_and_taken_up(
    softphone: Softphone, http: httpx.AsyncClient
) -> None:
    task = softphone.ring(AGENT, {"channel": "task"})
    softphone.connect(AGENT, task)
    await ask(http, "pauseContact", contactId=task)
    assert contact(softphone)["state"]["type"] == "paused"
    await ask(http, "resumeContact", contactId=task)
    assert contact(softphone)["state"]["type"] == "connected"


async def test_quick_connects_are_the_colleagues(http: httpx.AsyncClient) -> None:
    told = await ask(http, "getEndpoints", queueARNs=[])
    names = {one["name"] for one in told["data"]["endpoints"]}
    assert names == {agent.username for agent in people.AGENTS} - {AGENT}


async def test_a_page_is_told_of_a_lost_session(softphone: Softphone) -> None:
    page = opened(softphone)
    softphone.lose_session(AGENT, "access_denied")
    assert page.get_nowait() == {"kind": "lost", "event": "access_denied"}


def test_a_snapshot_is_plain_json(softphone: Softphone) -> None:
    softphone.monitor(AGENT, {"name": "Tom"})
    assert orjson.loads(orjson.dumps(softphone.update(AGENT)))["kind"] == "update"


def test_pages_are_told_how_many_there_are(softphone: Softphone) -> None:
    first = opened(softphone)
    second = softphone.pages.open(AGENT)
    counts = []
    softphone.pages.close(AGENT, second)
    while not first.empty():
        told = first.get_nowait()
        if told and told.get("event") == "update_connected_ccps":
            counts.append(told["data"]["length"])
    assert counts == [2, 1]
