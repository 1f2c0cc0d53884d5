"""A stand-in of Amazon Connect's softphone (CCP) for amazon-connect-streams 2.28.2.

It keeps what Connect would: who is signed in, which contacts ring, talk or wait at which agent, and
the attributes of each chain. The page under ``/ccp-v2/`` shows that and speaks the library's wire
protocol to whoever frames it. All methods are called on the event loop.
"""

from __future__ import annotations

import asyncio
import time

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from worker.sandbox.browser.agents import Agent
from worker.sandbox.browser.contacts import OVER, RINGING, Contact, Ring, State, Third
from worker.sandbox.browser.pages import Pages
from worker.sandbox.browser.softphone_web import application
from worker.sandbox.server import serve_plainly


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


#: What an agent does. Callbacks get the agent and: the contact's id; of ``dial`` the number, of
#: ``state`` its name, of ``transfer`` the contact's id and the colleague's name.
Act = Literal["accept", "reject", "end", "clear", "dial", "state", "transfer", "barge"]

#: What becomes of a session: a login is asked for, or the agent may not use the softphone.
Loss = Literal["auth_fail", "access_denied", "terminated"]

Callback = Callable[..., object]


class Softphone:
    """The softphones of all agents.

    Args:
        clock: Wall-clock time (s since 1970).
        new_id: Makes contact ids.
        poll_s: How long a change of attributes alone may stay unseen, as Connect's poll of 30 s has
            it; 0: it is seen at once.

    Attributes:
        app: The ASGI application.
        pages: The open pages.
        frame_ancestors: Origins that may frame the softphone: if the page that asks is one of them
            (by its Referer), all are allowed, else none. None: nothing is said about framing.
        saml: Sign in on two pages, as at an identity provider, instead of one.
        popup_closes: The window that signed in closes itself, instead of showing the softphone.
        connects_after_s: What is accepted is connected after so long (s). None: by ``connect``.
        current: The agent of pages that name none, and whose browser has not signed in itself.
        refusals: Methods of the library's requests that fail, with the error each gets.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: str(uuid4()),
        poll_s: float = 0,
    ) -> None:
        self.pages = Pages(self.update, clock, poll_s)
        self.frame_ancestors: Iterable[str] | None = None
        self.saml = False
        self.popup_closes = False
        self.connects_after_s: float | None = None
        self.refusals: dict[str, str] = {}
        self.current = ""
        self._clock = clock
        self._new_id = new_id
        self._agents: dict[str, Agent] = {}
        self._attributes: dict[str, dict[str, str]] = defaultdict(dict)
        self._callbacks: dict[str, list[Callback]] = defaultdict(list)
        self.app = application(self)

    # --- the agent's session ---

    def sign_in(self, agent: str, state: str = "Available") -> None:
        """Sign an agent in. Pages that name no agent are this one's from now on."""
        one = self._agent(agent)
        one.signed_in = True
        one.choose(state, self._now())
        self.current = agent
        self.pages.publish(agent)
        self._call("state", agent, state)

    def sign_out(self, agent: str) -> None:
        """Sign an agent out; contacts stay, as they do when it happens in mid-call."""
        self._agent(agent).choose("Offline", self._now())
        self.lose_session(agent, "terminated")

    def lose_session(self, agent: str, loss: Loss = "auth_fail") -> None:
        """End an agent's session without her doing."""
        self._agent(agent).signed_in = False
        self.pages.tell(agent, {"kind": "lost", "event": loss})

    def signed_in(self, agent: str) -> bool:
        """Whether the softphone's pages are this agent's."""
        return agent in self._agents and self._agents[agent].signed_in

    def choose(self, agent: str, state: str) -> None:
        """The agent chooses a state: Available, Break, Lunch, Offline."""
        self._agent(agent).choose(state, self._now())
        self.pages.publish(agent)
        self._call("state", agent, state)

    # --- what happens to contacts ---

    def ring(self, agent: str, contact: Ring | None = None) -> str:
        """A contact comes to an agent; its id. Callbacks of a queue come as ``incoming``."""
        told: Ring = contact or {}
        method = told.get("method", "inbound")
        now = self._now()
        new = Contact(
            id=told.get("id") or self._new_id(),
            initial_id=told.get("initial_id", ""),
            channel=told.get("channel", "voice"),
            method=method,
            number=told.get("number", ""),
            queue=told.get("queue", "Service"),
            name=told.get("name", ""),
            state="incoming" if method == "callback" else "connecting",
            since_ms=now,
            began_ms=now,
            accepted=method == "outbound",  # the agent's side of it is there already
        )
        self._attributes[new.chain].update(told.get("attributes", {}))
        self._agent(agent).contacts[new.id] = new
        self.pages.publish(agent)
        return new.id

    def monitor(self, agent: str, contact: Ring | None = None) -> str:
        """A supervisor is about to listen to somebody's contact: it rings as one of her own."""
        return self.ring(agent, {**(contact or {}), "method": "monitor"})

    def barge(self, agent: str, contact_id: str) -> None:
        """The supervisor joins the conversation that she listens to."""
        self._contact(agent, contact_id).barging = True
        self.pages.publish(agent)
        self._call("barge", agent, contact_id)

    def accept(self, agent: str, contact_id: str) -> None:
        """The agent accepts; all her pages are told.

        Raises:
            KeyError: There is no such contact, or it does not ring.
        """
        contact = self._ringing(agent, contact_id)
        contact.accepted = True
        if contact.state == "incoming":
            contact.move("connecting", self._now())
        self.pages.publish(agent)
        self.broadcast(agent, "contact::accepted", {"contactId": contact_id})
        self.broadcast(agent, f"contact::accepted::{contact_id}", {"contactId": contact_id})
        self._call("accept", agent, contact_id)
        if self.connects_after_s is not None:
            later = asyncio.get_running_loop().call_later
            later(self.connects_after_s, self._connect_if_ringing, agent, contact_id)

    def connect(self, agent: str, contact_id: str) -> None:
        """Agent and customer are connected."""
        self._contact(agent, contact_id).accepted = True
        self._move(agent, contact_id, "connected")

    def reject(self, agent: str, contact_id: str) -> None:
        """The agent rejects: shown as rejected, then gone.

        Raises:
            KeyError: There is no such contact, or it does not ring.
        """
        self._ringing(agent, contact_id)
        self._move(agent, contact_id, "rejected")
        self._call("reject", agent, contact_id)
        self.remove(agent, contact_id)

    def miss(self, agent: str, contact_id: str) -> None:
        """Nobody answered. It stays until it is cleared, and the agent is not routable."""
        one = self._agent(agent)
        if self._contact(agent, contact_id).channel == "voice":
            one.trouble, one.since_ms = "MissedCallAgent", self._now()
        self._move(agent, contact_id, "missed")

    def fail(self, agent: str, contact_id: str) -> None:
        """The contact breaks off with an error."""
        one = self._agent(agent)
        one.trouble, one.since_ms = "FailedConnectCustomer", self._now()
        self._move(agent, contact_id, "error")

    def end(self, agent: str, contact_id: str) -> None:
        """The conversation is over, after-contact work begins."""
        self._move(agent, contact_id, "ended")

    def hang_up(self, agent: str, contact_id: str) -> None:
        """The agent ends the conversation."""
        self.end(agent, contact_id)
        self._call("end", agent, contact_id)

    def clear(self, agent: str, contact_id: str) -> None:
        """The agent closes the contact; what was missed is forgiven."""
        self._contact(agent, contact_id)
        self._agent(agent).trouble = ""
        self._call("clear", agent, contact_id)
        self.remove(agent, contact_id)

    def remove(self, agent: str, contact_id: str) -> None:
        """The contact is gone from the agent, by whatever."""
        self._agent(agent).contacts.pop(contact_id, None)
        self.pages.publish(agent)

    def hold(self, agent: str, contact_id: str, *, held: bool = True) -> None:
        """The customer is put on hold, or taken back."""
        self._contact(agent, contact_id).held = held
        self.pages.publish(agent)

    def pause(self, agent: str, contact_id: str, *, paused: bool = True) -> None:
        """A task is put aside, or taken up again."""
        self._move(agent, contact_id, "paused" if paused else "connected")

    def join(self, agent: str, contact_id: str, name: str, kind: str = "agent") -> None:
        """Somebody else comes on the agent's line: a colleague, or a supervisor."""
        self._contact(agent, contact_id).third.append(Third(kind, name))
        self.pages.publish(agent)

    def set_attributes(self, contact_id: str, attributes: Mapping[str, str]) -> None:
        """Attributes of a contact's chain are written; ``poll_s`` says when they are seen."""
        holders = [a for a in self._agents.values() if contact_id in a.contacts]
        chain = holders[0].contacts[contact_id].chain if holders else contact_id
        self._attributes[chain].update(attributes)
        for agent in self._agents.values():
            if any(contact.chain == chain for contact in agent.contacts.values()):
                self.pages.publish_at_poll(agent.name)

    def dial(self, agent: str, number: str) -> None:
        """The agent calls a number. Nothing tells the id of the contact that comes of it."""
        if self._callbacks["dial"]:
            self._call("dial", agent, number)
        else:
            self.ring(agent, {"method": "outbound", "number": number})

    def transfer(self, agent: str, contact_id: str, colleague: str) -> None:
        """The agent asks for a colleague on the line; what comes of it is up to the exchange."""
        self._contact(agent, contact_id)
        self._call("transfer", agent, contact_id, colleague)

    def free(self, agent: str, channel: str) -> bool:
        """Whether a contact of this channel may ring at the agent."""
        one = self._agent(agent)
        able = one.signed_in and one.chosen == "Available" and not one.trouble
        return able and not (channel == "voice" and one.engaged())

    # --- who is told ---

    def on(self, act: Act, callback: Callback) -> None:
        """Be told of what agents do, on whichever way."""
        self._callbacks[act].append(callback)

    def names(self) -> list[str]:
        """All agents there have been."""
        return list(self._agents)

    def contacts(self, agent: str) -> list[Contact]:
        """The agent's contacts as they stand, oldest first."""
        return list(self._agent(agent).contacts.values())

    def attributes(self, contact_id: str) -> dict[str, str]:
        """The attributes of the chain that begins with this contact."""
        return dict(self._attributes.get(contact_id, {}))

    def update(self, agent: str) -> dict[str, Any]:
        """What pages get: the agent's snapshot and configuration."""
        one = self._agent(agent)
        return {
            "kind": "update",
            "snapshot": one.snapshot(self._attributes, self._now()),
            "configuration": one.configuration(),
        }

    def broadcast(self, agent: str, event: str, data: Any) -> None:
        """Send an event of the library to all pages of the agent."""
        self.pages.tell(agent, {"kind": "broadcast", "event": event, "data": data})

    @property
    def poll_s(self) -> float:
        """How long a change of attributes alone may stay unseen (s); may be changed."""
        return self.pages.poll_s

    @poll_s.setter
    def poll_s(self, value: float) -> None:
        self.pages.poll_s = value

    # --- inside ---

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _agent(self, name: str) -> Agent:
        return self._agents.setdefault(name, Agent(name, since_ms=self._now()))

    def _contact(self, agent: str, contact_id: str) -> Contact:
        return self._agent(agent).contacts[contact_id]

    def _ringing(self, agent: str, contact_id: str) -> Contact:
        contact = self._contact(agent, contact_id)
        if contact.state not in RINGING:
            raise KeyError(contact_id)
        return contact

    def _connect_if_ringing(self, agent: str, contact_id: str) -> None:
        contact = self._agent(agent).contacts.get(contact_id)
        if contact is not None and contact.state in RINGING:
            self.connect(agent, contact_id)

    def _move(self, agent: str, contact_id: str, state: State) -> None:
        contact = self._contact(agent, contact_id)
        contact.move(state, self._now())
        if state in OVER:
            contact.held = False
        self.pages.publish(agent)

    def _call(self, act: Act, *about: str) -> None:
        for callback in self._callbacks[act]:
            callback(*about)


@asynccontextmanager
async def serve_softphone(softphone: Softphone, port: int = 0) -> AsyncIterator[str]:
    """Serve while the block runs; gives the origin, ``http://127.0.0.1:<port>``."""
    async with serve_plainly(softphone.app, port) as url:
        try:
            yield url
        finally:
            softphone.pages.release()
