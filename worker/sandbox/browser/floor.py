"""Contacts that go on: from the queue to an agent, to the end, to the close.

A contact is moved on by what agents do in the softphone, and by time; each step is shown in the
softphone and sent in the streams alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.browser.contacts import RINGING
from worker.sandbox.traffic import Leg, people, scenes
from worker.sandbox.traffic.leg import new_id


if TYPE_CHECKING:
    import asyncio

    from collections.abc import Callable
    from random import Random

    from worker.sandbox.amazon.connect_api import AmazonConnect
    from worker.sandbox.browser.outbox import Outbox, Pace
    from worker.sandbox.browser.softphone import Softphone
    from worker.sandbox.traffic.people import Customer


#: When a contact ends that goes on (ms since 1970).
FAR: Final = 2**52

_AGENTS: Final = {agent.username: agent for agent in people.AGENTS}
_FILES: Final = {"VOICE": "recording", "CHAT": "transcript"}


@dataclass(slots=True, eq=False)
class Ongoing:
    """A contact that goes on.

    Attributes:
        leg: What happens on it.
        wanted: The only agent it may go to; "" for any.
        agent: At whom it rings or is; "" while it waits.
        refused: Agents who did not take it.
        over: Nobody talks any more; the agent has to close it.
        company: Other contacts of the same conversation: a conference's, a supervisor's.
        timer: What happens if the agent does not answer.
    """

    leg: Leg
    wanted: str = ""
    agent: str = ""
    refused: set[str] = field(default_factory=set)
    over: bool = False
    company: list[Ongoing] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits in a queue for an agent."""
        return self.leg.queued_ms is not None and not self.agent and not self.over


