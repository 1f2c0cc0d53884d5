"""What goes wrong on purpose: for the next requests of some kind, or now and then."""

from __future__ import annotations

import enum
import re

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse import limits
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.odata.wire import Reply


if TYPE_CHECKING:
    from random import Random


class Ending(enum.Enum):
    """How a request with a fault ends."""

    ANSWER = "answer"
    DROP = "drop"  # the connection is closed without an answer
    HANG = "hang"  # no answer, and the connection stays open


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One thing that goes wrong.

    Attributes:
        delay_s: How long the request waits before anything else.
        carried_out: Whether it is carried out.
        answer: What is answered instead of its own answer, if anything.
        ending: How it ends.
    """

    delay_s: float = 0
    carried_out: bool = True
    answer: Reply | Refusal | None = None
    ending: Ending = Ending.ANSWER


_PAGES: Final = {
    502: b"<html><body>Bad Gateway</body></html>",
    503: b"<html><body>Service Unavailable</body></html>",
    504: b"<html><body>Gateway Timeout</body></html>",
}


def latency(seconds: float) -> InjectedFault:
    """A slow answer."""
    return InjectedFault(delay_s=seconds)


def gateway(status: int = 503, *, carried_out: bool = False) -> InjectedFault:
    """A 502, 503 or 504 that is not Dataverse's own; with ``carried_out`` the answer was lost."""
    page = Reply(status, [("content-type", "text/html")], _PAGES[status])
    return InjectedFault(carried_out=carried_out, answer=page)


def dropped(*, carried_out: bool = True) -> InjectedFault:
    """The connection is closed without an answer."""
    return InjectedFault(carried_out=carried_out, ending=Ending.DROP)


def hang(*, carried_out: bool = True) -> InjectedFault:
    """No answer ever; the connection stays open until the client or the sandbox ends it."""
    return InjectedFault(carried_out=carried_out, ending=Ending.HANG)


def unexpected() -> InjectedFault:
    """UnExpected, 500."""
    return _refused(500, "0x80040216", "An unexpected error occurred.")


def deadlock() -> InjectedFault:
    """The victim of a deadlock: rolled back, safe to repeat."""
    return _refused(500, "0x80044150", "Generic SQL error. Sql Number: 1205")


def sql_timeout() -> InjectedFault:
    """A SQL time-out."""
    return _refused(500, "0x80044151", "SQL timeout expired. Sql Number: -2")


def duplicate_key(status: int = 500) -> InjectedFault:
    """SQL's own error for a key that is taken; its status is not documented."""
    return _refused(status, "0x80040237", "Cannot insert duplicate key.")


def unauthorized() -> InjectedFault:
    """401: the token is not accepted."""
    return _refused(401, "", "Unauthorized")


def forbidden() -> InjectedFault:
    """PrivilegeDenied."""
    return _refused(403, "0x80040220", "Principal user is missing a privilege.")


def throttle(retry_after_s: float, code: str = limits.TOO_MANY) -> InjectedFault:
    """429, whatever the limits are."""
    refusal = limits.throttled(code, "Number of requests exceeded the limit.", retry_after_s)
    return InjectedFault(carried_out=False, answer=refusal)


def plugin(message: str) -> InjectedFault:
    """IsvAborted: a plug-in refuses."""
    return _refused(400, "0x80040265", message)


def _refused(status: int, code: str, message: str) -> InjectedFault:
    return InjectedFault(carried_out=False, answer=Refusal(status, code, message))


@dataclass(slots=True)
class _Rule:
    fault: InjectedFault
    method: str | None
    path: re.Pattern[str]
    left: float
    probability: float


class InjectedFaults:
    """The faults that are due.

    Args:
        random: Decides about faults that come now and then.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rules: list[_Rule] = []

    def next(
        self, fault: InjectedFault, *, times: int = 1, method: str | None = None, path: str = ""
    ) -> None:
        """Let the next ``times`` requests of this method and path (regular expression) fail."""
        self._rules.append(_Rule(fault, method, re.compile(path), times, 1))

    def sometimes(
        self, fault: InjectedFault, probability: float, *, method: str | None = None, path: str = ""
    ) -> None:
        """Let requests of this method and path fail with this probability, until ``clear``."""
        self._rules.append(_Rule(fault, method, re.compile(path), float("inf"), probability))

    def clear(self) -> None:
        """Remove all faults."""
        self._rules.clear()

    def take(self, method: str, path: str) -> InjectedFault | None:
        """The fault of this request; of several rules the first that applies."""
        for rule in self._rules:
            if rule.method not in {None, method} or not rule.path.search(path):
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            rule.left -= 1
            if not rule.left:
                self._rules.remove(rule)
            return rule.fault
        return None
