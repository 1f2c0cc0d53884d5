"""TLS is always verified, a private authority can be named, and nobody is sent on elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from botocore.exceptions import SSLError

from worker import aws
from worker.dynamics.auth import MsalTokens
from worker.dynamics.http import make_http
from worker.dynamics.secret import Credential
from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.server import serve
from worker.settings import Settings


pytestmark = pytest.mark.services


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return tmp_path / "ca.pem"


@pytest.fixture
async def server(ca: Path) -> AsyncIterator[str]:
    """A server whose authority nobody knows; it has no table, but answers all the same."""
    dataverse = create_dataverse()
    async with serve(dataverse, ca_path=ca) as url:
        yield url
    dataverse.close()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "invented")


async def test_aws_is_not_spoken_to_under_an_unknown_authority(server: str) -> None:
    async with aws.client("dynamodb", endpoint_url=server, region="eu-central-1") as client:
        with pytest.raises(SSLError) as refused:
            await client.describe_table(TableName="contacts")
    assert aws.may_pass(refused.value), "it is reported and waited for, never worked around"


async def test_aws_is_spoken_to_under_the_authority_of_aws_ca_bundle(
    server: str, ca: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(ca))
    async with aws.client("dynamodb", endpoint_url=server, region="eu-central-1") as client:
        with pytest.raises(aws.FAILURES) as answered:
            await client.describe_table(TableName="contacts")
    assert not isinstance(answered.value, SSLError)


async def test_dynamics_is_spoken_to_under_a_private_authority_if_it_is_named(
    server: str, ca: Path
) -> None:
    async with make_http() as http:
        with pytest.raises(httpx.ConnectError, match="its certificate is not trusted"):
            await http.get(server)
    async with make_http(ca) as http:
        assert (await http.get(server)).status_code in {401, 404}


async def test_neither_dynamics_nor_entra_can_send_us_on_to_another_host() -> None:
    async def credential() -> Credential:
        raise NotImplementedError

    async with make_http() as http:
        tokens = MsalTokens("https://login.test/t", "client", credential, "https://o.test/s", http)
        assert not http.follow_redirects
        assert tokens._http is http
        await tokens.close()


def test_no_setting_turns_verification_off() -> None:
    assert not [name for name in Settings.model_fields if "verify" in name or "insecure" in name]
    assert "ca_file" in Settings.model_fields