class Floor:
    """All contacts of a contact centre, and who has them.

    Args:
        softphone: Where agents see contacts, and what they do.
        amazon: Connect's API, which comes to know each contact.
        outbox: Sends what Connect tells, and does things later.
        meet: Told of each customer.
        clock: Wall-clock time (s since 1970).
        rng: Names and ids.
        pace: How long everything takes.

    Attributes:
        legs: All contacts so far.
        ongoing: Those that are not closed, by id, oldest first.
    """

    def __init__(
        self,
        softphone: Softphone,
        amazon: AmazonConnect,
        outbox: Outbox,
        *,
        meet: Callable[[Customer], object],
        clock: Callable[[], float],
        rng: Random,
        pace: Pace,
    ) -> None:
        self.legs: list[Leg] = []
        self.ongoing: dict[str, Ongoing] = {}
        self.softphone = softphone
        self.rng = rng
        self._amazon = amazon
        self._meet = meet
        self._clock = clock
        self._outbox = outbox
        self._pace = pace
        softphone.on("accept", self._accepted)
        softphone.on("reject", self._rejected)
        softphone.on("end", self._ended)
        softphone.on("clear", self._cleared)
        softphone.on("state", self._route)

    # --- what the contact centre does ---

    def new(self, kind: str, channel: str, method: str, who: Customer) -> Leg:
        """A contact that begins now."""
        leg = Leg(new_id(self.rng), kind, channel, method, who, self.now())
        leg.disconnected_ms = FAR
        leg.attributes = people.attributes(who, self.rng)
        return leg

    def next_leg(self, leg: Leg, method: str) -> Leg:
        """The next contact of a chain, with the attributes of it."""
        second = scenes.next_leg(self.rng, leg, method, self.now())
        second.disconnected_ms = FAR
        return second

    def introduce(self, leg: Leg, *, stranger: bool = False) -> Ongoing:
        """Connect comes to know a contact, and the streams that it began.

        Dynamics comes to know the customer, unless it is a stranger.
        """
        call = self.ongoing[leg.id] = Ongoing(leg)
        self.legs.append(leg)
        if not stranger:
            self._meet(leg.customer)
        self._amazon.meet(leg)
        self._outbox.event(leg, "INITIATED")
        if leg.channel != "VOICE":
            self._outbox.event(leg, "CONNECTED_TO_SYSTEM")
        return call

    def begin(self, leg: Leg, agent: str) -> Leg:
        """A contact comes and goes into a queue."""
        call = self.introduce(leg)
        call.wanted = agent
        self._outbox.later(self._pace.queue, lambda: self._queue(call))
        return leg

    def _queue(self, call: Ongoing) -> None:
        if call.over:
            return
        leg = call.leg
        leg.now_ms = self.now()
        personal = leg.method == "TRANSFER" and call.wanted in _AGENTS
        queue = people.queue_of(_AGENTS[call.wanted]) if personal else people.QUEUES[0]
        leg.wait_in(queue, 0)
        self._outbox.event(leg, "QUEUED")
        self._outbox.later(self._pace.ring, self._route)

    def _route(self, *_about: str) -> None:
        """Let what waits ring at whoever is free."""
        for call in list(self.ongoing.values()):
            if call.waits and (agent := self._free(call)):
                call.agent = agent
                self.show(call)
                call.timer = self._outbox.later(self._pace.missed, partial(self._missed, call))

    def _free(self, call: Ongoing) -> str:
        names = [call.wanted] if call.wanted else self.softphone.names()
        channel = call.leg.channel.lower()
        return next(
            (n for n in names if n not in call.refused and self.softphone.free(n, channel)), ""
        )

    def show(self, call: Ongoing) -> None:
        """Let it ring at its agent's softphone."""
        leg = call.leg
        written = self._amazon.written.get(leg.initial_id or leg.id, {})
        told: Any = {
            "id": leg.id,
            "initial_id": leg.initial_id or "",
            "channel": leg.channel.lower(),
            "method": leg.method.lower(),
            "number": leg.customer.email if leg.channel == "EMAIL" else leg.customer.number,
            "queue": (leg.queue and leg.queue.name) or "",
            "name": leg.name or leg.customer.name if leg.channel != "VOICE" else "",
            "attributes": {**leg.attributes, **written},
        }
        self.softphone.ring(call.agent, told)

    def _accepted(self, agent: str, contact_id: str) -> None:
        call = self._of(agent, contact_id)
        if call is not None:
            self._stop(call)
            self._outbox.later(self._pace.connect, lambda: self._answered(call))

    def _answered(self, call: Ongoing) -> None:
        if call.over:
            return
        call.leg.now_ms = self.now()
        call.leg.answer(_AGENTS[call.agent], 0)
        if call.leg.channel == "TASK":
            call.leg.began_ms = call.leg.now_ms
        self._outbox.event(call.leg, "CONNECTED_TO_AGENT")
        if call.leg.method == "CALLBACK":
            call.leg.began_ms = call.leg.now_ms
            self._outbox.later(self._pace.dial, lambda: self.reached(call))
            return
        self.softphone.connect(call.agent, call.leg.id)
        for other in call.company:
            if call.leg.method == "TRANSFER" and not other.over:
                self.softphone.join(other.agent, other.leg.id, call.agent)
                self.softphone.join(call.agent, call.leg.id, other.agent)

    def reached(self, call: Ongoing) -> None:
        """The customer whom the agent calls picks up."""
        if call.over:
            return
        leg = call.leg
        leg.now_ms = self.now()
        leg.reach_system()
        self._outbox.event(leg, "CONNECTED_TO_SYSTEM")
        if leg.answered_ms is None:
            leg.answer(_AGENTS[call.agent], 0)
            self._outbox.event(leg, "CONNECTED_TO_AGENT")
        self.softphone.connect(call.agent, leg.id)

    def _missed(self, call: Ongoing) -> None:
        agent, call.agent = call.agent, ""
        call.leg.attempts += 1
        self.softphone.miss(agent, call.leg.id)
        self._route()

    def _rejected(self, agent: str, contact_id: str) -> None:
        call = self._of(agent, contact_id)
        if call is not None:
            self._stop(call)
            call.refused.add(agent)
            call.agent = ""
            call.leg.attempts += 1
            self._route()

    def _ended(self, agent: str, contact_id: str) -> None:
        """The agent hangs up: the customer stays with those who are left, if there are any."""
        call = self._of(agent, contact_id)
        if call is None or call.over:
            return
        done = "AGENT_COMPLETED" if call.leg.channel == "TASK" else "AGENT_DISCONNECT"
        self.finish(call, done)
        left = [each for each in call.company if not each.over]
        if any(each.leg.method != "MONITOR" for each in left):
            return
        for each in left:
            self.silence(each)
            self.finish(each, "AGENT_DISCONNECT")

    def silence(self, call: Ongoing) -> None:
        """End it at its agent's softphone; what still rings there is simply gone."""
        self._stop(call)
        shown = [c for c in self.softphone.contacts(call.agent) if c.id == call.leg.id]
        if shown and shown[0].state in RINGING:
            self.softphone.remove(call.agent, call.leg.id)
        elif shown:
            self.softphone.end(call.agent, call.leg.id)

    def finish(self, call: Ongoing, reason: str) -> None:
        """The conversation is over. Without one the contact is closed at once."""
        leg = call.leg
        call.over = True
        leg.now_ms = self.now()
        leg.disconnected_ms = leg.now_ms
        leg.disconnect(reason, 0)
        self._outbox.event(leg, "DISCONNECTED")
        if not leg.answered:
            if leg.outgoing and leg.fate != "none":
                leg.fate = "cancelled"
            self._complete(call)
        elif leg.fate != "none" and (kind := _FILES.get(leg.channel)):
            self._outbox.store(leg, kind)

    def _cleared(self, agent: str, contact_id: str) -> None:
        call = self._of(agent, contact_id)
        if call is not None and call.over and call.leg.answered:
            call.leg.now_ms = self.now()
            call.leg.after_work_ms = (call.leg.disconnected_ms, call.leg.now_ms)
            self._complete(call)

    def _complete(self, call: Ongoing) -> None:
        self.ongoing.pop(call.leg.id, None)
        self._outbox.event(call.leg, "COMPLETED")
        self._outbox.record(call.leg)

    def _stop(self, call: Ongoing) -> None:
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None

    def _of(self, agent: str, contact_id: str) -> Ongoing | None:
        call = self.ongoing.get(contact_id)
        return call if call is not None and call.agent == agent else None

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock() * 1000)
