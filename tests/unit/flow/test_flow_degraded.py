"""A call goes on whatever happens: late, throttled, refused or misconfigured."""

from __future__ import annotations

import asyncio
import json

from collections.abc import AsyncIterator, Callable, Coroutine
from io import StringIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.errors import Throttled
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.errors import ConfigError
from worker.flow.answer import answer
from worker.flow.handler import Environment
from worker.flow.session import ANSWER_S, FlowSession, looking_up, open_session
from worker.sandbox.dataverse.limits import TOO_MANY
from worker.settings import Settings
from worker.telemetry import logs


if TYPE_CHECKING:
    from tests.unit.flow.conftest import Flow


Event = Callable[..., dict[str, Any]]
Server = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
Serve = Callable[[Server], FlowSession]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A session in front of a Dynamics that is a function; nothing is waited for."""
    opened: list[httpx.AsyncClient] = []

    def session(server: Server) -> FlowSession:
        http = make_http(transport=httpx.MockTransport(server))
        opened.append(http)
        gate = make_gate(Clock(sleep=_at_once))
        tokens = StaticTokens("none")
        client = DataverseClient("https://org.test", http, tokens, gate)
        return FlowSession(client, gate, find("timeline"))

    yield session
    for http in opened:
        await http.aclose()


async def _at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


async def test_dynamics_that_is_silent_costs_no_more_than_the_time_there_is(
    serve: Serve, event: Event
) -> None:
    async def silent(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    found = await answer(event(ms_operation="lookup"), serve(silent), within_s=0.05)
    assert (found["LookupStatus"], found["outcome"]) == ("NoMatch", "NoMatch")
    assert "in time" in found["reason"]


@pytest.mark.parametrize(
    ("status", "reason"), [(503, "503"), (403, "403"), (400, "400"), (401, "401")]
)
async def test_what_dynamics_refuses_is_no_match_with_a_reason(
    serve: Serve, event: Event, status: int, reason: str
) -> None:
    async def refusing(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"error": {"code": "0x0", "message": "no"}})

    for operation in ("lookup", "addnote"):
        found = await answer(event(ms_operation=operation), serve(refusing), ANSWER_S)
        assert found["LookupStatus"] == "NoMatch"
        assert reason in found["reason"]


async def test_dynamics_that_asks_to_be_left_alone_is_left_alone(
    serve: Serve, event: Event
) -> None:
    asked = 0

    async def throttling(_request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        error = {"code": TOO_MANY, "message": "Number of requests exceeded the limit."}
        return httpx.Response(429, json={"error": error}, headers={"Retry-After": "60"})

    session = serve(throttling)
    for _ in range(3):
        found = await answer(event(ms_operation="lookup"), session, ANSWER_S)
        assert found["LookupStatus"] == "NoMatch"
    assert asked == 1


async def test_a_closed_gate_opens_again_when_its_time_has_come(flow: Flow) -> None:
    key = flow.know(lastname="Lovelace", telephone1="+4930901820")
    flow.session.gate.breaker.failed(Throttled("test", retry_after_s=0.0))
    assert (await flow.ask(ms_operation="lookup"))["contactid"] == key


async def test_an_unknown_operation_and_a_foreign_event_are_told(flow: Flow) -> None:
    assert "lookup, addnote" in (await flow.ask(ms_operation="delete"))["reason"]
    found = await answer({"Records": []}, flow.session, ANSWER_S)
    assert (found["LookupStatus"], bool(found["reason"])) == ("NoMatch", True)
    assert flow.dataverse.requests == 0


async def test_a_pipeline_that_looks_nobody_up_is_no_use() -> None:
    assert looking_up([find("phonecall"), find("timeline")]).name == "timeline"
    with pytest.raises(ConfigError, match="timeline"):
        looking_up([find("phonecall")])


async def test_the_desk_says_what_is_not_set() -> None:
    with pytest.raises(ConfigError, match="CONNECT_DYNAMICS_ENVIRONMENT_URL"):
        async with open_session(Settings()):
            raise AssertionError


async def test_wrong_settings_are_told_to_the_operator_and_not_to_the_caller(
    monkeypatch: pytest.MonkeyPatch, event: Event
) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_API_VERSION", "9")
    environment = Environment()
    told = StringIO()
    logs.configure("info", told)
    found = await asyncio.to_thread(environment.answer, event(ms_operation="lookup"), ANSWER_S)
    await asyncio.to_thread(environment.close)
    assert found["LookupStatus"] == "NoMatch"
    assert "API_VERSION" not in found["reason"]
    assert json.loads(told.getvalue())["event"] == "flow.misconfigured"


async def test_i8_logs_have_the_contact_and_nothing_of_the_person(flow: Flow) -> None:
    told = StringIO()
    logs.configure("debug", told)
    flow.know(firstname="Ada", lastname="Lovelace", telephone1="+4930901820")
    for operation in ("lookup", "addnote", "Ada"):
        await flow.ask(ms_operation=operation, notetext="secret text", entity="")
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    assert [line["outcome"] for line in lines if line["event"] == "flow.answered"] == [
        "SingleMatch",
        "Created",
        "NoMatch",
    ]
    assert all(line["contact_id"].startswith("c0000000") for line in lines)
    for private in ("4930901820", "Ada", "Lovelace", "invoice", "secret"):
        assert private not in told.getvalue()
