"""AWS clients, made in one way, and what their calls can end in."""

from __future__ import annotations

import os

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions
from botocore.loaders import Loader, create_loader
from botocore.parsers import ResponseParserError

from worker.errors import ConfigError


CONNECT_TIMEOUT_S: Final = 5.0
#: Longer than the longest wait asked for, which is SQS's 20 s long poll.
READ_TIMEOUT_S: Final = 30.0
#: One connection for each shard or receiver that is waiting; botocore's 10 would be a queue.
MAX_CONNECTIONS: Final = 100
#: Inside botocore, with its own back-off; whoever must not give up repeats the call above this.
MAX_ATTEMPTS: Final = 3

#: Codes that repeating the same request cannot mend: it, or the program, is wrong.
WRONG_REQUEST: Final = frozenset(
    {
        "InvalidAction",
        "InvalidArgumentException",
        "InvalidParameterValue",
        "MissingParameter",
        "SerializationException",
        "UnknownOperationException",
        "ValidationException",
    }
)

#: Failures without an answer that counts: the network, a proxy, or the source of credentials.
NO_ANSWER: Final = (
    exceptions.HTTPClientError,
    exceptions.ConnectionError,
    exceptions.NoCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    ResponseParserError,
)

#: What a call to AWS can raise; ``code`` tells them apart.
FAILURES: Final = (exceptions.ClientError, *NO_ANSWER)


@asynccontextmanager
async def client(
    service: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    attempts: int = MAX_ATTEMPTS,
) -> AsyncIterator[Any]:
    """Make a client of an AWS service, to be used with ``async with`` once.

    Credentials, Region and endpoint (``AWS_ENDPOINT_URL``, ``AWS_ENDPOINT_URL_<SERVICE>``) are
    found the way botocore finds them, unless given. ``AWS_REGION``, which ECS sets and botocore
    does not read, serves if there is no other Region.

    Args:
        service: As botocore names it.
        endpoint_url: Where it is.
        region: AWS Region.
        attempts: How often botocore tries a call; 1 where each try counts against a quota.

    Raises:
        ConfigError: There is no Region.
    """
    session = get_session()
    session.register_component("data_loader", _models(session.get_config_variable("data_path")))
    region = region or session.get_config_variable("region") or os.environ.get("AWS_REGION")
    made = session.create_client(
        service, endpoint_url=endpoint_url, region_name=region, config=_config(attempts)
    )
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(made)
        except exceptions.NoRegionError:
            raise ConfigError("no AWS Region is set: set AWS_REGION") from None
        yield opened


def code(failure: BaseException) -> str:
    """The AWS error code of a failed call, or the failure's class name if there was no answer."""
    if isinstance(failure, exceptions.ClientError):
        return str(failure.response.get("Error", {}).get("Code", "Unknown"))
    return type(failure).__name__


def may_pass(failure: BaseException) -> bool:
    """Whether the same call may succeed later: throttled, unavailable, or once someone mends it.

    A refused permission, a missing stream and a disabled key count as passing: an operator mends
    them while we wait, and nothing is skipped meanwhile.
    """
    return isinstance(failure, FAILURES) and code(failure) not in WRONG_REQUEST


@cache
def _models(path: str | None) -> Loader:
    """The services' models: each session would read them anew, which takes most of its making."""
    return create_loader(path)


def _config(attempts: int) -> AioConfig:
    return AioConfig(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=MAX_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        user_agent_extra="connect-dynamics",
    )
