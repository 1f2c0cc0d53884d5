"""AWS clients find their endpoint as botocore does, and failures are told apart."""

from __future__ import annotations

import asyncio

from contextlib import suppress

import pytest

from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from worker import aws
from worker.errors import ConfigError


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "GetRecords")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "invented")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "invented")


async def test_the_endpoint_of_one_service_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:2")
    async with aws.client("kinesis", region="eu-central-1") as client:
        assert client.meta.endpoint_url == "http://127.0.0.1:1"
    async with aws.client("sqs", region="eu-central-1") as client:
        assert client.meta.endpoint_url == "http://127.0.0.1:2"


async def test_a_given_endpoint_and_region_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    given = "http://127.0.0.1:3"
    async with aws.client("kinesis", endpoint_url=given, region="eu-west-2") as client:
        assert client.meta.endpoint_url == given
        assert client.meta.region_name == "eu-west-2"


async def test_a_client_says_who_it_is_and_waits_longer_than_a_long_poll() -> None:
    async with aws.client("sqs", region="eu-central-1") as client:
        assert "connect-dynamics" in client.meta.config.user_agent
        assert client.meta.config.read_timeout > 20


@pytest.mark.parametrize(
    "failure",
    [
        refusal("ProvisionedThroughputExceededException"),
        refusal("AccessDeniedException"),
        refusal("SomethingNew"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
    ],
    ids=aws.code,
)
def test_what_someone_or_time_may_mend_is_worth_waiting_for(failure: Exception) -> None:
    assert aws.may_pass(failure)


@pytest.mark.parametrize(
    "failure",
    [refusal("InvalidArgumentException"), ParamValidationError(report=""), ValueError()],
    ids=aws.code,
)
def test_a_wrong_request_or_program_is_not_worth_waiting_for(failure: Exception) -> None:
    assert not aws.may_pass(failure)


async def test_the_region_that_ecs_sets_serves_if_there_is_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    async with aws.client("sqs") as client:
        assert client.meta.region_name == "eu-west-3"


async def test_a_missing_region_is_answered_with_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="set AWS_REGION"):
        async with aws.client("sqs"):
            pass


@pytest.mark.parametrize("status", [200, 400])
async def test_the_date_of_each_answer_is_told_also_of_a_refusal(status: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"ength:" in line)
        await reader.readexactly(length)
        body = b'{"Shards": [], "__type": "ResourceNotFoundException"}'
        writer.write(
            b"HTTP/1.1 %d Said\r\nDate: Fri, 02 Jan 2026 03:00:00 GMT\r\nx-amzn-RequestId: 1\r\n"
            b"Content-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%s" % (status, len(body), body)
        )
        await writer.drain()
        writer.close()

    told: list[str] = []
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    made = aws.client("kinesis", endpoint_url=url, region="eu-central-1", dated=told.append)
    async with server, made as client:
        with suppress(ClientError):
            await client.list_shards(StreamName="s")
    assert told == ["Fri, 02 Jan 2026 03:00:00 GMT"]


async def test_clients_read_the_models_of_their_services_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    async with aws.client("sqs") as one, aws.client("sqs") as another:
        models = [client.meta.service_model._service_description for client in (one, another)]
    assert models[0] is models[1]
