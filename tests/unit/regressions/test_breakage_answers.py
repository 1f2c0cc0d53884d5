"""Successes that are not Dataverse's, and its own odd headers and ids."""

from __future__ import annotations

import math

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from pipelines.entity import entity
from pipelines.lookup import Search, Way
from pipelines.template import Template
from rawserver import at_once
from worker.clock import Clock
from worker.dynamics.auth import StaticTokens
from worker.dynamics.classify import RETRY_AFTER_DEFAULT_S, RETRY_AFTER_MAX_S, retry_after_s
from worker.dynamics.client import DataverseClient
from worker.dynamics.errors import Unavailable
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.dynamics.lookup import look_up, make_lookups
from worker.dynamics.protocol import Request


ID = "11111111-2222-4333-8444-555555555555"
CREATE = Request("POST", "phonecalls", body={"activityid": ID, "subject": "one"})
UPDATE = Request("PATCH", f"phonecalls({ID})", {"If-Match": "*"}, {"category": "VOICE"})
RETURNING = Request(
    "POST",
    "phonecalls?$select=activityid,subject",
    {"Prefer": "return=representation"},
    {"activityid": ID},
)
READ = Request("GET", f"phonecalls({ID})?$select=subject")
FIND = Request("GET", "contacts?$select=contactid&$filter=telephone1%20eq%20'1'")
MARKS = {"OData-Version": "4.0"}


def answered(
    status: int, content: bytes = b"", headers: dict[str, str] | None = None
) -> httpx.Response:
    return httpx.Response(status, content=content, headers=headers)


WRITTEN = {**MARKS, "OData-EntityId": f"https://org.test/api/data/v9.2/phonecalls({ID})"}
ROW = b'{"activityid": "%s", "subject": "one"}' % ID.encode()

STRANGE = [
    answered(200, b"{}"),
    answered(200),
    answered(204),
    answered(200, b'{"status":"maintenance"}'),
    answered(200, b'{"status":"maintenance"}', MARKS),
    answered(200, b"<html>", MARKS),
    answered(200, b"[]", MARKS),
    answered(200, b"null", MARKS),
    answered(202, b"", WRITTEN),
    answered(206, ROW, WRITTEN),
    answered(299, ROW, WRITTEN),
]


@asynccontextmanager
async def scripted(*answers: httpx.Response) -> AsyncIterator[DataverseClient]:
    """A client whose server gives one answer after the other, the last again and again."""
    left = list(answers)

    def answer(_request: httpx.Request) -> httpx.Response:
        return left.pop(0) if len(left) > 1 else left[0]

    async with make_http(transport=httpx.MockTransport(answer)) as http:
        yield DataverseClient(
            "https://org.test", http, StaticTokens("t"), make_gate(Clock(sleep=at_once))
        )


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("request_", [CREATE, UPDATE, RETURNING, READ, FIND])
async def test_a_success_that_is_not_dataverse_s_never_counts(
    strange: httpx.Response, request_: Request
) -> None:
    async with scripted(strange) as client:
        with pytest.raises(Unavailable):
            await client.send(request_, timeout_s=10)


@pytest.mark.parametrize(
    ("request_", "good"),
    [
        (CREATE, answered(204, b"", {"OData-EntityId": WRITTEN["OData-EntityId"]})),
        (CREATE, answered(204, b"", MARKS)),
        (CREATE, answered(201, b"", WRITTEN)),
        (UPDATE, answered(204, b"", WRITTEN)),
        (RETURNING, answered(201, ROW, MARKS)),
        (RETURNING, answered(200, ROW, MARKS)),
        (RETURNING, answered(204, b"", WRITTEN)),
        (READ, answered(200, ROW, MARKS)),
        (FIND, answered(200, b'{"value":[]}', MARKS)),
        (Request("GET", "new_things(1)"), answered(200, b'{"new_name":1}', MARKS)),
    ],
)
async def test_dataverse_s_own_answers_count(request_: Request, good: httpx.Response) -> None:
    async with scripted(good) as client:
        assert (await client.send(request_, timeout_s=10)).status == good.status_code


