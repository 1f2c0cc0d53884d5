"""Behaviours that users of Dataverse reported, each as rules given to a running sandbox."""

from __future__ import annotations

import ssl

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from worker.sandbox.dataverse.app import FAULTS, create_dataverse
from worker.sandbox.dataverse.users import CLIENT_ID
from worker.sandbox.server import serve


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


pytestmark = pytest.mark.services

PERSON = "11111111-0000-4000-8000-000000000001"

#: Requests: method, path and body.
REQUESTS: dict[str, tuple[str, str, Any]] = {
    "WhoAmI": ("GET", "WhoAmI", None),
    "contact": ("PATCH", f"contacts({PERSON})", {"lastname": "fine"}),
    "poisoned": ("PATCH", f"contacts({PERSON})", {"lastname": "a POISON of a name"}),
    "exact": ("GET", "contacts?$filter=telephone1%20eq%20%27030%27", None),
    "wild": ("GET", "contacts?$filter=endswith(telephone1,%27030%27)", None),
    "note": ("POST", "annotations", {"subject": "fine"}),
    "unlink": ("PATCH", f"contacts({PERSON})", {"parentcustomerid_account@odata.bind": None}),
}

_WILD = {"code": "0x80048644", "method": "GET", "query": "endswith"}
_NULL = {"method": "PATCH", "body": '@odata.bind":null'}
_NO_MEMBER = {"status": 403, "code": "0x80072560"}

#: What was reported: the rule, and the requests that it befalls.
REPORTED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "nomember": (_NO_MEMBER, set(REQUESTS)),
    "nomember-whoami": ({**_NO_MEMBER, "path": "^(?!WhoAmI)"}, set(REQUESTS) - {"WhoAmI"}),
    "restricted": ({"status": 403, "code": "0x80095ffc"}, set(REQUESTS)),
    "nonote": (
        {"status": 403, "code": "0x80040220", "table": "annotation", "action": "create"},
        {"note"},
    ),
    "wild400": ({"status": 400, **_WILD}, {"wild"}),
    "wild429": ({"status": 429, "retry_after_s": 3, **_WILD}, {"wild"}),
    "wild503": ({"status": 503, **_WILD}, {"wild"}),
    "poison500-0x80040265": (
        {"status": 500, "code": "0x80040265", "action": "write", "body": "POISON"},
        {"poisoned"},
    ),
    "poison503-lost": (
        {"status": 503, "code": "", "carried_out": True, "action": "write", "body": "POISON"},
        {"poisoned"},
    ),
    "poison-dropped": ({"ending": "drop", "action": "write", "body": "POISON"}, {"poisoned"}),
    "one-record": (
        {"status": 500, "code": "", "record": PERSON},
        {"contact", "poisoned", "unlink"},
    ),
    "null400": ({"status": 400, "code": "0x80048d19", **_NULL}, {"unlink"}),
    "null500": ({"status": 500, "code": "0x80040216", **_NULL}, {"unlink"}),
}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a sandbox that is served over TLS."""
    dataverse, ca = create_dataverse(), tmp_path / "ca.pem"
    dataverse.put("contacts", {"contactid": PERSON, "lastname": "fine"})
    headers = {"Authorization": f"Bearer {dataverse.tokens.issue(CLIENT_ID)}"}
    async with serve(dataverse, ca_path=ca) as url:
        trust = ssl.create_default_context(cafile=str(ca))
        async with httpx.AsyncClient(base_url=url, verify=trust, headers=headers) as client:
            yield client
    dataverse.close()


async def ask(http: httpx.AsyncClient, method: str, path: str, body: Any) -> tuple[int | None, str]:
    """Status and code of the answer; None if there was none."""
    try:
        answer = await http.request(method, f"/api/data/v9.2/{path}", json=body)
    except (httpx.RemoteProtocolError, httpx.ReadError):
        return None, ""
    error = answer.json().get("error", {}) if answer.is_error else {}
    return answer.status_code, error.get("code", "")


@pytest.mark.parametrize("name", REPORTED)
async def test_what_was_reported_of_dataverse_can_be_told_to_a_running_sandbox(
    http: httpx.AsyncClient, name: str
) -> None:
    rule, befallen = REPORTED[name]
    before = {what: await ask(http, *request) for what, request in REQUESTS.items()}
    assert (await http.post(FAULTS, json=[rule])).status_code == 200
    after = {what: await ask(http, *request) for what, request in REQUESTS.items()}
    wrong = (rule.get("status"), rule.get("code", ""))
    assert after == before | dict.fromkeys(befallen, wrong)
    await http.delete(FAULTS)
    assert await ask(http, *REQUESTS["poisoned"]) == before["poisoned"]
