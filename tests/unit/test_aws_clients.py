"""AWS clients: what they share."""

from __future__ import annotations

import pytest

from worker import aws
from worker.sandbox.amazon.moto_server import CREDENTIALS


async def test_clients_read_the_models_of_their_services_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    async with aws.client("sqs") as one, aws.client("sqs") as another:
        models = [client.meta.service_model._service_description for client in (one, another)]
    assert models[0] is models[1]
