"""Amazon Connect's API for invented contacts, as far as the worker calls it (API reference).

It knows the contacts it was given. Attributes that are written come back the way Connect publishes
them: as a CONTACT_DATA_UPDATED event, in the contact record, and in that record sent once more.
"""

from __future__ import annotations

import re
import time

from collections import deque
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import orjson

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox.amazon.quotas import Quotas
from worker.sandbox.traffic import EVENTS, RECORDS, SentMessage, mails
from worker.sandbox.traffic.events import endpoint, updated
from worker.sandbox.traffic.people import AGENTS, INSTANCE_ARN, INSTANCE_ID, QUEUES
from worker.sandbox.traffic.records import further_recipients, segment


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from starlette.requests import Request

    from worker.sandbox.traffic import Leg

    Answer = Callable[[Request], Awaitable[dict[str, Any]]]


T = TypeVar("T")

JSON: Final = "application/json"

#: All attributes of a chain together, in UTF-8, and the form of their names (API reference,
#: UpdateContactAttributes).
MOST_BYTES: Final = 32_768
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")

#: A record is written anew so long after the first time, for the attributes written back.
AGAIN_AFTER: Final = timedelta(seconds=1)


#: Error codes of the service model with their statuses.
_UNKNOWN: Final = "ResourceNotFoundException"
_WRONG: Final = "InvalidParameterException"
_TOO_MANY: Final = "ThrottlingException"
_STATUS: Final = {_UNKNOWN: 404, _WRONG: 400, _TOO_MANY: 429}


class _RefusedError(Exception):
    """Its text is the error code that is answered instead."""


class AmazonConnect:
    """The stand-in.

    Args:
        clock: Wall clock (s).
        random: Source of event ids.

    Attributes:
        app: The ASGI application.
        quotas: The account's.
        written: First contact id -> the attributes that were written back to its chain.
        on_written: Told the first contact's id and the attributes of each write.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, random: Random | None = None
    ) -> None:
        self._clock = clock
        self._random = random or Random()
        self.quotas = Quotas(clock)
        self.written: dict[str, dict[str, str]] = {}
        self.on_written: list[Callable[[str, dict[str, str]], object]] = []
        self._legs: dict[str, Leg] = {}
        self._events: deque[tuple[str, bytes]] = deque()
        self._agents = {_id(agent.arn): agent for agent in AGENTS}
        self._queues = {_id(queue.arn): queue for queue in QUEUES}
        self.app = Starlette(
            routes=[
                self._route("DescribeContact", "/contacts/{instance}/{about}", self._contact),
                self._route(
                    "GetContactAttributes",
                    "/contact/attributes/{instance}/{about}",
                    self._attributes,
                ),
                self._route("UpdateContactAttributes", "/contact/attributes", self._update),
                self._route("DescribeUser", "/users/{instance}/{about}", self._agent),
                self._route("DescribeQueue", "/queues/{instance}/{about}", self._queue),
            ]
        )

    def meet(self, leg: Leg) -> None:
        """Know a contact from now on."""
        self._legs[leg.id] = leg

    def told(self, sent: Iterable[SentMessage]) -> Iterator[SentMessage]:
        """Traffic, with what the attributes written meanwhile change in it and add to it."""
        for message in sent:
            while self._events:
                contact_id, body = self._events.popleft()
                yield SentMessage(message.at_s, EVENTS, contact_id, body)
            written = self.written.get(self._chain(message.contact_id))
            if message.stream == RECORDS and written:
                yield _record(message, written, timedelta())
                yield _record(message, written, AGAIN_AFTER)
            else:
                yield message

    def _chain(self, contact_id: str) -> str:
        leg = self._legs.get(contact_id)
        return leg.initial_id or leg.id if leg else ""

    # --- calls ---

    def _route(self, call: str, path: str, answer: Answer) -> Route:
        async def answered(request: Request) -> Response:
            if not self.quotas.take(call):
                return _refusal(_TOO_MANY)
            try:
                return Response(orjson.dumps(await answer(request)), media_type=JSON)
            except _RefusedError as refused:
                return _refusal(str(refused))

        method = "POST" if answer == self._update else "GET"
        return Route(path, answered, methods=[method])

    async def _contact(self, request: Request) -> dict[str, Any]:
        return {"Contact": _described(_known(self._legs, request), self._clock())}

    async def _attributes(self, request: Request) -> dict[str, Any]:
        leg = _known(self._legs, request)
        merged = {**leg.attributes, **self.written.get(leg.id, {})}
        return {"Attributes": {name: value for name, value in merged.items() if value}}

    async def _update(self, request: Request) -> dict[str, Any]:
        body = orjson.loads(await request.body())
        leg = self._legs.get(body["InitialContactId"])
        if leg is None or body["InstanceId"] != INSTANCE_ID:
            raise _RefusedError(_UNKNOWN)
        written = {**self.written.get(leg.id, {}), **body["Attributes"]}
        size = sum(len((n + v).encode()) for n, v in {**leg.attributes, **written}.items())
        if size > MOST_BYTES or not all(map(_NAME.fullmatch, written)):
            raise _RefusedError(_WRONG)
        self.written[leg.id] = written
        self._events.append((leg.id, updated(leg, int(self._clock() * 1000), self._random)))
        for tell in self.on_written:
            tell(leg.id, body["Attributes"])
        return {}

    async def _agent(self, request: Request) -> dict[str, Any]:
        agent = _known(self._agents, request)
        return {"User": {"Id": _id(agent.arn), "Arn": agent.arn, "Username": agent.username}}

    async def _queue(self, request: Request) -> dict[str, Any]:
        queue = _known(self._queues, request)
        return {"Queue": {"QueueId": _id(queue.arn), "QueueArn": queue.arn, "Name": queue.name}}


def _refusal(code: str) -> Response:
    told = orjson.dumps({"Message": "refused by the sandbox"})
    headers = {"x-amzn-ErrorType": code, "x-amzn-RequestId": str(uuid4())}
    return Response(told, _STATUS[code], headers, JSON)


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _known(things: Mapping[str, T], request: Request) -> T:
    """What the request's path names, in the one instance there is."""
    thing = things.get(request.path_params["about"])
    if thing is None or request.path_params["instance"] != INSTANCE_ID:
        raise _RefusedError(_UNKNOWN)
    return thing


