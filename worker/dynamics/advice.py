"""Advice: what to do about an answer of Dynamics, for whoever tries a pipeline.

Codes: powerapps-docs ``webapi/compose-http-requests-handle-errors``, ``org-service/
web-service-error-codes`` and the support article "web-api-client-errors".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


#: By code, in lower case.
_BY_CODE: Final[Mapping[str, str]] = {
    "0x80048d19": "a column or link of the body is not what the table has: check --online names it",
    "0x80060888": "a name in the address is not there: check --online names it",
    "0x8006088a": "a name in the address is not there: check --online names it",
    "0x80044331": "a text is longer than its column: shorten it, or use | fit",
    "0x80048408": "the statuscode is one of another statecode: check --online lists them",
    "0x80040220": "the application user's role lacks this privilege: check --online shows all",
    "0x80048306": "the application user's role lacks a privilege: check --online shows all",
    "0x80040265": "a plug-in of the environment refuses it: ask who maintains it",
    "0x80060892": "another record has the value of an alternate key: find that record",
    "0x8004022e": "the record is closed: the worker reopens it, updates it and closes it",
    "0x80040230": "the record is closed: the worker reopens it, updates it and closes it",
}

#: By status, where no code tells more.
_BY_STATUS: Final[Mapping[int, str]] = {
    400: "check --online compares the pipeline with the environment's tables",
    401: "the credentials are not accepted: check --online says which",
    403: "the application user's role lacks a privilege: check --online shows all",
    404: "there is no such record",
    412: "it is there already: the worker would compare it and send only what differs",
    413: "the request is too large: shorten its texts",
    429: "Dynamics is throttled: try again later",
}


def advice(status: int | None, code: str, *, makers: tuple[str, ...] = ()) -> str:
    """What to do about a failure, "" if there is nothing to say beside Dynamics' own message.

    Args:
        status: HTTP status; None: no answer.
        code: Dataverse's code, or "".
        makers: Steps that make the record that the request is about.
    """
    if status is None:
        return "there was no answer: check address and network"
    if status == 404 and makers and code.lower() not in ("0x80060888", "0x8006088a"):  # noqa: PLR2004
        return f"there is no such record: run {' or '.join(makers)} first, or all with --all --send"
    return _BY_CODE.get(code.lower(), "") or _BY_STATUS.get(status, "")
