"""Every answer that Dataverse is known to refuse with, by status and code.

Codes: https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes
"""

from __future__ import annotations

import httpx
import orjson
import pytest

from worker.dynamics.classify import DETAIL_MAX_CHARS, failure, kind_of, read_error, retry_after_s
from worker.dynamics.errors import (
    Busy,
    Closed,
    DynamicsError,
    Exists,
    Forbidden,
    Missing,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)


DEADLOCK = "Transaction was deadlocked. Sql Number: 1205"

ANSWERS: list[tuple[int, str, str, bool, type[DynamicsError]]] = [
    # status, code, message, is it a create, the error
    (404, "0x80040217", "", False, Missing),
    (404, "0x80060891", "", False, Missing),
    (412, "0x80060892", "", True, Exists),
    (412, "0x80060892", "", False, Refused),
    (412, "0x80040237", "", True, Exists),
    (412, "0x80040237", "", False, Refused),
    (500, "0x80040237", "Cannot insert duplicate key.", True, Exists),
    (400, "0x80040237", "Cannot insert duplicate key.", True, Exists),
    (412, "0x80040333", "", True, Refused),
    (500, "0x80040333", "", True, Refused),
    (412, "0x80060882", "", False, Refused),
    (412, "", "", True, Exists),
    (412, "", "", False, Refused),
    (400, "0x80060883", "", False, Refused),
    (400, "0x8006088d", "", False, Refused),
    (400, "0x80048d19", "", True, Refused),
    (400, "0x80060888", "", False, Refused),
    (404, "0x80060888", "", True, Missing),
    (405, "0x80060888", "", False, Refused),
    (415, "0x80060888", "", True, Refused),
    (404, "0x8006088a", "", False, Missing),
    (400, "0x8006088a", "", False, Refused),
    (400, "0x0", "", True, Refused),
    (400, "", "", True, Refused),
    (400, "0x80044331", "", True, Refused),
    (400, "0x80048408", "", False, Refused),
    (403, "0x80040220", "", True, Forbidden),
    (403, "0x80048306", "", True, Forbidden),
    (403, "", "", False, Forbidden),
    (403, "0x80040225", "", False, Unauthorized),
    (401, "0x80040225", "", False, Unauthorized),
    (401, "", "", False, Unauthorized),
    (400, "0x80040203", "", True, Refused),
    (400, "0x80040265", "", True, Refused),
    (500, "0x80040216", "", True, Unavailable),
    (500, "0x80044150", DEADLOCK, False, Unavailable),
    (400, "0x80044150", DEADLOCK, False, Unavailable),
    (400, "0x80044150", "Sql Number: 547", False, Refused),
    (500, "0x80044151", "", False, Unavailable),
    (400, "0x80044151", "", False, Unavailable),
    (400, "0x80048644", "", False, Refused),
    (429, "0x80048544", "", False, Refused),
    (503, "0x80048573", "", False, Refused),
    (429, "0x80048744", "", False, Refused),
    (429, "0x80072321", "", False, Throttled),
    (429, "0x80072322", "", True, Throttled),
    (429, "0x80072326", "", True, Throttled),
    (429, "", "", False, Busy),
    (429, "0x80040265", "", True, Busy),
    (400, "0x8004022e", "", False, Closed),
    (400, "0x80040230", "", False, Closed),
    (403, "0x8004022e", "", False, Closed),
    (403, "0x80040230", "", False, Closed),
    (408, "", "", True, Unavailable),
    (413, "", "", True, Refused),
    (422, "", "", True, Refused),
    (500, "", "", True, Unavailable),
    (501, "", "", False, Refused),
    (502, "", "", True, Unavailable),
    (503, "", "", True, Unavailable),
    (504, "", "", True, Unavailable),
    (302, "", "", False, Unavailable),
    (304, "", "", False, Unavailable),
]


@pytest.mark.parametrize(("status", "code", "message", "creates", "kind"), ANSWERS)
def test_the_status_decides_and_the_code_splits(
    status: int, code: str, message: str, creates: bool, kind: type[DynamicsError]
) -> None:
    assert kind_of(status, code, message, creates=creates) is kind


def test_the_error_tells_call_status_and_code_but_never_the_message() -> None:
    body = orjson.dumps({"error": {"code": "0x80044331", "message": "'+15550100' is too long"}})

    error = failure("PATCH phonecalls", 400, {}, body, creates=False)

    assert str(error) == "PATCH phonecalls answered 400 0x80044331"
    assert (error.status, error.code) == (400, "0x80044331")
    assert error.detail == "'+15550100' is too long"


@pytest.mark.parametrize(("code", "kind"), [("0x80072322", Throttled), ("", Busy)])
def test_a_429_carries_the_wait(code: str, kind: type[Busy]) -> None:
    body = f'{{"error": {{"code": "{code}", "message": ""}}}}'.encode()
    error = failure("GET contacts", 429, {"retry-after": "30"}, body, creates=False)

    assert type(error) is kind
    assert error.retry_after_s == 30


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b"[]",
        b"null",
        b'{"error":"x"}',
        b'{"Message":"x"}',
        b"\xff",
    ],
)
def test_a_body_that_is_not_dataverse_s_is_tolerated(body: bytes) -> None:
    assert read_error(body) == ("", "")


def test_a_code_is_put_into_lower_case_and_anything_else_in_its_place_is_dropped() -> None:
    assert read_error(b'{"error":{"code":"0x8006088D","message":"m"}}') == ("0x8006088d", "m")
    assert read_error(b'{"error":{"code":"call +15550100","message":"m"}}') == ("", "m")
    assert read_error(b'{"error":{"code":null}}') == ("", "")


def test_the_message_is_bounded() -> None:
    body = orjson.dumps({"error": {"code": "", "message": "x" * 100_000}})

    assert len(read_error(body)[1]) == DETAIL_MAX_CHARS


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, 5),
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "86400"}, 300),
        ({"Retry-After": "-3"}, 5),
        ({"Retry-After": "soon"}, 5),
        (
            {
                "Date": "Fri, 20 Nov 2026 10:00:00 GMT",
                "Retry-After": "Fri, 20 Nov 2026 10:00:42 GMT",
            },
            42,
        ),
        (
            {
                "Date": "Fri, 20 Nov 2026 10:00:00 GMT",
                "Retry-After": "Fri, 20 Nov 2026 09:00:00 GMT",
            },
            0,
        ),
        ({"Retry-After": "Fri, 20 Nov 2026 10:00:42 GMT"}, 5),
        ({"Date": "Fri, 20 Nov 2026 10:00:00", "Retry-After": "Fri, 20 Nov 2026 10:00:42"}, 5),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_server_s_clock_and_bounded(
    headers: dict[str, str], wait_s: float
) -> None:
    assert retry_after_s(httpx.Headers(headers)) == wait_s
