"""The secret comes by the boto3 of Lambda's runtime, from moto here."""

from __future__ import annotations

import boto3
import pytest

from worker.dynamics.secret import read_secret
from worker.errors import ConfigError
from worker.flow.session import runtime_secrets


pytestmark = pytest.mark.services


async def test_a_secret_in_secrets_manager_is_read(
    moto_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    client = boto3.client("secretsmanager")
    arn = client.create_secret(Name="dynamics", SecretString="invented")["ARN"]
    client.close()
    assert await read_secret(arn, runtime_secrets) == "invented"
    with pytest.raises(ConfigError, match="ResourceNotFoundException"):
        await read_secret(arn.replace("dynamics", "other"), runtime_secrets)
