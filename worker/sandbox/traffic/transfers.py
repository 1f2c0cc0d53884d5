"""Transfers: calls that are handed on, as linked legs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.sandbox.traffic import objects, people, scenes


if TYPE_CHECKING:
    from random import Random

    from worker.sandbox.traffic.leg import Leg


def transfer(rng: Random, at_ms: int) -> list[Leg]:
    """A call that is handed on: cold, warm, outside, to another queue, or twice."""
    return rng.choice((_cold, _warm, _outside, _requeued, _twice))(rng, at_ms)


def _cold(rng: Random, at_ms: int) -> list[Leg]:
    """The agent hands the caller to a queue and is gone."""
    first = scenes.helped(rng, scenes.call(rng, "voice_transfer", at_ms))
    return [first, _handed(rng, first)]


def _handed(rng: Random, first: Leg) -> Leg:
    first.reason, first.transferred_ms = "AGENT_DISCONNECT", first.disconnected_ms
    first.transferred_to = {"Address": "Quick connect: specialists", "Type": "CONTACT_FLOW"}
    return scenes.helped(rng, scenes.next_leg(rng, first, "TRANSFER", first.disconnected_ms))


def _warm(rng: Random, at_ms: int) -> list[Leg]:
    """The agent introduces the caller to a colleague, whose own queue it goes through."""
    first = scenes.helped(rng, scenes.call(rng, "voice_transfer", at_ms))
    colleague = rng.choice(people.AGENTS)
    second = scenes.next_leg(rng, first, "TRANSFER", first.disconnected_ms - 10_000)
    second.wait_in(people.queue_of(colleague), 300)
    scenes.talk(rng, second, colleague, wait=(2, 8))
    first.reason = "AGENT_DISCONNECT"
    return [first, second]


def _outside(rng: Random, at_ms: int) -> list[Leg]:
    """The agent hands the caller to a number outside; wrapping up ends long before the call."""
    first = scenes.call(rng, "voice_transfer", at_ms)
    scenes.queued(rng, first)
    first.answer(rng.choice(people.AGENTS), scenes.seconds(rng, 2, 60))
    first.now_ms += scenes.seconds(rng, 30, 120)
    outside = people.customer(rng)
    second = scenes.next_leg(rng, first, "EXTERNAL_OUTBOUND", first.now_ms - 5_000)
    second.customer, second.fate = outside, "none"
    first.transferred_ms = first.now_ms
    first.transferred_to = {"Address": outside.number, "Type": "TELEPHONE_NUMBER"}
    first.after_work_ms = (first.now_ms, first.now_ms + scenes.seconds(rng, 5, 30))
    first.disconnect("CUSTOMER_DISCONNECT", scenes.seconds(rng, 120, 1_200))
    second.reach_system(3_000)
    second.disconnect("CUSTOMER_DISCONNECT", first.disconnected_ms - second.now_ms)
    objects.store(first, "recording", scenes.seconds(rng, 60, 180))
    return [first, second]


def _requeued(rng: Random, at_ms: int) -> list[Leg]:
    """Nobody answers in one queue, so the caller goes on to another."""
    first = scenes.queued(rng, scenes.call(rng, "voice_transfer", at_ms))
    first.disconnect(None, scenes.seconds(rng, 30, 120))
    second = scenes.next_leg(rng, first, "QUEUE_TRANSFER", first.disconnected_ms)
    return [first, scenes.helped(rng, second)]


def _twice(rng: Random, at_ms: int) -> list[Leg]:
    first, second = _warm(rng, at_ms)
    return [first, second, _handed(rng, second)]
