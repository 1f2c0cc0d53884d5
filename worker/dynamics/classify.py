"""What an unsuccessful answer of Dataverse means: status and code in, error out.

Microsoft: the code is unrelated to the status and often empty, so statuses decide and codes only
split them (powerapps-docs ``webapi/compose-http-requests-handle-errors``). The codes are listed in
``org-service/web-service-error-codes`` of the same repository.
"""

from __future__ import annotations

import re

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

import orjson

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


#: The pause (s) without a usable Retry-After header, and the longest one that is obeyed.
RETRY_AFTER_DEFAULT_S = 5.0
RETRY_AFTER_MAX_S = 300.0

DETAIL_MAX_CHARS = 2000

#: Codes that say that this user may do nothing at all, and what an administrator does about it.
USER_REFUSED: Mapping[str, str] = {
    "0x80040225": "the application user is disabled, or in no business unit: enable it",
    "0x80072560": "the application user is not a member of this environment: add it there",
    "0x80095ffc": "this application may not use Dataverse: allow its id in the environment",
}
READ_ONLY = frozenset({"0x8004022e", "0x80040230"})
KEY_TAKEN = frozenset({"0x80040237"})
DUPLICATE_RULE = frozenset({"0x80040333"})

#: Dataverse throttles this query, not its user: some of its tries fail, those of others do not
#: (powerapps-docs ``query-throttling``). The status is not documented.
QUERY_THROTTLED = frozenset({"0x80048544", "0x80048573", "0x80048644", "0x80048744"})

#: Too many requests, too long or too many at a time: all that service protection says
#: (powerapps-docs ``api-limits``). Any other 429 is a plug-in's, a table's or a proxy's.
SERVICE_PROTECTION = frozenset({"0x80072321", "0x80072322", "0x80072326"})
SQL_ERROR = frozenset({"0x80044150"})
SQL_TIMEOUT = frozenset({"0x80044151"})

_CODE = re.compile(r"0x[0-9a-f]{1,8}")


class Row(NamedTuple):
    """One row of the table: which answers it fits and what they mean.

    Attributes:
        first: Lowest status.
        last: Highest status.
        kind: The error.
        codes: Dataverse's codes; empty fits any.
        creates: Fits creates only.
        says: Text that the message must contain.
    """

    first: int
    last: int
    kind: type[DynamicsError]
    codes: frozenset[str] = frozenset()
    creates: bool = False
    says: str = ""

    def fits(self, status: int, code: str, detail: str, *, creates: bool) -> bool:
        """Whether this row is about such an answer."""
        return (
            self.first <= status <= self.last
            and (not self.codes or code in self.codes)
            and (creates or not self.creates)
            and self.says in detail
        )


#: The first row that fits decides; an answer that no row fits (a redirect) does not count.
ROWS = (
    Row(400, 599, Refused, QUERY_THROTTLED),
    Row(401, 401, Unauthorized),
    Row(403, 403, Unauthorized, frozenset(USER_REFUSED)),
    Row(400, 403, Closed, READ_ONLY),
    Row(403, 403, Forbidden),
    Row(404, 404, Missing),
    Row(408, 408, Unavailable),
    Row(429, 429, Throttled, SERVICE_PROTECTION),
    Row(429, 429, Busy),
    # A duplicate-detection rule means another record; docs disagree whether it is 412 or 500.
    Row(412, 500, Refused, DUPLICATE_RULE),
    Row(412, 412, Exists, creates=True),
    # "Cannot insert duplicate key.": its status is not documented.
    Row(400, 500, Exists, KEY_TAKEN, creates=True),
    Row(400, 499, Unavailable, SQL_ERROR, says="1205"),
    Row(400, 499, Unavailable, SQL_TIMEOUT),
    Row(400, 499, Refused),
    Row(501, 501, Refused),
    Row(500, 599, Unavailable),
)


def failure(
    call: str, status: int, headers: Mapping[str, str], body: bytes, *, creates: bool
) -> DynamicsError:
    """The error that an answer without success stands for.

    Args:
        call: What was asked, without personal data: ``PATCH phonecalls``.
        status: HTTP status, not 2xx.
        headers: The answer's headers, with names in lower case or case-insensitive.
        body: The answer's bytes, JSON or not.
        creates: Whether the request asked for a new record and nothing else.
    """
    code, detail = read_error(body)
    kind = kind_of(status, code, detail, creates=creates)
    summary = f"{call} answered {status} {code}".rstrip()
    if kind is Unauthorized and code in USER_REFUSED:
        summary = f"{summary}: {USER_REFUSED[code]}"
    if issubclass(kind, Busy):
        wait_s = retry_after_s(headers)
        return kind(summary, retry_after_s=wait_s, code=code, detail=detail)
    return kind(summary, status=status, code=code, detail=detail)


def kind_of(status: int, code: str, detail: str, *, creates: bool) -> type[DynamicsError]:
    """Look the answer up in the table."""
    fitting = (row.kind for row in ROWS if row.fits(status, code, detail, creates=creates))
    return next(fitting, Unavailable)


def read_error(body: bytes) -> tuple[str, str]:
    """Code (``0x80040217`` or "") and message of an error body; both "" if it is not Dataverse's.

    ``innererror`` is being removed from Dataverse and is never read.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code = str(error.get("code", "")).lower()
    detail = str(error.get("message", ""))[:DETAIL_MAX_CHARS]
    # What is not a code might be anything: it must not reach a log line.
    return (code if _CODE.fullmatch(code) else ""), detail


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that ``Retry-After`` asks for, as a number or as an HTTP date, bounded."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        wait_s = float(value)
    else:
        wait_s = _seconds_between(headers.get("date", ""), value)
    return min(wait_s, RETRY_AFTER_MAX_S)


@lru_cache(maxsize=4)  # answers of one second have the same
def http_date(text: str) -> float:
    """An HTTP date in seconds since 1970.

    Raises:
        ValueError: It is not a date, or has no zone.
    """
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            raise ValueError("a date without a zone")
        return moment.timestamp()
    except (
        ArithmeticError,
        IndexError,
        TypeError,
    ) as error:  # for zones and years out of range
        raise ValueError("a date out of range") from error


def _seconds_between(start: str, end: str) -> float:
    """From one HTTP date to another; both are the server's, so our own clock does not matter."""
    try:
        return max(http_date(end) - http_date(start), 0.0)
    except ValueError:
        return RETRY_AFTER_DEFAULT_S
