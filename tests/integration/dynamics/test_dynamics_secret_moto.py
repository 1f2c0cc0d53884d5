"""The secret is read from a Secrets Manager by way of ``worker.aws``, as the settings wire it."""

from __future__ import annotations

from functools import partial

import pytest

from worker import aws
from worker.dynamics.secret import read_secret
from worker.errors import ConfigError


pytestmark = pytest.mark.services


async def test_a_secret_is_read_by_its_arn_and_a_missing_one_is_for_the_operator(
    moto_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    clients = partial(aws.secrets, whole=True)
    async with clients(region="eu-west-1") as client:
        made = await client.create_secret(Name="dynamics", SecretString='{"client_secret": "s"}')

    assert await read_secret(made["ARN"], clients) == "s"
    with pytest.raises(ConfigError, match="ResourceNotFoundException"):
        await read_secret(made["ARN"].replace("dynamics", "other"), clients)
