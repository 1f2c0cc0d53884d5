"""Scenes: the parts the stories of contacts are put together from.

Bounds of durations are seconds, moments and results milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.sandbox.traffic import objects, people
from worker.sandbox.traffic.leg import Leg, new_id


if TYPE_CHECKING:
    from random import Random


def seconds(rng: Random, low_s: int, high_s: int) -> int:
    """So many seconds, evenly between two bounds; in milliseconds."""
    return int(1000 * (low_s + rng.random() * (high_s - low_s)))


def chance(rng: Random, share: float) -> bool:
    """Whether this happens, as it does in this share of cases."""
    return rng.random() < share


def call(rng: Random, kind: str, at_ms: int, method: str = "INBOUND") -> Leg:
    """A call; inbound ones have reached Connect when they begin."""
    leg = Leg(new_id(rng), kind, "VOICE", method, people.customer(rng), at_ms)
    leg.line = rng.choice(people.LINES)
    leg.attributes = people.attributes(leg.customer, rng)
    if method == "INBOUND":
        leg.reach_system()
    return leg


def written(rng: Random, kind: str, at_ms: int) -> Leg:
    """A chat whose flow knows who has logged in, and vouches for it."""
    leg = Leg(new_id(rng), kind, "CHAT", "API", people.customer(rng), at_ms)
    leg.attributes = people.attributes(leg.customer, rng)
    leg.attributes |= {"ms_contact_id": leg.customer.contact_id, "ms_id": leg.id}
    leg.reach_system(120)
    return leg


def follow(rng: Random, before: Leg, method: str, at_ms: int) -> Leg:
    """A contact that belongs to an earlier one without being its next leg."""
    leg = Leg(new_id(rng), before.kind, before.channel, method, before.customer, at_ms)
    leg.line, leg.attributes = before.line, before.attributes
    return leg


def next_leg(rng: Random, before: Leg, method: str, at_ms: int) -> Leg:
    """The next leg, linked both ways."""
    leg = follow(rng, before, method, at_ms)
    leg.initial_id, leg.previous_id = before.initial_id or before.id, before.id
    before.next_id = leg.id
    return leg


def queued(rng: Random, leg: Leg, after: tuple[int, int] = (3, 30)) -> Leg:
    """Into one of the queues, after the flow has asked its questions."""
    leg.wait_in(rng.choice(people.QUEUES), seconds(rng, *after))
    return leg


def helped(rng: Random, leg: Leg) -> Leg:
    """Through the queue to an agent, talked to, recorded."""
    queued(rng, leg)
    talk(rng, leg, rng.choice(people.AGENTS), wait=(2, 120))
    return leg


def talk(rng: Random, leg: Leg, agent: people.Agent, wait: tuple[int, int]) -> None:
    """A conversation that is recorded in most cases, and sometimes analysed."""
    leg.answer(agent, seconds(rng, *wait))
    part(rng, leg)


def part(rng: Random, leg: Leg) -> None:
    """The rest of a conversation, from when both are connected, and its files."""
    _finish(rng, leg)
    if chance(rng, 0.9):
        objects.store(leg, "recording", seconds(rng, 60, 180))
        leg.record_names_recording = chance(rng, 0.95)
        if chance(rng, 0.4):
            analyse(rng, leg)


def converse(rng: Random, leg: Leg, agent: people.Agent, wait: tuple[int, int]) -> None:
    """From the agent's answer to the end of the after-contact work."""
    leg.answer(agent, seconds(rng, *wait))
    _finish(rng, leg)


def _finish(rng: Random, leg: Leg) -> None:
    if chance(rng, 0.3):
        leg.hold_ms = seconds(rng, 5, 20)
    by = "CUSTOMER_DISCONNECT" if chance(rng, 0.7) else "AGENT_DISCONNECT"
    leg.disconnect(by, seconds(rng, 20, 600))
    if chance(rng, 0.8):
        leg.wrap_up(seconds(rng, 3, 45))


def analyse(rng: Random, leg: Leg) -> None:
    """Contact Lens takes about 40 % of the call's length (service quotas page)."""
    after = 60_000 + (leg.disconnected_ms - leg.initiated_ms) * 2 // 5
    objects.store(leg, "analysis", after)
    if chance(rng, 0.5):
        objects.store(leg, "redacted_analysis", after + seconds(rng, 1, 9))
        if leg.channel == "VOICE":
            objects.store(leg, "redacted_recording", after + seconds(rng, 1, 9))


def chatted(rng: Random, leg: Leg) -> Leg:
    """Through the queue to an agent, written with; there is always a transcript."""
    queued(rng, leg, after=(1, 5))
    leg.answer(rng.choice(people.AGENTS), seconds(rng, 2, 60))
    leg.disconnect("CUSTOMER_DISCONNECT", seconds(rng, 60, 900))
    leg.wrap_up(seconds(rng, 3, 30))
    objects.store(leg, "transcript", seconds(rng, 30, 120))
    if chance(rng, 0.3):
        analyse(rng, leg)
    return leg


def mailed(rng: Random, kind: str, at_ms: int) -> Leg:
    """A mail, read and dealt with by an agent."""
    leg = Leg(new_id(rng), kind, "EMAIL", "INBOUND", people.customer(rng), at_ms)
    leg.line, leg.attributes = people.MAILBOX, people.attributes(leg.customer, rng)
    leg.reach_system(200)
    queued(rng, leg, after=(1, 3))
    leg.answer(rng.choice(people.AGENTS), seconds(rng, 10, 900))
    leg.disconnect("AGENT_DISCONNECT", seconds(rng, 60, 900))
    if chance(rng, 0.3):
        analyse(rng, leg)
    return leg
