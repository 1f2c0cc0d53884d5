"""The kinds of contact there are, each a story of one or more legs.

A kind is a function ``(rng, at_ms) -> legs``; ``KINDS`` names them and says how often each comes
in a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from worker.sandbox.traffic import objects, people, scenes, situations
from worker.sandbox.traffic.leg import Leg, new_id
from worker.sandbox.traffic.transfers import transfer


if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


_DAY_MS: Final = 86_400_000

#: What answering machine detection finds, and how the contact ends then (None: an agent talks).
_DETECTED: Final[tuple[tuple[str, str | None], ...]] = (
    ("HUMAN_ANSWERED", None),
    ("HUMAN_ANSWERED", None),
    ("VOICEMAIL_BEEP", "CONTACT_FLOW_DISCONNECT"),
    ("VOICEMAIL_NO_BEEP", "CONTACT_FLOW_DISCONNECT"),
    ("AMD_UNANSWERED", "TELECOM_UNANSWERED"),
    ("SIT_TONE_INVALID_NUMBER", "OUTBOUND_DESTINATION_ENDPOINT_ERROR"),
)
_NOBODY: Final = frozenset({"AMD_UNANSWERED", "SIT_TONE_INVALID_NUMBER"})


@dataclass(frozen=True, slots=True)
class Kind:
    """How a contact of this kind goes, and its share of a day's contacts."""

    tell: Callable[[Random, int], list[Leg]]
    weight: int


def voice_inbound(rng: Random, at_ms: int) -> list[Leg]:
    """A customer calls, waits and is helped."""
    return [scenes.helped(rng, scenes.call(rng, "voice_inbound", at_ms))]


def voice_outbound(rng: Random, at_ms: int) -> list[Leg]:
    """An agent calls a customer, who answers or does not. Only the record knows the queue."""
    leg = scenes.call(rng, "voice_outbound", at_ms, "OUTBOUND")
    leg.queue, leg.agent = rng.choice(people.QUEUES), rng.choice(people.AGENTS)
    if scenes.chance(rng, 0.2):
        leg.disconnect("TELECOM_UNANSWERED", scenes.seconds(rng, 20, 60))
        leg.fate = "cancelled"
        return [leg]
    leg.reach_system(scenes.seconds(rng, 4, 25))
    scenes.talk(rng, leg, leg.agent, wait=(0, 1))
    return [leg]


def voice_abandoned(rng: Random, at_ms: int) -> list[Leg]:
    """The customer hangs up while waiting."""
    leg = scenes.queued(rng, scenes.call(rng, "voice_abandoned", at_ms))
    leg.disconnect("CUSTOMER_DISCONNECT", scenes.seconds(rng, 15, 240))
    return [leg]


def voice_ivr_only(rng: Random, at_ms: int) -> list[Leg]:
    """The flow answers the question, and sometimes is recorded itself."""
    leg = scenes.call(rng, "voice_ivr_only", at_ms)
    leg.disconnect("CONTACT_FLOW_DISCONNECT", scenes.seconds(rng, 10, 120))
    if scenes.chance(rng, 0.3):
        objects.store(leg, "ivr_recording", scenes.seconds(rng, 60, 180))
    return [leg]


def voice_callback(rng: Random, at_ms: int) -> list[Leg]:
    """The customer asks to be called back, hangs up and is called."""
    first = scenes.call(rng, "voice_callback", at_ms)
    first.disconnect("CONTACT_FLOW_DISCONNECT", scenes.seconds(rng, 30, 90))
    second = situations.called_back(rng, first)
    agent = rng.choice(people.AGENTS)
    second.answer(agent, scenes.seconds(rng, 60, 10_800))
    second.began_ms = second.answered_ms
    second.reach_system(scenes.seconds(rng, 4, 25))
    scenes.part(rng, second)
    return [first, second]


def voice_api(rng: Random, at_ms: int) -> list[Leg]:
    """A call dialled by a program; nobody may be there."""
    leg = scenes.call(rng, "voice_api", at_ms, "API")
    if scenes.chance(rng, 0.35):
        reason = rng.choice(("TELECOM_UNANSWERED", "TELECOM_BUSY", "TELECOM_NUMBER_INVALID"))
        leg.disconnect(reason, scenes.seconds(rng, 2, 45))
        leg.fate = "cancelled"
        return [leg]
    leg.reach_system(scenes.seconds(rng, 3, 20))
    return [scenes.helped(rng, leg)]


def voice_disconnect_flow(rng: Random, at_ms: int) -> list[Leg]:
    """After the call a disconnect flow runs, as a contact of its own."""
    call = scenes.helped(rng, scenes.call(rng, "voice_disconnect_flow", at_ms))
    flow = scenes.next_leg(rng, call, "DISCONNECT", call.disconnected_ms + 200)
    flow.reach_system()
    flow.disconnect("CONTACT_FLOW_DISCONNECT", scenes.seconds(rng, 5, 40))
    flow.fate = "none"
    return [call, flow]


def voice_missed(rng: Random, at_ms: int) -> list[Leg]:
    """An agent lets it ring; another one takes the call, or the customer gives up."""
    leg = scenes.queued(rng, scenes.call(rng, "voice_missed", at_ms))
    leg.now_ms += scenes.seconds(rng, 20, 25)
    leg.attempts = 1
    if scenes.chance(rng, 0.4):
        leg.disconnect("CUSTOMER_DISCONNECT", scenes.seconds(rng, 5, 60))
        return [leg]
    scenes.talk(rng, leg, rng.choice(people.AGENTS), wait=(3, 30))
    return [leg]


