"""AWS clients find their endpoint as botocore does, and failures are told apart."""

from __future__ import annotations

import pytest

from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

from worker import aws


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
        assert "connect-dynamics" in client.meta.config.user_agent_extra
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
def test_a_wrong_request_or_program_is_not(failure: Exception) -> None:
    assert not aws.may_pass(failure)
