"""What Dynamics should show in the end, worked out from what happened, not from the messages.

For checkers: it shares no code with the product and none with the writers of the messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.sandbox.traffic import moment, people


if TYPE_CHECKING:
    from worker.sandbox.traffic.histories import History
    from worker.sandbox.traffic.leg import Leg


@dataclass(frozen=True, slots=True)
class Truth:
    """One contact as its phone call, or other activity, should show it.

    Attributes:
        channel: VOICE, CHAT, TASK or EMAIL.
        method: How it began: INBOUND, TRANSFER, DISCONNECT, …
        number: The customer's number or address; None for chats and tasks.
        outgoing: Whether the contact centre turned to the customer (``directioncode``).
        start: UTC, whole seconds, ``2026-01-02T03:04:05Z``.
        end: The same.
        agent: User name, or None.
        queue: Queue name, or None (also for an agent's own queue).
        answered: Whether an agent and the customer were connected.
        recording: ``bucket/key`` of the conversation's recording, or None.
        recording_url: Its https address, or None.
    """

    channel: str
    method: str
    number: str | None
    outgoing: bool
    start: str
    end: str
    agent: str | None
    queue: str | None
    answered: bool
    recording: str | None
    recording_url: str | None


def truth(history: History) -> dict[str, Truth]:
    """The truth about each of the history's contacts, by contact id."""
    return {leg.id: of_leg(leg) for leg in history.contacts}


def of_leg(leg: Leg) -> Truth:
    """The truth about one contact."""
    key = leg.key_of("recording") or leg.key_of("ivr_recording")
    address = leg.customer.email if leg.channel == "EMAIL" else leg.customer.number
    return Truth(
        channel=leg.channel,
        method=leg.method,
        number=address if leg.line else None,
        outgoing=leg.outgoing,
        start=moment.in_s(leg.initiated_ms),
        end=moment.in_s(leg.disconnected_ms),
        agent=leg.agent.username if leg.agent else None,
        queue=leg.queue.name if leg.queue else None,
        answered=leg.answered,
        recording=f"{people.BUCKET}/{key}" if key else None,
        recording_url=people.object_url(key) if key else None,
    )
