"""Calls to Amazon Connect, within our share of its quotas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from botocore.exceptions import ParamValidationError

from worker import aws, exchange
from worker.amazon_connect.errors import Busy, ConnectRefused
from worker.amazon_connect.quota import Quota
from worker.precedence import NOBODY, precedence


T = TypeVar("T")

#: Written while a contact is on: somebody waits for it.
UPDATE: Final = "UpdateContactAttributes"

#: Part of the patience with which a call waits that nobody waits for: so there is room for others.
PART_OF_PATIENCE: Final = 0.25

#: Codes of a throttled call. GetContactAttributes and UpdateContactAttributes list none in the
#: service model, so the status counts as well.
THROTTLED: Final = frozenset({"ThrottlingException", "TooManyRequestsException"})
OK: Final = 200
BAD_REQUEST: Final = 400
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500


class ConnectClient:
    """Calls Amazon Connect.

    Args:
        connect: An aiobotocore client for Amazon Connect.
        quota: Our share.
        patience_s: How long a call may wait for the quota (s); if nobody waits for what comes of
            it, a part of that, so that it does not stand in the way of those.
        called: Called with the name of each call made, and ``OK`` or its error code.
    """

    def __init__(
        self,
        connect: Any,
        quota: Quota,
        patience_s: float,
        called: Callable[[str, str], object] = lambda _call, _code: None,
    ) -> None:
        self._connect = connect
        self._quota = quota
        self._patience_s = patience_s
        self._called = called

    async def contact(self, instance_id: str, contact_id: str) -> Mapping[str, Any]:
        """See ``Connect.contact``."""
        about = {"InstanceId": instance_id, "ContactId": contact_id}
        return await self._call("DescribeContact", partial(_structure, "Contact"), about)

    async def attributes(self, instance_id: str, initial_contact_id: str) -> Mapping[str, str]:
        """See ``Connect.attributes``."""
        about = {"InstanceId": instance_id, "InitialContactId": initial_contact_id}
        return await self._call("GetContactAttributes", _attributes, about)

    async def agent(self, instance_id: str, agent_id: str) -> str:
        """See ``Connect.agent``."""
        about = {"InstanceId": instance_id, "UserId": agent_id}
        return await self._call("DescribeUser", partial(_name, "User", "Username"), about)

    async def queue(self, instance_id: str, queue_id: str) -> str:
        """See ``Connect.queue``."""
        about = {"InstanceId": instance_id, "QueueId": queue_id}
        return await self._call("DescribeQueue", partial(_name, "Queue", "Name"), about)

    async def update_attributes(
        self, instance_id: str, initial_contact_id: str, attributes: Mapping[str, str]
    ) -> None:
        """See ``Connect.update_attributes``."""
        about = {
            "InstanceId": instance_id,
            "InitialContactId": initial_contact_id,
            "Attributes": dict(attributes),
        }
        await self._call(UPDATE, dict, about)

    async def _call(
        self, call: str, read: Callable[[Mapping[str, Any]], T], about: Mapping[str, Any]
    ) -> T:
        waits = call == UPDATE or precedence()() > NOBODY
        part = 1.0 if waits else PART_OF_PATIENCE
        await self._quota.acquire(call, part * self._patience_s)
        method = getattr(self._connect, _METHODS[call])
        try:
            answer = await aws.asked(partial(method, **about), read)
        except aws.FAILURES as error:
            exchange.answered(aws.status(error), {"connect": aws.request_id(error)})
            raise self._failed(call, error) from error
        exchange.answered(OK)
        self._quota.answered(call)
        self._called(call, "OK")
        return answer

    def _failed(self, call: str, error: BaseException) -> Busy | ConnectRefused:
        code = aws.code(error)
        self._called(call, code)
        # A request that botocore refuses to send (a malformed id) fails on every try.
        malformed = isinstance(error, ParamValidationError)
        status = aws.status(error) or (BAD_REQUEST if malformed else SERVER_ERROR)
        if code in THROTTLED or status == TOO_MANY_REQUESTS or status >= SERVER_ERROR:
            self._quota.throttled(call)
            return Busy(f"{call} answered {code}")
        return ConnectRefused(f"{call} answered {code}")


def _structure(name: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """A member that is a structure in Connect's service model.

    Raises:
        TypeError: It is not one.
    """
    found = answer[name]
    if not isinstance(found, dict):
        raise TypeError(name)
    return found


def _attributes(answer: Mapping[str, Any]) -> Mapping[str, str]:
    return {str(name): str(value) for name, value in _structure("Attributes", answer).items()}


def _name(structure: str, member: str, answer: Mapping[str, Any]) -> str:
    return str(_structure(structure, answer).get(member) or "")


_METHODS: Final = {
    "DescribeContact": "describe_contact",
    "GetContactAttributes": "get_contact_attributes",
    UPDATE: "update_contact_attributes",
    "DescribeUser": "describe_user",
    "DescribeQueue": "describe_queue",
}
