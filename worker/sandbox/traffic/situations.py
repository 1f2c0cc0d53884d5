"""Situations: rarer kinds of contacts, which whoever does not know them tells wrongly.

Each is a story like those of ``kinds``. What ought to be on the customer's timeline is decided
here, leg by leg (``fate``, ``dialled``, ``began_ms``), by what happened and not by what the worker
does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.traffic import objects, people, scenes
from worker.sandbox.traffic.leg import Leg, Resent, new_id


if TYPE_CHECKING:
    from random import Random


#: What DeleteContactData leaves empty here, as the record's segment attribute names it.
REDACTED: Final = ("CustomerEndpoint", "Attributes.CallReason")


def chat_requeued(rng: Random, at_ms: int) -> list[Leg]:
    """A disconnect flow queues the chat again, another agent goes on; then comes a survey."""
    first = scenes.chatted(rng, scenes.written(rng, "chat_requeued", at_ms))
    first.reason = "AGENT_DISCONNECT"
    second = scenes.next_leg(rng, first, "DISCONNECT", first.disconnected_ms + 100)
    scenes.chatted(rng, second)
    survey = scenes.next_leg(rng, second, "DISCONNECT", second.disconnected_ms + 100)
    survey.reach_system()
    survey.disconnect("CONTACT_FLOW_DISCONNECT", scenes.seconds(rng, 5, 40))
    survey.fate = "none"
    return [first, second, survey]


def sms(rng: Random, at_ms: int) -> list[Leg]:
    """A text message: a chat whose customer has a telephone number."""
    leg = scenes.written(rng, "sms", at_ms)
    del leg.attributes["ms_contact_id"]
    leg.line = rng.choice(people.LINES)
    leg.segments = {"connect:Subtype": "connect:SMS"}
    return [scenes.chatted(rng, leg)]


def outbound_transferred(rng: Random, at_ms: int) -> list[Leg]:
    """An agent calls a customer and hands the call on: both legs are outgoing."""
    first = scenes.call(rng, "outbound_transferred", at_ms, "OUTBOUND")
    first.queue, agent = rng.choice(people.QUEUES), rng.choice(people.AGENTS)
    first.answer(agent, 500)
    first.reach_system(scenes.seconds(rng, 4, 25))
    scenes.part(rng, first)
    first.reason, first.transferred_ms = "AGENT_DISCONNECT", first.disconnected_ms
    second = scenes.next_leg(rng, first, "TRANSFER", first.disconnected_ms)
    second.dialled = True
    return [first, scenes.helped(rng, second)]


def called_back(rng: Random, first: Leg) -> Leg:
    """The callback that a caller has asked for, waiting in a queue."""
    second = scenes.next_leg(rng, first, "CALLBACK", first.now_ms - 500)
    second.wait_in(rng.choice(people.QUEUES), 200)
    return second


def callback_unanswered(rng: Random, at_ms: int) -> list[Leg]:
    """The agent has taken the callback, and the customer does not pick up."""
    first = _asked_for_callback(rng, "callback_unanswered", at_ms)
    second = called_back(rng, first)
    second.answer(rng.choice(people.AGENTS), scenes.seconds(rng, 600, 10_800))
    second.began_ms = second.answered_ms
    second.disconnect("TELECOM_UNANSWERED", scenes.seconds(rng, 20, 60))
    second.fate = "cancelled"
    return [first, second]


def callback_expired(rng: Random, at_ms: int) -> list[Leg]:
    """Nobody was free to call back, until it was too late."""
    first = _asked_for_callback(rng, "callback_expired", at_ms)
    second = called_back(rng, first)
    second.disconnect("EXPIRED", scenes.seconds(rng, 3_600, 7_200))
    second.began_ms = second.disconnected_ms  # nobody was called at all
    second.fate = "cancelled"
    return [first, second]


def _asked_for_callback(rng: Random, kind: str, at_ms: int) -> Leg:
    leg = scenes.call(rng, kind, at_ms)
    leg.disconnect("CONTACT_FLOW_DISCONNECT", scenes.seconds(rng, 30, 90))
    return leg


def mail_draft(rng: Random, at_ms: int) -> list[Leg]:
    """An answer that is begun and never sent."""
    mail = scenes.mailed(rng, "mail_draft", at_ms)
    draft = scenes.follow(rng, mail, "AGENT_REPLY", mail.disconnected_ms - 1_000)
    draft.related_id = mail.id
    draft.reach_system(100)
    draft.answer(mail.agent or rng.choice(people.AGENTS), 50)
    draft.disconnect(rng.choice(("DISCARDED", "EXPIRED")), scenes.seconds(rng, 60, 600))
    draft.fate = "none"
    return [mail, draft]


def mail_by_flow(rng: Random, at_ms: int) -> list[Leg]:
    """The flow confirms a mail by one of its own."""
    mail = scenes.mailed(rng, "mail_by_flow", at_ms)
    answer = scenes.follow(rng, mail, "FLOW", mail.initiated_ms + 1_000)
    answer.related_id = mail.id
    answer.segments = {"connect:Direction": "OUTBOUND"}
    answer.reach_system(100)
    answer.disconnect(None, scenes.seconds(rng, 1, 5))
    return [mail, answer]


def preview_discarded(rng: Random, at_ms: int) -> list[Leg]:
    """An agent looks at a campaign's contact and leaves it: nobody was called."""
    leg = scenes.call(rng, "preview_discarded", at_ms, "CAMPAIGN_PREVIEW")
    leg.campaign_id = new_id(rng)
    leg.disconnect("OUTBOUND_PREVIEW_DISCARDED", scenes.seconds(rng, 5, 60))
    leg.fate = "none"
    return [leg]


