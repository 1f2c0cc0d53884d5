"""An agent at the softphone: state, contacts, configuration, and the snapshot of it all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_DNS, uuid5

from worker.sandbox.browser.contacts import RINGING, Contact
from worker.sandbox.traffic import people


if TYPE_CHECKING:
    from collections.abc import Mapping


#: States an agent can choose, with the kind of each.
STATES: Final = {
    "Available": "routable",
    "Break": "not_routable",
    "Lunch": "not_routable",
    "Offline": "offline",
}

#: Countries that may be called, as the library names them.
DIALABLE: Final = ("de", "fr", "gb", "us")

_PERMISSIONS: Final = ("outboundCall", "voiceInboundContact", "voiceInboundCall", "chatContact")
_ARNS: Final = {agent.username: agent.arn for agent in people.AGENTS}


@dataclass(slots=True)
class Agent:
    """One agent.

    Attributes:
        name: The user name.
        signed_in: Whether the softphone's pages are hers.
        chosen: The state she has chosen; Connect's own states go before it.
        since_ms: Since when.
        trouble: A state of error (``MissedCallAgent``, …), "" for none.
        contacts: By id, oldest first.
    """

    name: str
    chosen: str = "Offline"
    since_ms: int = 0
    signed_in: bool = False
    trouble: str = ""
    contacts: dict[str, Contact] = field(default_factory=dict)

    def choose(self, state: str, now_ms: int) -> None:
        """Choose a state of ``STATES``."""
        self.chosen, self.since_ms, self.trouble = state, now_ms, ""

    def engaged(self) -> bool:
        """Whether a call occupies the agent, its after-contact work too."""
        return any(contact.channel == "voice" for contact in self.contacts.values())

    def snapshot(self, attributes: Mapping[str, Mapping[str, str]], now_ms: int) -> dict[str, Any]:
        """What Connect's getAgentSnapshot answers; ``attributes`` by chain."""
        kept = [c.shown(attributes.get(c.chain, {})) for c in self.contacts.values()]
        state = self._state()
        return {
            "state": state,
            "nextState": None,
            "agentAvailabilityState": {
                "state": self.chosen,
                "timeStamp": self.since_ms,
            },
            "contacts": kept,
            "snapshotTimestamp": now_ms,
        }

    def configuration(self) -> dict[str, Any]:
        """What the softphone's worker adds to a snapshot."""
        arn = (
            _ARNS.get(self.name) or f"{people.INSTANCE_ARN}/agent/{uuid5(NAMESPACE_DNS, self.name)}"
        )
        queues = [
            {"name": queue.name, "queueARN": queue.arn, "queueId": queue.arn}
            for queue in people.QUEUES
        ]
        profile = f"{people.INSTANCE_ARN}/routing-profile/{uuid5(NAMESPACE_DNS, 'profile')}"
        return {
            "name": self.name.replace(".", " ").title(),
            "username": self.name,
            "agentARN": arn,
            "extension": None,
            "softphoneEnabled": True,
            "softphoneAutoAccept": False,
            "agentPreferences": {"locale": "en_US"},
            "agentStates": [_named(name, kind) for name, kind in STATES.items()],
            "permissions": list(_PERMISSIONS),
            "dialableCountries": list(DIALABLE),
            "routingProfile": {
                "name": "Service routing",
                "routingProfileARN": profile,
                "routingProfileId": profile,
                "channelConcurrencyMap": {"VOICE": 1, "CHAT": 5, "TASK": 5, "EMAIL": 5},
                "defaultOutboundQueue": queues[0],
                "queues": queues,
            },
        }

    def _state(self) -> dict[str, Any]:
        """The state Connect shows: errors and calls go before what was chosen."""
        if self.trouble:
            return {**_named(self.trouble, "error"), "startTimestamp": self.since_ms}
        for contact in self.contacts.values():
            if (name := _occupied(contact)) and contact.channel == "voice":
                return {**_named(name, "system"), "startTimestamp": contact.since_ms}
        return {**_named(self.chosen, STATES[self.chosen]), "startTimestamp": self.since_ms}


def _occupied(contact: Contact) -> str:
    """Connect's own name for the state of an agent with this call."""
    if contact.state in RINGING:
        return "CallingCustomer" if contact.accepted and contact.outbound else "PendingBusy"
    return {"connected": "Busy", "ended": "AfterCallWork"}.get(contact.state, "")


def _named(name: str, kind: str) -> dict[str, Any]:
    arn = f"{people.INSTANCE_ARN}/agent-state/{uuid5(NAMESPACE_DNS, name)}"
    return {"agentStateARN": arn, "name": name, "type": kind}