@pytest.mark.parametrize(
    "request_", [Request("POST", "phonecalls", {}, {"activityid": ID}), UPDATE]
)
async def test_a_body_that_nobody_asked_for_does_not_count(request_: Request) -> None:
    async with scripted(answered(200, ROW, WRITTEN)) as client:
        with pytest.raises(Unavailable, match="not as Dataverse does"):
            await client.send(request_, timeout_s=10)


async def test_a_write_is_sent_again_after_a_strange_success() -> None:
    async with scripted(answered(200, b"{}"), answered(204, b"", WRITTEN)) as client:
        assert (await client.send(CREATE, timeout_s=10)).status == 204


SEARCH = Search(
    entity("contacts"), Way("attribute", Template("x"), ("fullname",)), "Ada", ("accountid",)
)


@pytest.mark.parametrize(
    "strange",
    [
        *STRANGE,
        answered(200, b"{}", MARKS),
        answered(200, b'{"value":null}', MARKS),
        answered(200, b'{"value":{}}', MARKS),
        answered(200, b'{"value":"many"}', MARKS),
        answered(200, b'{"value":[1]}', MARKS),
        answered(200, b'{"value":[null]}', MARKS),
        answered(200, b'{"value":[{"fullname":"Ada"}]}', MARKS),
        answered(200, b'{"value":[{"contactid":null,"fullname":"Ada"}]}', MARKS),
        answered(200, b'{"value":[{"contactid":["x"],"fullname":"Ada"}]}', MARKS),
    ],
)
async def test_a_lookup_answered_in_no_form_of_dataverse_s_is_no_answer(
    strange: httpx.Response,
) -> None:
    async with scripted(strange) as client:
        with pytest.raises(Unavailable):
            await look_up(client, SEARCH, make_lookups(), timeout_s=10)


# --- Dataverse's odd headers and ids ---


@pytest.mark.parametrize("hint", ["0", "9" * 5000, "-1", "4.5", "\u0664", "", " ", "1e3", "10000"])
async def test_an_odd_hint_is_ignored(hint: str) -> None:
    headers = [(b"OData-Version", b"4.0"), (b"x-ms-dop-hint", hint.encode())]
    async with scripted(httpx.Response(204, headers=headers)) as client:
        await client.send(UPDATE, timeout_s=10)
        assert client.gate.slots.hint == 0


@pytest.mark.parametrize(
    "value",
    [
        "nan",
        "inf",
        "-inf",
        "1e999",
        "-5",
        "",
        "soon",
        "Mon, 01 Jan 2026 00:00:00 +99999999999",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "\u0665",
        "Mon, 99 Jan 2026 99:99:99 GMT",
        "Fri, 02 Jan 2026 03:00:00 -0000",
    ],
)
def test_an_odd_retry_after_is_the_usual_pause(value: str) -> None:
    date = "Fri, 02 Jan 2026 03:00:00 GMT"
    assert retry_after_s({"retry-after": value, "date": date}) == RETRY_AFTER_DEFAULT_S
    assert retry_after_s({"retry-after": "Fri, 02 Jan 2026 03:00:09 GMT", "date": value}) == 5


@pytest.mark.parametrize("value", ["9" * 5000, "1000000000", "Fri, 02 Jan 9999 03:00:00 GMT"])
def test_a_long_retry_after_is_bounded(value: str) -> None:
    date = "Fri, 02 Jan 2026 03:00:00 GMT"
    wait_s = retry_after_s({"retry-after": value, "date": date})
    assert wait_s == RETRY_AFTER_MAX_S
    assert math.isfinite(wait_s)


@pytest.mark.parametrize(
    "user", [None, "", 7, "ABCD", {}, [ID], f"{ID}x", f"{ID}\n", "' or 1 eq 1 or '"]
)
async def test_who_am_i_with_an_odd_user_is_no_answer(user: Any) -> None:
    body = {} if user is None else {"UserId": user}
    async with scripted(httpx.Response(200, json=body, headers=MARKS)) as client:
        with pytest.raises(Unavailable, match="without a user's id"):
            await client.user_id()