def _described(leg: Leg, now: float) -> dict[str, Any]:
    """A contact as DescribeContact has it by now: ids in place of names, times in seconds."""

    def at(ms: int | None) -> float | None:
        return ms / 1000 if ms and ms / 1000 <= now else None

    address = mails.address(leg) if leg.channel == "EMAIL" else leg.customer.number
    contact: dict[str, Any] = {
        "Arn": f"{INSTANCE_ARN}/contact/{leg.id}",
        "Id": leg.id,
        "InitialContactId": leg.initial_id,
        "PreviousContactId": leg.previous_id,
        "RelatedContactId": leg.related_id,
        "InitiationMethod": leg.method,
        "Channel": leg.channel,
        "InitiationTimestamp": at(leg.initiated_ms),
        "DisconnectTimestamp": at(leg.disconnected_ms),
        "CustomerEndpoint": _endpoint(leg, address) if leg.line else None,
        "SystemEndpoint": _endpoint(leg, leg.line) if leg.line else None,
        "SegmentAttributes": segment(leg),
        "AdditionalEmailRecipients": further_recipients(leg),
    }
    if leg.queue is not None and (queued := at(leg.queued_ms)):
        contact["QueueInfo"] = {"Id": _id(leg.queue.arn), "EnqueueTimestamp": queued}
    if leg.agent is not None and (answered := at(leg.answered_ms)):
        contact["AgentInfo"] = {"Id": _id(leg.agent.arn), "ConnectedToAgentTimestamp": answered}
    return {name: value for name, value in contact.items() if value is not None}


def _endpoint(leg: Leg, address: str) -> dict[str, str]:
    told = endpoint(leg.channel, address)
    return {"Type": told["type"], "Address": told["address"]}


def _record(message: SentMessage, written: Mapping[str, str], later: timedelta) -> SentMessage:
    """A contact record with what was written back, updated so much later."""
    record = orjson.loads(message.body)
    record["Attributes"] = {**record["Attributes"], **written}
    changed = datetime.fromisoformat(record["LastUpdateTimestamp"]) + later
    record["LastUpdateTimestamp"] = f"{changed:%Y-%m-%dT%H:%M:%SZ}"
    return message._replace(body=orjson.dumps(record))
