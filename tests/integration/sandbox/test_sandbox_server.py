"""The sandbox as a server: TLS, MSAL's tokens, closed connections, a clean end."""

from __future__ import annotations

import asyncio
import ssl

from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import msal
import pytest

from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import CLIENT_SECRET, Dataverse, create_dataverse
from worker.sandbox.dataverse.users import CLIENT_ID
from worker.sandbox.server import serve


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


pytestmark = pytest.mark.services

LIMIT_S = 10


class Served(NamedTuple):
    """A served sandbox."""

    url: str
    ca_path: Path
    dataverse: Dataverse


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    dataverse = create_dataverse(tenants=["tenant"])
    ca_path = tmp_path / "ca.pem"
    async with serve(dataverse, ca_path=ca_path) as url:
        yield Served(url, ca_path, dataverse)
    dataverse.close()


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {served.dataverse.tokens.issue(CLIENT_ID)}"}
    trust = ssl.create_default_context(cafile=str(served.ca_path))
    root = f"{served.url}/api/data/v9.2/"
    async with httpx.AsyncClient(base_url=root, verify=trust, headers=headers) as client:
        yield client


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests, and so MSAL, prefers these variables to the authority it is told to trust."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def ask_msal(served: Served, tenant: str, client_id: str, secret: str) -> dict[str, Any]:
    """MSAL blocks: for a thread."""
    app = msal.ConfidentialClientApplication(
        client_id,
        client_credential=secret,
        authority=f"{served.url}/{tenant}",
        instance_discovery=False,
        verify=str(served.ca_path),
    )
    answer: dict[str, Any] = app.acquire_token_for_client([f"{served.url}/.default"])
    return answer


async def test_msal_gets_a_token_that_opens_the_web_api(
    served: Served, http: httpx.AsyncClient
) -> None:
    answer = await asyncio.to_thread(ask_msal, served, "tenant", CLIENT_ID, CLIENT_SECRET)
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    assert (await http.get("WhoAmI", headers=headers)).status_code == 200
    assert answer["expires_in"] == 3599


@pytest.mark.parametrize(
    ("client_id", "secret", "outcome", "error", "code"),
    [
        (CLIENT_ID, "wrong", "", "invalid_client", 7000215),
        ("unknown", CLIENT_SECRET, "", "unauthorized_client", 700016),
        (CLIENT_ID, CLIENT_SECRET, "AADSTS7000222", "invalid_client", 7000222),
        (CLIENT_ID, CLIENT_SECRET, "AADSTS500011", "invalid_resource", 500011),
    ],
)
async def test_msal_reports_what_is_wrong(
    *, served: Served, client_id: str, secret: str, outcome: Any, error: str, code: int
) -> None:
    served.dataverse.tokens.outcome = outcome
    answer = await asyncio.to_thread(ask_msal, served, "tenant", client_id, secret)
    assert (answer["error"], answer["error_codes"]) == (error, [code])


async def test_msal_refuses_to_be_built_for_an_unknown_tenant(served: Served) -> None:
    with pytest.raises(ValueError, match="authority"):
        await asyncio.to_thread(ask_msal, served, "other", CLIENT_ID, CLIENT_SECRET)


async def test_only_who_trusts_the_authority_gets_through(served: Served) -> None:
    async with httpx.AsyncClient() as stranger:
        with pytest.raises(httpx.ConnectError):
            await stranger.get(served.url)


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_dropped_connection_has_no_answer_at_all(
    served: Served, http: httpx.AsyncClient, carried_out: bool
) -> None:
    served.dataverse.faults.next(faults.dropped(carried_out=carried_out))
    with pytest.raises(httpx.TransportError):
        await http.post("phonecalls", json={})
    assert len(served.dataverse.dump()["phonecalls"]) == carried_out
    assert (await http.get("WhoAmI")).status_code == 200


async def test_a_hanging_request_outlasts_the_clients_patience(
    served: Served, http: httpx.AsyncClient
) -> None:
    served.dataverse.faults.next(faults.hang())
    with pytest.raises(httpx.ReadTimeout):
        await http.post("phonecalls", json={}, timeout=0.2)
    assert len(served.dataverse.dump()["phonecalls"]) == 1


async def test_the_server_ends_although_a_request_hangs(tmp_path: Path) -> None:
    begun = asyncio.Event()
    dataverse = create_dataverse(auth=False, listener=lambda *_: begun.set())
    async with asyncio.timeout(LIMIT_S), httpx.AsyncClient(verify=False) as client:
        async with serve(dataverse, ca_path=tmp_path / "ca.pem") as url:
            dataverse.faults.next(faults.hang())
            request = asyncio.create_task(client.get(f"{url}/api/data/v9.2/WhoAmI"))
            await begun.wait()
        with pytest.raises(httpx.TransportError):
            await request
    dataverse.close()


async def test_a_port_can_be_chosen_and_is_free_again_afterwards(tmp_path: Path) -> None:
    dataverse = create_dataverse()
    ca_path = tmp_path / "ca.pem"
    async with serve(dataverse, ca_path=ca_path) as url:
        port = int(url.rpartition(":")[2])
    async with serve(dataverse, ca_path=ca_path, port=port) as again:
        assert again == url
        with pytest.raises(OSError, match="in use"):
            async with serve(dataverse, ca_path=ca_path, port=port):
                pass
    dataverse.close()
