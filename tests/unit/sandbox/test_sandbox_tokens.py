"""The token endpoint, and tokens at the Web API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from twins.clock import Turned
from worker.sandbox.dataverse.app import CLIENT_SECRET, Dataverse, create_dataverse
from worker.sandbox.dataverse.users import CLIENT_ID
from worker.sandbox.entra import OUTCOMES


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


TOKEN = "/tenant/oauth2/v2.0/token"
DISCOVERY = "/tenant/v2.0/.well-known/openid-configuration"
FORM = {
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "client_info": "1",
    "grant_type": "client_credentials",
    "scope": "https://org.test/.default",
}


@pytest.fixture
def clock() -> Turned:
    return Turned(1000.0)


@pytest.fixture
async def guarded(clock: Turned) -> AsyncIterator[Dataverse]:
    dataverse = create_dataverse(tenants=["tenant"], expires_in_s=60, clock=clock)
    yield dataverse
    dataverse.close()


@pytest.fixture
async def client(guarded: Dataverse) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=guarded.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://org.test") as client:
        yield client


async def who_am_i(client: httpx.AsyncClient, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await client.get("/api/data/v9.2/WhoAmI", headers=headers)


async def test_a_token_opens_the_web_api_until_it_expires(
    client: httpx.AsyncClient, clock: Turned
) -> None:
    body = (await client.post(TOKEN, data=FORM)).json()
    assert (body["token_type"], body["expires_in"], body["ext_expires_in"]) == ("Bearer", 60, 60)
    assert (await who_am_i(client, body["access_token"])).status_code == 200
    clock.now += 60
    assert (await who_am_i(client, body["access_token"])).status_code == 401


async def test_a_revoked_token_is_refused(client: httpx.AsyncClient, guarded: Dataverse) -> None:
    token = (await client.post(TOKEN, data=FORM)).json()["access_token"]
    guarded.tokens.revoke()
    assert (await who_am_i(client, token)).status_code == 401


async def test_without_a_token_the_answer_says_where_to_get_one(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/data/v9.2/WhoAmI")
    assert answer.status_code == 401
    assert "authorization_uri=https://org.test/" in answer.headers["www-authenticate"]


async def test_a_certificate_is_accepted_in_place_of_a_secret(client: httpx.AsyncClient) -> None:
    form = {name: value for name, value in FORM.items() if name != "client_secret"}
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assertion = {"client_assertion_type": kind, "client_assertion": "a.b.c"}
    assert (await client.post(TOKEN, data=form | assertion)).status_code == 200


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_every_outcome_can_be_switched_on(
    client: httpx.AsyncClient, guarded: Dataverse, outcome: Any
) -> None:
    guarded.tokens.outcome = outcome
    answer = await client.post(TOKEN, data=FORM)
    status, error, _ = OUTCOMES[outcome]
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["error_description"].startswith(f"{outcome}: ")
    assert answer.json()["error_codes"] == [int(outcome.removeprefix("AADSTS"))]
    assert answer.json()["correlation_id"]


async def test_id_and_secret_are_accepted_in_a_basic_authorization(
    client: httpx.AsyncClient,
) -> None:
    form = {name: FORM[name] for name in ("grant_type", "scope")}
    answer = await client.post(TOKEN, data=form, auth=(CLIENT_ID, CLIENT_SECRET))
    assert (await who_am_i(client, answer.json()["access_token"])).status_code == 200
    answer = await client.post(TOKEN, data=form, auth=(CLIENT_ID, "wrong"))
    assert answer.json()["error_codes"] == [7000215]
    answer = await client.post(TOKEN, data=form, headers={"Authorization": "Basic no base64"})
    assert answer.json()["error_codes"] == [700016]


@pytest.mark.parametrize(
    ("path", "change", "outcome"),
    [
        (TOKEN, {"client_secret": "wrong"}, "AADSTS7000215"),
        (TOKEN, {"client_id": "unknown"}, "AADSTS700016"),
        (TOKEN, {"scope": "https://org.test/user"}, "AADSTS500011"),
        ("/other/oauth2/v2.0/token", {}, "AADSTS90002"),
    ],
)
async def test_a_request_that_is_wrong_gets_its_own_outcome(
    client: httpx.AsyncClient, path: str, change: dict[str, str], outcome: str
) -> None:
    answer = await client.post(path, data=FORM | change)
    assert answer.status_code == OUTCOMES[outcome][0]
    assert answer.json()["error_description"].startswith(outcome)


async def test_discovery_names_the_token_endpoint(client: httpx.AsyncClient) -> None:
    body = (await client.get(DISCOVERY)).json()
    assert body["token_endpoint"] == f"https://org.test{TOKEN}"


async def test_discovery_of_an_unknown_tenant_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get(DISCOVERY.replace("tenant", "other", 1))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_tenant")


async def test_each_client_is_a_user_of_its_own() -> None:
    dataverse = create_dataverse(clients={"one": "1", "two": "2"})
    transport = httpx.ASGITransport(app=dataverse.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://org.test") as client:
        tokens = [dataverse.tokens.issue(name) for name in ("one", "two")]
        users = {(await who_am_i(client, token)).json()["UserId"] for token in tokens}
    assert len(users) == 2
    dataverse.close()
