"""The client: what goes over the wire, what is repeated, and what an answer turns into."""

from __future__ import annotations

import asyncio
import gzip

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import structlog

from twins.clock import Turned
from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import MAX_BODY_BYTES, TRIES, DataverseClient, describe
from worker.dynamics.errors import (
    Closed,
    DynamicsError,
    Exists,
    Forbidden,
    Missing,
    NotAs,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateClosed, GateState, Reason
from worker.errors import ConfigError
from worker.exchange import Exchange, collected


ORG = "https://org.crm.dynamics.com"
ID = "11111111-2222-4333-8444-555555555555"
CREATE = Request("POST", "phonecalls", body={"activityid": ID, "subject": "+15550100"})
UPDATE = Request("PATCH", f"phonecalls({ID})", {"If-Match": "*"}, {"category": "VOICE"})
LOOKUP = Request("GET", "contacts?$select=contactid&$filter=telephone1%20eq%20'%2B15550100'")

Step = httpx.Response | Exception


class Server:
    """Answers with one step after the other (the last one again and again), and remembers."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step


class RotatingTokens:
    """Gives ``token-1`` until it is refused, then ``token-2``, and so on."""

    def __init__(self) -> None:
        self.number = 1

    async def token(self) -> str:
        return f"token-{self.number}"

    async def refuse(self, token: str) -> None:
        if token == f"token-{self.number}":
            self.number += 1


class Rig:
    """A client on a scripted server, with its gate and its clock."""

    def __init__(self, handler: Callable[[httpx.Request], Any]) -> None:
        self.time = Turned()
        self.tokens = RotatingTokens()
        self.gate = make_gate(self.time.clock(chance=1.0))
        self.http = make_http(transport=httpx.MockTransport(handler))
        self.client = DataverseClient(
            ORG,
            self.http,
            self.tokens,
            self.gate,
        )


MakeRig = Callable[..., Rig]


@pytest.fixture
async def rig() -> AsyncIterator[MakeRig]:
    rigs: list[Rig] = []

    def make(handler: Callable[[httpx.Request], Any]) -> Rig:
        rigs.append(Rig(handler))
        return rigs[-1]

    yield make
    for one in rigs:
        await one.http.aclose()


def error(status: int, code: str = "", message: str = "", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": {"code": code, "message": message}}, headers=named)


#: What Dataverse's answers are known by.
MARKS = {"OData-Version": "4.0"}

NO_CONTENT = httpx.Response(204, headers=MARKS)


def found(body: dict[str, Any], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(200, json=body, headers=MARKS | named)


NOBODY = found({"value": []})


async def test_every_call_carries_the_headers_microsoft_asks_for(rig: MakeRig) -> None:
    server = Server(NO_CONTENT)
    await rig(server).client.send(CREATE, timeout_s=10)

    (sent,) = server.requests
    assert str(sent.url) == f"{ORG}/api/data/v9.2/phonecalls"
    assert orjson.loads(sent.content) == CREATE.body
    expected = {
        "accept": "application/json",
        "odata-maxversion": "4.0",
        "odata-version": "4.0",
        "if-none-match": "null",
        "content-type": "application/json",
        "authorization": "Bearer token-1",
    }
    assert {name: sent.headers[name] for name in expected} == expected


async def test_a_request_s_own_headers_win_and_without_a_body_there_is_no_content_type(
    rig: MakeRig,
) -> None:
    server = Server(NOBODY)
    request = Request("GET", "contacts", {"if-none-match": "*", "Prefer": "x"})
    await rig(server).client.send(request, timeout_s=10)

    (sent,) = server.requests
    assert sent.headers.get_list("if-none-match") == ["*"]
    assert sent.headers["prefer"] == "x"
    assert "content-type" not in sent.headers


async def test_each_try_has_an_id_of_its_own(rig: MakeRig) -> None:
    server = Server(error(503), NO_CONTENT)
    await rig(server).client.send(UPDATE, timeout_s=10)

    first, second = (sent.headers["x-ms-client-request-id"] for sent in server.requests)
    assert first != second


async def test_how_often_was_tried_and_the_ids_of_the_last_failure_are_kept_for_a_support_case(
    rig: MakeRig,
) -> None:
    refused = error(503, x_ms_service_request_id="7c1f")
    refused.headers["req_id"] = "9a0b"
    server, told = Server(error(503), refused, NO_CONTENT), Exchange()
    with collected(told, lambda: 0.0):
        await rig(server).client.send(UPDATE, timeout_s=10)

    client = server.requests[1].headers["x-ms-client-request-id"]
    assert (told.requests, told.status) == (3, 204)
    assert told.ids == {"client": client, "service": "7c1f", "req": "9a0b"}


async def test_an_id_that_is_said_twice_is_kept_once_and_what_is_no_id_not_at_all(
    rig: MakeRig,
) -> None:
    told = Exchange()
    for said, kept in (("7c1f", {"client", "service"}), ("call +49 30 901820", {"client"})):
        refused = error(400, x_ms_service_request_id=said)
        refused.headers["req_id"] = said
        with collected(told, lambda: 0.0), pytest.raises(Refused):
            await rig(Server(refused)).client.send(UPDATE, timeout_s=10)
        assert told.ids.keys() == kept


async def test_requests_that_got_no_answer_count_too_and_other_tasks_do_not(rig: MakeRig) -> None:
    told = Exchange()
    client = rig(Server(httpx.ConnectError(""))).client
    with collected(told, lambda: 0.0), pytest.raises(Unavailable):
        await client.send(UPDATE, timeout_s=10)
    tries = told.requests
    with pytest.raises(Unavailable):
        await client.send(UPDATE, timeout_s=10)
    assert (told.requests, told.status) == (tries, 0)
    assert tries >= 1


async def test_an_answer_has_status_headers_and_the_parsed_body(rig: MakeRig) -> None:
    rigged = rig(Server(found({"value": []}, ETag='W/"1"')))
    answer = await rigged.client.send(LOOKUP, timeout_s=10)

    assert (answer.status, answer.body, answer.headers["etag"]) == (200, {"value": []}, 'W/"1"')


async def test_a_query_reaches_the_server_as_it_was_encoded(rig: MakeRig) -> None:
    server = Server(NOBODY)
    await rig(server).client.send(LOOKUP, timeout_s=10)

    assert server.requests[0].url.params["$filter"] == "telephone1 eq '+15550100'"


@pytest.mark.parametrize(
    "lost",
    [
        httpx.ReadTimeout("test"),
        httpx.ConnectTimeout("test"),
        httpx.ConnectError("test"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("test"),
        error(408),
        error(500, "0x80044150", "Sql Number: 1205"),
        error(500, "0x80040216"),
        error(502),
        error(503),
        error(504),
        httpx.Response(504, text="<html>"),
    ],
)
@pytest.mark.parametrize("request_", [CREATE, UPDATE, LOOKUP])
async def test_an_unknown_outcome_is_asked_for_again(
    rig: MakeRig, lost: Step, request_: Request
) -> None:
    good = NOBODY if request_ is LOOKUP else NO_CONTENT
    server = Server(lost, lost, good)
    rigged = rig(server)

    assert (await rigged.client.send(request_, timeout_s=60)).status == good.status_code
    assert len(server.requests) == 3
    assert rigged.time.slept == [0.5, 1.0]
    assert rigged.gate.slots.in_flight == 0


async def test_after_four_tries_it_is_unavailable(rig: MakeRig) -> None:
    server = Server(error(503, message="secret"))
    rigged = rig(server)

    with pytest.raises(Unavailable) as caught:
        await rigged.client.send(UPDATE, timeout_s=600)
    assert len(server.requests) == TRIES
    assert rigged.time.slept == [0.5, 1.0, 2.0]
    assert str(caught.value) == "PATCH phonecalls answered 503"


async def test_what_got_no_answer_when_it_was_last_sent_is_sent_once_the_next_time(
    rig: MakeRig,
) -> None:
    server = Server(*[error(503)] * TRIES, NOBODY, error(503))
    rigged = rig(server)
    with pytest.raises(Unavailable):
        await rigged.client.send(UPDATE, timeout_s=600)
    await rigged.client.send(LOOKUP, timeout_s=60)  # no outage, as it seems
    with pytest.raises(Unavailable):
        await rigged.client.send(UPDATE, timeout_s=600)
    assert len(server.requests) == TRIES + 1 + 1


async def test_no_try_starts_after_the_time_is_up(rig: MakeRig) -> None:
    server = Server(error(503))
    with pytest.raises(Unavailable):
        await rig(server).client.send(UPDATE, timeout_s=1.2)
    assert len(server.requests) == 2


async def test_a_request_that_hangs_ends_with_its_time(rig: MakeRig) -> None:
    async def hang(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    rigged = rig(hang)
    rigged.time.now = 0
    send = asyncio.create_task(rigged.client.send(UPDATE, timeout_s=0.05))
    with pytest.raises(Unavailable, match="in time"):
        await send
    assert rigged.gate.slots.in_flight == 0


async def test_the_time_to_wait_for_a_slot_counts_and_is_no_outage(rig: MakeRig) -> None:
    rigged = rig(Server(NO_CONTENT))
    rigged.gate.take_hint(1)
    async with rigged.gate.slot():
        with pytest.raises(Unavailable, match="no slot"):
            await rigged.client.send(UPDATE, timeout_s=0.01)
    assert not rigged.gate.breaker._failures._failing


@pytest.mark.parametrize(
    ("request_", "answer", "kind"),
    [
        (CREATE, error(412, "0x80040237"), Exists),
        (Request("PATCH", "x(1)", {"If-None-Match": "*"}, {}), error(412), Exists),
        (UPDATE, error(412), Refused),
        (UPDATE, error(404, "0x80040217"), Missing),
        (UPDATE, error(400, "0x80040230"), Closed),
        (CREATE, error(400, "0x80044331"), Refused),
        (CREATE, error(403, "0x80040220"), Forbidden),
        (CREATE, error(403, "0x80040225"), Unauthorized),
    ],
)
async def test_a_definitive_answer_is_not_asked_for_again(
    rig: MakeRig, request_: Request, answer: httpx.Response, kind: type[DynamicsError]
) -> None:
    server = Server(answer)
    with pytest.raises(DynamicsError) as caught:
        await rig(server).client.send(request_, timeout_s=10)
    assert type(caught.value) is kind
    assert len(server.requests) == 1


async def test_a_create_whose_first_answer_was_lost_finds_its_record_there(rig: MakeRig) -> None:
    rigged = rig(Server(httpx.ReadTimeout("lost"), error(412, "0x80040237")))
    with pytest.raises(Exists):
        await rigged.client.send(CREATE, timeout_s=10)


@pytest.mark.parametrize(
    "answer", [error(429, Retry_After="9"), error(403, "0x80040220"), error(401)]
)
async def test_after_a_lost_answer_one_that_says_nothing_about_it_leaves_the_doubt(
    rig: MakeRig, answer: httpx.Response
) -> None:
    rigged = rig(Server(httpx.ReadTimeout("lost"), answer))
    with pytest.raises(Unavailable) as caught:
        await rigged.client.send(CREATE, timeout_s=10)
    assert "ReadTimeout" in str(caught.value)


async def test_429_closes_the_gate_for_everybody_until_retry_after(rig: MakeRig) -> None:
    server = Server(error(429, "0x80072322", Retry_After="17"))
    rigged = rig(server)
    with pytest.raises(Throttled) as caught:
        await rigged.client.send(CREATE, timeout_s=60)
    assert caught.value.retry_after_s == 17

    with pytest.raises(GateClosed):
        await rigged.client.send(LOOKUP, timeout_s=60)
    assert len(server.requests) == 1


async def test_401_gets_one_new_token(rig: MakeRig) -> None:
    server = Server(error(401), NO_CONTENT)
    rigged = rig(server)
    await rigged.client.send(UPDATE, timeout_s=10)

    used = [sent.headers["authorization"] for sent in server.requests]
    assert used == ["Bearer token-1", "Bearer token-2"]
    assert rigged.gate.breaker.state is GateState.OPEN


async def test_401_twice_closes_the_gate(rig: MakeRig) -> None:
    server = Server(error(401))
    rigged = rig(server)
    with pytest.raises(Unauthorized):
        await rigged.client.send(UPDATE, timeout_s=10)
    assert len(server.requests) == 2
    assert rigged.gate.breaker.reason is Reason.UNAUTHORIZED


async def test_a_probe_passes_the_closed_gate_and_opens_it(rig: MakeRig) -> None:
    server = Server(error(503), found({"UserId": ID}))
    rigged = rig(server)
    rigged.gate.breaker.failed(Unauthorized("test"))
    await rigged.gate.breaker.reopen(rigged.client.probe)

    assert [sent.url.path for sent in server.requests] == ["/api/data/v9.2/WhoAmI"] * 2
    assert rigged.gate.breaker.state is GateState.OPEN


@pytest.mark.parametrize(
    "told", [{}, {"OrganizationId": None}, {"OrganizationId": str(UUID(int=0))}]
)
async def test_an_answer_that_names_no_organization_is_no_answer(
    rig: MakeRig, told: dict[str, Any]
) -> None:
    rigged = rig(Server(found({"UserId": ID, **told})))
    with pytest.raises(Unavailable, match="without an organization"):
        await rigged.client.organization_id()


async def test_five_requests_in_a_row_without_an_answer_end_the_repeating_and_a_probe_judges(
    rig: MakeRig,
) -> None:
    server = Server(*[httpx.ConnectError("down")] * 6, found({"UserId": ID}))
    rigged = rig(server)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await rigged.client.send(CREATE, timeout_s=60)
    assert len(server.requests) == 5
    reasons = [rigged.gate.breaker.reason]
    await rigged.gate.breaker.reopen(rigged.client.probe)
    reasons.append(rigged.gate.breaker.reason)
    assert reasons == [Reason.DOUBT, Reason.OUTAGE], "it is open, on trial"
    assert rigged.time.slept[-1] == 2.0


@pytest.mark.parametrize("request_", [CREATE, UPDATE, LOOKUP])
async def test_one_request_that_never_gets_an_answer_is_no_outage(
    rig: MakeRig, request_: Request
) -> None:
    """When there is nothing else to judge by, a probe says so at once."""

    def server(request: httpx.Request) -> httpx.Response:
        return found({"UserId": ID}) if request.url.path.endswith("WhoAmI") else error(500)

    rigged = rig(server)
    for _ in range(10):
        with pytest.raises(Unavailable):
            await rigged.client.send(request_, timeout_s=60)
        assert rigged.gate.breaker.reason in {Reason.NONE, Reason.DOUBT}
        slept = len(rigged.time.slept)
        await rigged.gate.breaker.reopen(rigged.client.probe)
        assert len(rigged.time.slept) == slept
    assert rigged.gate.breaker.state is GateState.OPEN


async def test_the_server_s_hint_reaches_the_gate(rig: MakeRig) -> None:
    rigged = rig(Server(httpx.Response(204, headers={**MARKS, "x-ms-dop-hint": "2"})))
    await rigged.client.send(UPDATE, timeout_s=10)
    assert rigged.gate.slots.limit == 2


async def test_the_user_s_id_is_asked_for_once_and_in_lower_case(rig: MakeRig) -> None:
    server = Server(found({"UserId": "ABCDEF00-2222-4333-8444-555555555555"}))
    client = rig(server).client
    known = "abcdef00-2222-4333-8444-555555555555"
    assert await asyncio.gather(*(client.user_id() for _ in range(5))) == [known] * 5
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", [b"<html>login</html>", b"[]", b"5"])
async def test_a_success_that_is_not_a_json_object_is_no_answer(
    rig: MakeRig, content: bytes
) -> None:
    with pytest.raises(Unavailable, match="GET contacts answered 200 without a JSON object"):
        await rig(Server(httpx.Response(200, content=content))).client.send(LOOKUP, timeout_s=10)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://login.microsoftonline.com/t?state=%2B15550100", "login.microsoftonline.com"),
        ("//Elsewhere.Example:99/x", "elsewhere.example"),
        ("/login?user=%2B15550100", "another"),
        ("https://%2B15550100/", "another"),
    ],
)
async def test_a_redirect_gets_no_token_and_only_its_host_is_told(
    rig: MakeRig, status: int, location: str, host: str
) -> None:
    server = Server(httpx.Response(status, headers={"Location": location}))
    with pytest.raises(Unavailable, match=f"^GET contacts was redirected to {host},") as raised:
        await rig(server).client.send(LOOKUP, timeout_s=1)
    assert {sent.url.host for sent in server.requests} == {"org.crm.dynamics.com"}
    assert "15550100" not in str(raised.value)


async def test_cookies_are_dropped(rig: MakeRig) -> None:
    server = Server(httpx.Response(204, headers={**MARKS, "Set-Cookie": "ARRAffinity=1; Path=/"}))
    client = rig(server).client
    await client.send(UPDATE, timeout_s=10)
    await client.send(UPDATE, timeout_s=10)
    assert "cookie" not in server.requests[1].headers


async def test_an_answer_is_bounded_unpacked(rig: MakeRig) -> None:
    packed = gzip.compress(b" " * (MAX_BODY_BYTES + 1))
    headers = {**MARKS, "Content-Encoding": "gzip"}
    server = Server(httpx.Response(200, content=packed, headers=headers))
    with pytest.raises(Refused, match="more than"):
        await rig(server).client.send(LOOKUP, timeout_s=10)


async def test_a_damaged_answer_is_no_answer(rig: MakeRig) -> None:
    headers = {"Content-Encoding": "gzip"}

    def damaged(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(b"no gzip"), headers=headers)

    with pytest.raises(Unavailable, match="DecodingError"):
        await rig(damaged).client.send(LOOKUP, timeout_s=0.1)


async def test_an_address_that_cannot_be_one_is_refused(rig: MakeRig) -> None:
    with pytest.raises(Refused):
        await rig(Server(NO_CONTENT)).client.send(Request("GET", "a" * 70_000), timeout_s=10)


async def test_neither_texts_nor_logs_hold_queries_bodies_messages_or_tokens(rig: MakeRig) -> None:
    wrong = error(400, "0x80044331", "'+15550100' is too long", x_ms_service_request_id="s-1")
    with structlog.testing.capture_logs() as logs:
        for request in (CREATE, UPDATE, LOOKUP):
            with pytest.raises(Refused) as caught:
                await rig(Server(wrong)).client.send(request, timeout_s=10)
            assert str(caught.value) == f"{describe(request)} answered 400 0x80044331"
    assert [line["event"] for line in logs] == ["dynamics.refused"] * 3
    assert logs[0]["service_request_id"] == "s-1"
    assert not any(word in str(logs) for word in ("5550100", "token-1", "telephone1", ID))


@pytest.mark.parametrize(
    "url",
    [
        "http://org.crm.dynamics.com",
        "org.crm.dynamics.com",
        "https://u:p@org",
        "https://",
        "https://o?x=1",
        "https://o\n",
    ],
)
async def test_only_a_plain_https_address_is_taken(url: str, rig: MakeRig) -> None:
    with pytest.raises(ConfigError):
        DataverseClient(url, rig(Server(NO_CONTENT)).http, StaticTokens("t"), make_gate())


async def test_static_tokens_stay_the_same(rig: MakeRig) -> None:
    server = Server(error(401))
    rigged = rig(server)
    client = DataverseClient(
        f"{ORG}/", rigged.http, StaticTokens("t"), rigged.gate, api_version="v9.1"
    )
    with pytest.raises(Unauthorized):
        await client.send(UPDATE, timeout_s=10)
    assert server.requests[1].headers["authorization"] == "Bearer t"
    assert server.requests[1].url.path.startswith("/api/data/v9.1/")


AS = Request("POST", "phonecalls", {"MSCRMCallerID": ID}, {"activityid": ID})


@pytest.mark.parametrize(
    ("status", "code"), [(403, "0x80040220"), (403, "0x80040225"), (401, "0x80040225")]
)
async def test_a_user_who_may_not_be_named_closes_no_gate_and_costs_no_token(
    rig: MakeRig, status: int, code: str
) -> None:
    one = rig(Server(error(status, code)))
    for _ in range(20):
        with pytest.raises(NotAs):
            await one.client.send(AS, timeout_s=10)
    assert one.gate.breaker.state is GateState.OPEN
    assert await one.tokens.token() == "token-1"


async def test_a_token_that_is_refused_in_a_user_s_name_is_renewed(rig: MakeRig) -> None:
    server = Server(error(401), NO_CONTENT)
    await rig(server).client.send(AS, timeout_s=10)
    assert [sent.headers["authorization"] for sent in server.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
