"""Addresses of Dynamics' pages (MicrosoftDocs, open-forms-views-dialogs-reports-url)."""

from __future__ import annotations

import re

from typing import Final
from urllib.parse import urlencode


MAIN: Final = "/main.aspx"
WORKSPACE: Final = "/apps/customer-service"
STATIC: Final = "/dynamics"

#: appid of the one app that the sandbox has.
APP_ID: Final = "0f0e0d0c-0b0a-4908-8706-0504030201ff"

_GUID: Final = re.compile(r"\{?([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\}?")


def record_id(text: str) -> str:
    """The id in a query, lower case; with or without braces. "" for none, "?" for no GUID."""
    match = _GUID.fullmatch(text.strip())
    if match:
        return match[1].lower()
    return "?" if text.strip() else ""


def record(table: str, row_id: str) -> str:
    """The page of a record."""
    return _address(pagetype="entityrecord", etn=table, id=row_id)


def records(table: str) -> str:
    """The list of a table's records."""
    return _address(pagetype="entitylist", etn=table)


def _address(**query: str) -> str:
    return f"{MAIN}?{urlencode({'appid': APP_ID, **query})}"
