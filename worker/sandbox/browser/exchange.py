"""A small live contact centre: customers call, agents answer in the softphone, Connect tells of it.

Nothing here is random but names and ids. All methods are called on the event loop while ``run``
goes on.
"""

from __future__ import annotations

import time

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from worker.sandbox.browser.floor import Floor, Ongoing
from worker.sandbox.browser.outbox import Outbox, Pace
from worker.sandbox.traffic import people as invented


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from worker.sandbox.amazon.connect_api import AmazonConnect
    from worker.sandbox.browser.contacts import Ring
    from worker.sandbox.browser.softphone import Softphone
    from worker.sandbox.traffic import Leg, SentMessage
    from worker.sandbox.traffic.people import Customer


class Exchange:
    """The contact centre.

    Args:
        softphone: Where agents see contacts, and what they do.
        amazon: Connect's API: knows each contact, and shows attributes that are written.
        send: Takes each message that Connect or S3 sends.
        people: Told of each customer, so that Dynamics knows those whom it knows.
        clock: Wall-clock time (s since 1970).
        rng: Names and ids.
        pace: How long everything takes.

    Attributes:
        legs: All contacts so far.
    """

    def __init__(
        self,
        softphone: Softphone,
        amazon: AmazonConnect,
        send: Callable[[SentMessage], Awaitable[object]],
        people: Callable[[Customer], object] = lambda _who: None,
        *,
        clock: Callable[[], float] = time.time,
        rng: Random | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.softphone = softphone
        self.rng = rng or Random()
        self.pace = pace or Pace()
        self._outbox = Outbox(amazon, send, clock, self.rng, self.pace)
        self._floor = Floor(
            softphone,
            amazon,
            self._outbox,
            meet=people,
            clock=clock,
            rng=self.rng,
            pace=self.pace,
        )
        self.legs = self._floor.legs
        amazon.on_written.append(softphone.set_attributes)
        softphone.on("dial", self.dial)
        softphone.on("transfer", self._asked)
        softphone.on("barge", self._barged)

    async def run(self) -> None:
        """Send messages until cancelled."""
        await self._outbox.run()

    def ongoing(self) -> list[Ongoing]:
        """The contacts that are not closed, oldest first."""
        return list(self._floor.ongoing.values())

    # --- customers ---

    def call(
        self, who: Customer, agent: str = "", attributes: Mapping[str, str] | None = None
    ) -> Leg:
        """A customer calls; the agent's softphone rings after a while.

        Args:
            who: The customer.
            agent: The only agent for it; "": the first who is free.
            attributes: Of the contact, beside what every flow sets.
        """
        leg = self._floor.new("voice_inbound", "VOICE", "INBOUND", who)
        leg.line = self.rng.choice(invented.LINES)
        leg.reach_system()
        leg.attributes.update(attributes or {})
        return self._floor.begin(leg, agent)

    def chat(self, who: Customer, agent: str = "") -> Leg:
        """A customer writes; the flow vouches for who it is."""
        leg = self._floor.new("chat", "CHAT", "API", who)
        leg.attributes |= {"ms_contact_id": who.contact_id, "ms_id": leg.id}
        leg.reach_system()
        return self._floor.begin(leg, agent)

    def task(self, who: Customer, agent: str = "", name: str = "Call the customer back") -> Leg:
        """There is something to do for a customer."""
        leg = self._floor.new("task", "TASK", "API", who)
        leg.attributes |= {"ms_contact_id": who.contact_id, "ms_id": leg.id}
        leg.name = name
        leg.reach_system()
        return self._floor.begin(leg, agent)

    def email(self, who: Customer, agent: str = "") -> Leg:
        """A customer's mail comes in."""
        leg = self._floor.new("email_inbound", "EMAIL", "INBOUND", who)
        leg.line = invented.MAILBOX
        leg.reach_system()
        return self._floor.begin(leg, agent)

    def callback(self, who: Customer, agent: str = "") -> Leg:
        """A customer who asked for it is to be called back: what waits in the queue is told."""
        first = self._floor.new("voice_callback", "VOICE", "INBOUND", who)
        first.line = self.rng.choice(invented.LINES)
        first.reach_system()
        self._floor.finish(self._floor.introduce(first), "CONTACT_FLOW_DISCONNECT")
        return self._floor.begin(self._floor.next_leg(first, "CALLBACK"), agent)

    def hang_up(self, leg: Leg) -> None:
        """The customer ends the contact, everybody's part of it. Nothing if it is over."""
        call = self._floor.ongoing.get(leg.id)
        for each in [call, *call.company] if call else []:
            if each.over:
                continue
            self._floor.silence(each)
            self._floor.finish(each, "CUSTOMER_DISCONNECT")

    # --- agents ---

    def dial(self, agent: str, number: str) -> Leg:
        """An agent calls a number; whoever has it answers after a while.

        A number nobody has called from is a stranger's: Dynamics does not come to know it by this.
        """
        met = (leg.customer for leg in self.legs if leg.customer.number == number)
        who = next(met, None)
        stranger = replace(invented.customer(self.rng), number=number)
        leg = self._floor.new("voice_outbound", "VOICE", "OUTBOUND", who or stranger)
        leg.line, leg.queue = invented.LINES[0], invented.QUEUES[0]
        call = self._floor.introduce(leg, stranger=who is None)
        call.agent = agent
        self._floor.show(call)
        self._outbox.later(self.pace.dial, lambda: self._floor.reached(call))
        return leg

    def transfer(self, leg: Leg, agent: str = "") -> Leg:
        """The agent hands the customer to a colleague and is gone; the new contact."""
        call = self._floor.ongoing[leg.id]
        leg.now_ms = leg.transferred_ms = self._floor.now()
        leg.transferred_to = {"Address": "Quick connect: specialists", "Type": "CONTACT_FLOW"}
        second = self._floor.next_leg(leg, "TRANSFER")
        self.softphone.end(call.agent, leg.id)
        self._floor.finish(call, "AGENT_DISCONNECT")
        return self._floor.begin(second, agent)

    def conference(self, leg: Leg, agent: str) -> Leg:
        """The agent gets a colleague on the line; the colleague's contact.

        A warm transfer is this, after which the first agent ends her part.
        """
        call = self._floor.ongoing[leg.id]
        second = self._floor.next_leg(leg, "TRANSFER")
        self._floor.begin(second, agent)
        joined = self._floor.ongoing[second.id]
        joined.company, call.company = [call, *call.company], [*call.company, joined]
        return second

    def monitor(self, leg: Leg, supervisor: str) -> Leg:
        """A supervisor listens to a conversation, by a contact of her own."""
        call = self._floor.ongoing[leg.id]
        listening = self._floor.next_leg(leg, "MONITOR")
        listening.fate = "none"
        heard = self._floor.introduce(listening)
        heard.agent = supervisor
        call.company.append(heard)
        told: Ring = {
            "id": listening.id,
            "initial_id": listening.initial_id or "",
            "name": call.agent,
        }
        self.softphone.monitor(supervisor, told)
        return listening

    def _barged(self, supervisor: str, contact_id: str) -> None:
        """A supervisor joins the conversation: the agent sees it."""
        for call in self.ongoing():
            if any(each.leg.id == contact_id for each in call.company):
                self.softphone.join(call.agent, call.leg.id, supervisor, "monitoring")

    def _asked(self, agent: str, contact_id: str, colleague: str) -> None:
        """An agent asks for a colleague, or for anybody who is signed in."""
        others = [name for name in self.softphone.names() if name != agent]
        free = [name for name in others if self.softphone.free(name, "voice")]
        if name := colleague or next(iter(free), ""):
            self.conference(self._floor.ongoing[contact_id].leg, name)
