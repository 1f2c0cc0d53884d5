"""A contact as one agent's softphone shows it, in the form of amazon-connect-streams 2.28.2.

Names and values are those of the library's snapshots. Moments are milliseconds since 1970, which
the softphone's page turns into Dates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from worker.sandbox.traffic import people


if TYPE_CHECKING:
    from collections.abc import Mapping


Channel = Literal["voice", "chat", "task", "email"]

#: States of a contact that the library knows and that are told apart here.
State = Literal[
    "incoming", "connecting", "connected", "paused", "missed", "rejected", "error", "ended"
]

#: In these states a contact waits for the agent's answer.
RINGING: Final = frozenset({"incoming", "connecting"})
#: In these states nobody talks any more: the contact waits to be cleared.
OVER: Final = frozenset({"missed", "rejected", "error", "ended"})

#: What stands in place of a number that the caller withholds.
WITHHELD: Final = "anonymous"

_BARGE: Final = ["SILENT_MONITOR", "BARGE"]


class Ring(TypedDict, total=False):
    """What is known of a contact that comes to an agent. All of it may be left out.

    Attributes:
        id: The contact id; a new one otherwise.
        initial_id: The first contact of its chain, if it is not the first itself.
        channel: ``voice`` (the default), ``chat``, ``task``, ``email``.
        method: How it began, as the library spells it (``inbound``, ``outbound``, ``transfer``,
            ``callback``, ``api``, ``monitor``, …).
        number: The customer's, in E.164, or a mail address; "" for withheld.
        queue: The queue's name.
        name: The customer's in a chat, the title of a task.
        attributes: Added to those of its chain.
    """

    id: str
    initial_id: str
    channel: Channel
    method: str
    number: str
    queue: str
    name: str
    attributes: Mapping[str, str]


@dataclass(slots=True)
class Third:
    """Somebody else on the line, by name: an ``agent``, or a supervisor (``monitoring``)."""

    kind: str
    name: str


@dataclass(slots=True)
class Contact:
    """One contact at one agent."""

    id: str
    initial_id: str
    channel: Channel
    method: str
    number: str
    queue: str
    name: str
    state: State
    since_ms: int
    began_ms: int
    accepted: bool = False
    held: bool = False
    barging: bool = False
    third: list[Third] = field(default_factory=list)

    @property
    def chain(self) -> str:
        """The contact whose attributes it shares."""
        return self.initial_id or self.id

    @property
    def monitoring(self) -> bool:
        """Whether the agent listens to somebody else's contact."""
        return self.method == "monitor"

    @property
    def outbound(self) -> bool:
        """Whether the agent turned to the customer."""
        return self.method in {"outbound", "callback"}

    def move(self, state: State, now_ms: int) -> None:
        """Go over to a state."""
        self.state, self.since_ms = state, now_ms

    def shown(self, attributes: Mapping[str, str]) -> dict[str, Any]:
        """The contact as a snapshot has it; attributes cannot be read while monitoring."""
        named = {name: {"name": name, "value": value} for name, value in attributes.items()}
        return {
            "contactId": self.id,
            "initialContactId": self.initial_id or None,
            "relatedContactId": None,
            "type": self._type(),
            "name": self.name if self.channel == "task" else None,
            "description": None,
            "references": None,
            "initiationMethod": self.method,
            "state": {"type": self.state, "timestamp": self.since_ms},
            "queue": _queue(self.queue),
            "queueTimestamp": self.began_ms,
            "contactDuration": f"{max(0, self.since_ms - self.began_ms) // 1000}",
            "attributes": None if self.monitoring else named,
            "segmentAttributes": {"connect:Subtype": {"ValueString": _SUBTYPE[self.channel]}},
            "contactFeatures": {"multiPartyConferenceEnabled": True},
            "customerEndpoint": self._customer_endpoint(),
            "connections": [self._agent(), self._customer(), *self._others()],
        }

    def _type(self) -> str:
        return "queue_callback" if self.method == "callback" else self.channel

    def _connection(self, place: str, kind: str, state: str, **more: Any) -> dict[str, Any]:
        return {
            "connectionId": f"{self.id}-{place}",
            "initial": place == "customer",
            "type": kind,
            "state": {"type": state, "timestamp": self.since_ms},
            "monitorCapabilities": None,
            "monitorStatus": None,
            "monitoringInfo": None,
            "mute": False,
            "forcedMute": False,
            "quickConnectName": None,
            "softphoneMediaInfo": None,
            **more,
        }

    def _agent(self) -> dict[str, Any]:
        state = "connecting" if self.state in RINGING and not self.accepted else "connected"
        if self.state in OVER:
            state = "disconnected"
        if self.monitoring:
            return self._monitor(state)
        media = {
            "voice": {"softphoneMediaInfo": {"callType": "audio", "autoAccept": False}},
            "chat": {"chatMediaInfo": {"chatAutoAccept": False, "customerName": self.name}},
        }
        endpoint = _endpoint("agent", None, None)
        more = media.get(self.channel, {})
        return self._connection("agent", "agent", state, endpoint=endpoint, **more)

    def _monitor(self, state: str) -> dict[str, Any]:
        """A supervisor's own side; on the line it is called by what the supervisor does."""
        doing = "barge" if self.barging else "silent_monitor"
        return self._connection(
            "agent",
            "monitoring",
            doing if state == "connected" else state,
            endpoint=_endpoint("agent", None, None),
            monitorCapabilities=_BARGE,
            monitorStatus=doing.upper(),
            monitoringInfo={
                "agentName": self.name,
                "customerName": self.number,
                "joinTime": self.began_ms,
            },
        )

    def _customer(self) -> dict[str, Any]:
        state = "hold" if self.held else "connected"
        if self.state in RINGING and self.outbound:
            state = "connecting" if self.accepted else "init"
        if self.state in OVER:
            state = "disconnected"
        more: dict[str, Any] = {}
        if self.channel == "chat":
            more = {"chatMediaInfo": {"chatAutoAccept": False, "customerName": self.name}}
        elif self.channel == "voice":
            more = {"softphoneMediaInfo": {"callType": "audio", "autoAccept": False}}
        kind = "outbound" if self.outbound else "inbound"
        number = (self.number or WITHHELD) if self.channel == "voice" else None
        endpoint = _endpoint("phone_number", number, None)
        return self._connection("customer", kind, state, endpoint=endpoint, **more)

    def _others(self) -> list[dict[str, Any]]:
        return [self._other(f"third{n}", other) for n, other in enumerate(self.third)]

    def _other(self, place: str, other: Third) -> dict[str, Any]:
        endpoint = _endpoint("agent", None, other.name)
        over = self.state in OVER
        if other.kind == "monitoring":
            state = "disconnected" if over else "barge"
            barging = {"monitorStatus": "BARGE", "monitorCapabilities": _BARGE}
            return self._connection(place, "monitoring", state, endpoint=endpoint, **barging)
        state = "disconnected" if over else "connected"
        named = {"quickConnectName": other.name}
        return self._connection(place, "outbound", state, endpoint=endpoint, **named)

    def _customer_endpoint(self) -> dict[str, str] | None:
        """The customer's address as contacts by mail have it."""
        if self.channel != "email":
            return None
        return {"type": "email_address", "address": self.number, "displayName": self.name}


_SUBTYPE: Final = {
    "voice": "connect:Telephony",
    "chat": "connect:Chat",
    "task": "connect:Task",
    "email": "connect:Email",
}
_ARNS: Final = {queue.name: queue.arn for queue in people.QUEUES}


def _queue(name: str) -> dict[str, str]:
    arn = _ARNS.get(name, f"{people.INSTANCE_ARN}/queue/{name}")
    return {"name": name, "queueARN": arn, "queueId": arn}


def _endpoint(kind: str, number: str | None, name: str | None) -> dict[str, Any]:
    return {
        "endpointARN": None,
        "endpointId": None,
        "type": kind,
        "name": name,
        "phoneNumber": number,
        "agentLogin": None,
        "queue": None,
    }
