"""Questions to AWS of a check, and what their failures mean to whoever checks.

A service that is away says nothing of the resource; a refusal of what only a check asks is no fault
of the worker's; credentials that AWS does not take are told once, whatever was asked with them.
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from worker import aws
from worker.commands.finding import Finding


T = TypeVar("T")

_BAD_REQUEST: Final = 400
_TOO_MANY: Final = 429

#: How long one question may take (s), botocore's own tries included.
ASK_S: Final = 20.0

#: Codes that say that there is no such thing; S3's are statuses where the answer has no body.
MISSING: Final = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "TableNotFoundException",
    }
)

#: Codes that say that the role may not.
DENIED: Final = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)

#: Codes and exceptions that are about the credentials, whatever is asked with them.
CREDENTIALS: Final = frozenset(
    {
        "CredentialRetrievalError",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NoCredentialsError",
        "PartialCredentialsError",
        "RequestExpired",
        "SSOTokenLoadError",
        "SignatureDoesNotMatch",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
        "UnrecognizedClientException",
    }
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        subject: What it is about, and the setting that names it.
        action: IAM's name of it, such as ``kinesis:ListShards``.
        missing: What to do if there is no such thing.
        for_check: Only a check asks it: the worker does without.
    """

    subject: str
    action: str
    missing: str
    for_check: bool = False


class Unanswered(Exception):  # noqa: N818 - says what is the matter
    """There was no answer to build on.

    Attributes:
        finding: What is said of it.
        code: AWS's error code, the exception's name without one, or "" if time was up.
    """

    def __init__(self, finding: Finding, code: str = "") -> None:
        super().__init__(finding.text)
        self.finding = finding
        self.code = code


async def answer_to(
    question: Question, call: Callable[[], Awaitable[Any]], read: Callable[[Any], T]
) -> T:
    """What is read of AWS's answer to a question.

    Raises:
        Unanswered: There is none, or it is a refusal.
    """
    try:
        async with asyncio.timeout(ASK_S):
            return await aws.asked(call, read)
    except TimeoutError:
        raise Unanswered(_away(question, f"did not answer in {ASK_S:g} s")) from None
    except aws.FAILURES as error:
        code = aws.code(error)
        raise Unanswered(_failed(question, code, aws.status(error)), code) from None


async def found_by(*asked: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """Findings of questions about one thing, one after the other, as long as it is worth asking."""
    found: list[Finding] = []
    for ask in asked:
        try:
            found += await ask()
        except Unanswered as unanswered:
            found.append(unanswered.finding)
            if unanswered.code not in DENIED:
                break
    return found


def _failed(question: Question, code: str, status: int | None) -> Finding:
    if code in CREDENTIALS:
        return Finding(
            f"AWS does not take our credentials ({code}): set AWS_PROFILE, or the keys, or give the"
            " machine a role; and mind this machine's clock"
        )
    if advice := _advice(question, code, status):
        text = f"{question.subject}: {question.action} answered {code}: {advice}"
        return Finding(text, wrong=not (question.for_check and code in DENIED))
    return _away(question, f"has no answer ({code})")


def _advice(question: Question, code: str, status: int | None) -> str:
    """What to do about a refusal; "" if it is none."""
    if code in MISSING:
        return question.missing
    if code in DENIED and question.for_check:
        return "it cannot be told; the worker does without, so allow it to whoever checks"
    if code in DENIED:
        return f"allow {question.action} to our role: the worker needs it"
    if code.startswith("KMS"):
        return (
            "the key that encrypts it cannot be used; allow kms:Decrypt on it to our role, and mind"
            " that it is enabled"
        )
    if code in aws.WRONG_REQUEST or (status and _BAD_REQUEST <= status < _TOO_MANY):
        return "AWS takes the setting for no such thing; is it written right?"
    return ""


def _away(question: Question, what: str) -> Finding:
    service = question.action.partition(":")[0]
    return Finding(
        f"{question.subject}: AWS's {service} {what} to {question.action.partition(':')[2]}, so "
        "nothing is known of it; check network, proxy, AWS_ENDPOINT_URL and Region, and try again"
    )