def task_scheduled(rng: Random, at_ms: int) -> list[Leg]:
    """A task made before the hour it is for, with a name, put aside while it is worked on."""
    leg = Leg(new_id(rng), "task_scheduled", "TASK", "API", people.customer(rng), at_ms)
    leg.attributes = people.attributes(leg.customer, rng)
    leg.attributes |= {"ms_contact_id": leg.customer.contact_id, "ms_id": leg.id}
    leg.name = "Call back about the invoice"
    leg.scheduled_ms = at_ms + scenes.seconds(rng, 600, 3_600)
    leg.reach_system(leg.scheduled_ms - at_ms)
    scenes.queued(rng, leg, after=(1, 2))
    leg.answer(rng.choice(people.AGENTS), scenes.seconds(rng, 5, 120))
    leg.began_ms = leg.answered_ms
    leg.pause(scenes.seconds(rng, 30, 120), scenes.seconds(rng, 60, 600))
    leg.disconnect("AGENT_COMPLETED", scenes.seconds(rng, 20, 300))
    return [leg]


def monitored(rng: Random, at_ms: int) -> list[Leg]:
    """A supervisor listens in: a leg with an agent that is no conversation."""
    call = scenes.helped(rng, scenes.call(rng, "monitored", at_ms))
    listening = scenes.next_leg(rng, call, "MONITOR", call.disconnected_ms - 15_000)
    listening.answer(rng.choice(people.AGENTS), 1_000)
    listening.disconnect("AGENT_DISCONNECT", scenes.seconds(rng, 2, 10))
    listening.fate = "none"
    return [call, listening]


def simulated(rng: Random, at_ms: int) -> list[Leg]:
    """A contact that Connect made up to test a flow."""
    leg = scenes.helped(rng, scenes.call(rng, "simulated", at_ms))
    leg.segments, leg.fate = {"connect:ValidationTestType": "FLOW_TEST"}, "none"
    return [leg]


def same_second(rng: Random, at_ms: int) -> list[Leg]:
    """Two records of one second; the one that knows more is the later one."""
    leg = scenes.helped(rng, scenes.call(rng, "same_second", at_ms))
    leg.resent.append(Resent(0, 0, {"CallReason": leg.attributes["CallReason"]}))
    return [leg]


def recording_deleted(rng: Random, at_ms: int) -> list[Leg]:
    """A recording is deleted a while after the call."""
    leg = scenes.helped(rng, scenes.call(rng, "recording_deleted", at_ms))
    leg.stored = [stored for stored in leg.stored if "recording" not in stored.kind]
    objects.store(leg, "recording", scenes.seconds(rng, 60, 180))
    deleted = {
        "Location": f"{people.BUCKET}/{leg.key_of('recording')}",
        "Status": "DELETED",
        "DeletionReason": "retention",
    }
    listed = [{**deleted, "StorageType": "S3", "MediaStreamType": "AUDIO"}]
    leg.resent.append(_later(rng, leg, {"Recording": deleted, "Recordings": listed}))
    leg.deleted = True
    return [leg]


def redacted(rng: Random, at_ms: int) -> list[Leg]:
    """The customer asks that what is known of the call be deleted."""
    leg = scenes.call(rng, "redacted", at_ms)
    scenes.queued(rng, leg)
    scenes.converse(rng, leg, rng.choice(people.AGENTS), wait=(2, 120))
    said: dict[str, Any] = {
        "CustomerEndpoint": None,
        "Attributes": {**leg.attributes, "CallReason": None},
        "SegmentAttributes": {
            "connect:Subtype": {"ValueString": "connect:Telephony"},
            "connect:RedactedFields": {"ValueString": ",".join(REDACTED)},
        },
    }
    leg.resent.append(_later(rng, leg, said))
    leg.redacted = True
    return [leg]


def _later(rng: Random, leg: Leg, changes: dict[str, Any]) -> Resent:
    at_ms = leg.ended_ms + 240_000 + scenes.seconds(rng, 60, 600)
    return Resent(at_ms, at_ms - 2_000, {}, changes)


#: Every situation by name.
SITUATIONS: Final[dict[str, Callable[[Random, int], list[Leg]]]] = {
    tell.__name__: tell
    for tell in (
        chat_requeued,
        sms,
        outbound_transferred,
        callback_unanswered,
        callback_expired,
        mail_draft,
        mail_by_flow,
        preview_discarded,
        task_scheduled,
        monitored,
        simulated,
        same_second,
        recording_deleted,
        redacted,
    )
}
