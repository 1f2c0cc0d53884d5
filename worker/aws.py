"""AWS clients, made in one way, and how their calls can fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

from aiohttp import ClientError as TransportError
from botocore import exceptions
from botocore.parsers import ResponseParserError

from worker.errors import ConfigError, StoreUnavailable, WorkerError


T = TypeVar("T")

#: Inside botocore, with its own back-off; a caller that must not give up repeats the call itself.
MAX_ATTEMPTS: Final = 3

#: Codes where repeating the same request cannot help: it, or the program, is wrong.
WRONG_REQUEST: Final = frozenset(
    {
        "InvalidAction",
        "InvalidArgumentException",
        "InvalidParameterValue",
        "MissingParameter",
        "ParamValidationError",
        "SerializationException",
        "UnknownOperationException",
        "ValidationException",
    }
)


class OddAnswer(WorkerError):  # noqa: N818 - says what is the matter
    """The answer is not AWS's, or does not have AWS's form: the next one may.

    Attributes:
        kind: The type of the exception that reading it raised.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(f"AWS's answer cannot be read ({kind})")
        self.kind = kind


#: How a call to AWS, or reading the body of its answer, can fail; see ``code``.
#: aiobotocore turns the transport's errors into botocore's until an answer's body is read.
FAILURES: Final = (
    exceptions.ClientError,
    exceptions.BotoCoreError,
    ResponseParserError,
    TransportError,
    OSError,
    OddAnswer,
)

#: What calls to the store and to AWS fail with.
OUTSIDE: Final = (StoreUnavailable, *FAILURES)


@asynccontextmanager
async def client(
    service: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    attempts: int = MAX_ATTEMPTS,
    dated: Callable[[str], None] = lambda _date: None,
    whole: bool = False,
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
        dated: Called with the ``Date`` of each answer, also of a refusal; "" if it has none.
        whole: It has all of the service's operations, not only the worker's (see
            ``worker.aws_models``): for what prepares a stage for the worker.

    Raises:
        ConfigError: There is no Region, or the environment or AWS's files make no client.
    """
    # Takes most of a second to import, which a command that calls nothing at AWS need not wait.
    from worker.aws_client import made_client  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(
                made_client(service, endpoint_url, region, attempts, whole=whole)
            )
        except exceptions.NoRegionError:
            raise ConfigError("no AWS Region is set: set AWS_REGION") from None
        except exceptions.ProfileNotFound:
            message = "AWS_PROFILE names a profile that AWS's configuration files do not have"
            raise ConfigError(message) from None
        except Exception as error:
            # botocore checks settings only as it uses them, and raises whatever that leads to.
            raise ConfigError(
                f"no AWS client can be made ({type(error).__name__}): check AWS_ENDPOINT_URL,"
                " the other AWS_ variables and AWS's configuration files"
            ) from error
        opened.meta.events.register("after-call", partial(_report_date, dated))
        yield opened


#: Opens a Secrets Manager client of a Region.
secrets: Final = partial(client, "secretsmanager")


def _report_date(dated: Callable[[str], None], parsed: dict[str, Any], **_more: Any) -> None:
    dated(str(parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")))


async def asked(call: Callable[[], Awaitable[Any]], read: Callable[[Any], T]) -> T:
    """The answer of a call to AWS, read; every answer is taken this way.

    Args:
        call: Makes the call.
        read: Takes from the answer what is wanted; if it raises, the answer is not of AWS's form.

    Raises:
        Exception: One of ``FAILURES``; a ``WorkerError`` that the call raised.
    """
    try:
        answer = await call()
        _check_origin(answer)
        return read(answer)
    except (WorkerError, *FAILURES):
        raise
    except Exception as error:
        raise OddAnswer(type(error).__name__) from error


def _check_origin(answer: Any) -> None:
    """Check that AWS answered and not a proxy: it numbers its answers, and sends JSON or XML.

    From a 200 with another body botocore makes an answer without members, which many calls take
    for success. In-memory twins have no metadata.

    Raises:
        OddAnswer: It did not.
    """
    metadata = answer.get("ResponseMetadata")
    if metadata is None or "RequestId" in metadata:
        return
    form = str(metadata.get("HTTPHeaders", {}).get("content-type", ""))
    if "json" not in form and "xml" not in form:
        raise OddAnswer("NotAWS")


def code(failure: BaseException) -> str:
    """The AWS error code of a failed call, or the failure's class name if there was no answer."""
    if isinstance(failure, exceptions.ClientError):
        error = failure.response.get("Error")
        return str(error.get("Code", "Unknown")) if isinstance(error, dict) else "Unknown"
    kind = type(failure).__name__
    return f"{kind}.{failure.kind}" if isinstance(failure, OddAnswer) else kind


def status(failure: BaseException) -> int | None:
    """The HTTP status of a failed call; None if there was no answer."""
    if not isinstance(failure, exceptions.ClientError):
        return None
    metadata = failure.response.get("ResponseMetadata") or {}
    found = metadata.get("HTTPStatusCode")
    return found if isinstance(found, int) else None


def request_id(failure: BaseException) -> str:
    """AWS's id of a failed call, for a support case; "" if there was no answer."""
    if not isinstance(failure, exceptions.ClientError):
        return ""
    metadata = failure.response.get("ResponseMetadata") or {}
    return str(metadata.get("RequestId", ""))


def may_pass(failure: BaseException) -> bool:
    """Whether the same call may succeed later: throttled, unavailable, or once someone corrects it.

    A refused permission, a missing stream and a disabled key count as passing: an operator corrects
    them while we wait, and nothing is skipped meanwhile.
    """
    return isinstance(failure, FAILURES) and code(failure) not in WRONG_REQUEST


def reporting(report: Callable[[str], None]) -> Callable[[Exception, float], None]:
    """Reports the code of each failure ``OUTSIDE``; what AWS refuses for good is raised."""

    def failed(failure: Exception, _pause_s: float) -> None:
        report(code(failure))
        if not isinstance(failure, StoreUnavailable) and not may_pass(failure):
            raise failure

    return failed
