"""Amazon Connect itself, within our share of its quotas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from worker import aws
from worker.connect.errors import Busy, Refused
from worker.connect.quota import Quota


#: Codes of a throttled call. GetContactAttributes and UpdateContactAttributes list none in the
#: service model, so the status counts as well.
THROTTLED: Final = frozenset({"ThrottlingException", "TooManyRequestsException"})
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500


class Client:
    """Calls Amazon Connect.

    Args:
        connect: An aiobotocore client for Amazon Connect.
        quota: Our share.
        patience_s: How long a call may wait for its turn (s).
        called: Told the name of each call that was made and ``OK`` or its error code.
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
        answer = await self._call("DescribeContact", InstanceId=instance_id, ContactId=contact_id)
        described: Mapping[str, Any] = answer.get("Contact") or {}
        return described

    async def attributes(self, instance_id: str, initial_contact_id: str) -> Mapping[str, str]:
        """See ``Connect.attributes``."""
        answer = await self._call(
            "GetContactAttributes", InstanceId=instance_id, InitialContactId=initial_contact_id
        )
        attributes: Mapping[str, str] = answer.get("Attributes") or {}
        return attributes

    async def agent(self, instance_id: str, agent_id: str) -> str:
        """See ``Connect.agent``."""
        answer = await self._call("DescribeUser", InstanceId=instance_id, UserId=agent_id)
        return str((answer.get("User") or {}).get("Username") or "")

    async def queue(self, instance_id: str, queue_id: str) -> str:
        """See ``Connect.queue``."""
        answer = await self._call("DescribeQueue", InstanceId=instance_id, QueueId=queue_id)
        return str((answer.get("Queue") or {}).get("Name") or "")

    async def update_attributes(
        self, instance_id: str, initial_contact_id: str, attributes: Mapping[str, str]
    ) -> None:
        """See ``Connect.update_attributes``."""
        await self._call(
            "UpdateContactAttributes",
            InstanceId=instance_id,
            InitialContactId=initial_contact_id,
            Attributes=dict(attributes),
        )

    async def _call(self, call: str, **arguments: Any) -> Mapping[str, Any]:
        await self._quota.turn(call, self._patience_s)
        try:
            answer: Mapping[str, Any] = await getattr(self._connect, _METHODS[call])(**arguments)
        except aws.FAILURES as error:
            raise self._failed(call, error) from error
        self._quota.answered(call)
        self._called(call, "OK")
        return answer

    def _failed(self, call: str, error: BaseException) -> Busy | Refused:
        code = aws.code(error)
        self._called(call, code)
        response = getattr(error, "response", {})
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", SERVER_ERROR)
        if code in THROTTLED or status == TOO_MANY_REQUESTS or status >= SERVER_ERROR:
            self._quota.throttled(call)
            return Busy(f"{call} answered {code}")
        return Refused(f"{call} answered {code}")


_METHODS: Final = {
    "DescribeContact": "describe_contact",
    "GetContactAttributes": "get_contact_attributes",
    "UpdateContactAttributes": "update_contact_attributes",
    "DescribeUser": "describe_user",
    "DescribeQueue": "describe_queue",
}