def voice_midnight(rng: Random, at_ms: int) -> list[Leg]:
    """A call that begins in the day's last seconds and is answered on the next day (UTC)."""
    late = at_ms - at_ms % _DAY_MS + _DAY_MS - scenes.seconds(rng, 5, 20)
    leg = scenes.queued(rng, scenes.call(rng, "voice_midnight", late), after=(1, 3))
    scenes.converse(rng, leg, rng.choice(people.AGENTS), wait=(20, 60))
    objects.store(leg, "recording", scenes.seconds(rng, 60, 180))
    scenes.analyse(rng, leg)
    return [leg]


def campaign(rng: Random, at_ms: int) -> list[Leg]:
    """A campaign dials; a machine finds out who or what answers."""
    leg = scenes.call(rng, "campaign", at_ms, "API")
    leg.campaign_id = new_id(rng)
    leg.amd, reason = rng.choice(_DETECTED)
    if leg.amd in _NOBODY:
        leg.disconnect(reason, scenes.seconds(rng, 2, 45))
        leg.fate = "cancelled"
        return [leg]
    leg.reach_system(scenes.seconds(rng, 3, 20))
    if reason:
        leg.disconnect(reason, scenes.seconds(rng, 3, 30))
        return [leg]
    return [scenes.helped(rng, leg)]


def chat(rng: Random, at_ms: int) -> list[Leg]:
    """A customer writes and is answered."""
    return [scenes.chatted(rng, scenes.written(rng, "chat", at_ms))]


def chat_transfer(rng: Random, at_ms: int) -> list[Leg]:
    """A chat handed on to another agent."""
    first = scenes.chatted(rng, scenes.written(rng, "chat_transfer", at_ms))
    first.reason = "AGENT_DISCONNECT"
    second = scenes.next_leg(rng, first, "TRANSFER", first.disconnected_ms + 100)
    return [first, scenes.chatted(rng, second)]


def chat_never_completed(rng: Random, at_ms: int) -> list[Leg]:
    """The agent goes offline without clearing the chat: COMPLETED never comes."""
    leg = scenes.chatted(rng, scenes.written(rng, "chat_never_completed", at_ms))
    leg.completes, leg.after_work_ms = False, None
    return [leg]


def task(rng: Random, at_ms: int) -> list[Leg]:
    """A task that is put aside once or twice before it is done."""
    leg = Leg(new_id(rng), "task", "TASK", "API", people.customer(rng), at_ms)
    leg.attributes = people.attributes(leg.customer, rng)
    leg.attributes |= {"ms_contact_id": leg.customer.contact_id, "ms_id": leg.id}
    leg.reach_system(150)
    scenes.queued(rng, leg, after=(1, 2))
    leg.answer(rng.choice(people.AGENTS), scenes.seconds(rng, 5, 120))
    leg.began_ms = leg.answered_ms
    for _ in range(1 + rng.getrandbits(1)):
        leg.pause(scenes.seconds(rng, 30, 120), scenes.seconds(rng, 60, 600))
    leg.disconnect("AGENT_COMPLETED", scenes.seconds(rng, 20, 300))
    return [leg]


def email_inbound(rng: Random, at_ms: int) -> list[Leg]:
    """A customer's mail is read and dealt with."""
    return [scenes.mailed(rng, "email_inbound", at_ms)]


def email_reply(rng: Random, at_ms: int) -> list[Leg]:
    """A mail and the agent's answer to it, which is a contact of its own."""
    mail = scenes.mailed(rng, "email_reply", at_ms)
    reply = scenes.follow(rng, mail, "AGENT_REPLY", mail.disconnected_ms - 1_000)
    reply.related_id = mail.id
    reply.reach_system(100)
    reply.answer(mail.agent or rng.choice(people.AGENTS), 50)
    reply.disconnect("AGENT_DISCONNECT", scenes.seconds(rng, 1, 5))
    return [mail, reply]


#: Every kind by name.
KINDS: Final[dict[str, Kind]] = {
    "voice_inbound": Kind(voice_inbound, 380),
    "voice_outbound": Kind(voice_outbound, 110),
    "voice_transfer": Kind(transfer, 60),
    "voice_abandoned": Kind(voice_abandoned, 70),
    "voice_ivr_only": Kind(voice_ivr_only, 90),
    "voice_callback": Kind(voice_callback, 25),
    "voice_api": Kind(voice_api, 25),
    "voice_disconnect_flow": Kind(voice_disconnect_flow, 20),
    "voice_missed": Kind(voice_missed, 30),
    "voice_midnight": Kind(voice_midnight, 0),  # a day's last calls cross midnight by themselves
    "campaign": Kind(campaign, 40),
    "chat": Kind(chat, 60),
    "chat_transfer": Kind(chat_transfer, 10),
    "chat_never_completed": Kind(chat_never_completed, 5),
    "task": Kind(task, 30),
    "email_inbound": Kind(email_inbound, 30),
    "email_reply": Kind(email_reply, 15),
    **{name: Kind(tell, 4) for name, tell in situations.SITUATIONS.items()},
}
