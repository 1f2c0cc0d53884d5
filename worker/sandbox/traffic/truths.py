"""What Dynamics should show in the end, worked out from what happened, not from the messages.

For checkers: it shares no code with the product and none with the writers of the messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.sandbox.traffic import moment, people


if TYPE_CHECKING:
    from worker.sandbox.traffic.histories import History
    from worker.sandbox.traffic.leg import Fate, Leg


@dataclass(frozen=True, slots=True)
class Truth:
    """One contact as its phone call, or other activity, should show it.

    Attributes:
        channel: VOICE, CHAT, TASK or EMAIL.
        method: How it began: INBOUND, TRANSFER, DISCONNECT, …
        number: The customer's number or address; None for chats and tasks, and once redacted.
        outgoing: Whether the contact centre turned to the customer (``directioncode``).
        fate: Whether it is a completed activity, a cancelled one, or none.
        start: When it really began: a callback when it was dialled, a task when work began. UTC,
            whole seconds, ``2026-01-02T03:04:05Z``.
        end: The same.
        work_s: From start to end, without a task's pauses.
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
    fate: Fate
    start: str
    end: str
    work_s: int
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
    key = None if leg.deleted else leg.key_of("recording") or leg.key_of("ivr_recording")
    start_ms = leg.initiated_ms if leg.began_ms is None else leg.began_ms
    paused_s = sum(end // 1000 - begin // 1000 for begin, end in leg.pauses_ms)
    address = leg.customer.email if leg.channel == "EMAIL" else leg.customer.number
    return Truth(
        channel=leg.channel,
        method=leg.method,
        number=address if leg.line and not leg.redacted else None,
        outgoing=leg.outgoing,
        fate=leg.fate,
        start=moment.in_s(start_ms),
        end=moment.in_s(leg.disconnected_ms),
        work_s=leg.disconnected_ms // 1000 - start_ms // 1000 - paused_s,
        agent=leg.agent.username if leg.agent else None,
        queue=leg.queue.name if leg.queue else None,
        answered=leg.answered,
        recording=f"{people.BUCKET}/{key}" if key else None,
        recording_url=people.object_url(key) if key else None,
    )
