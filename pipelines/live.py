"""Live: what is planned for the agent and for Connect while a contact is in progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pipelines.action import OpenPage, WriteBack
from pipelines.condition import names_in
from pipelines.conversation import no_conversation, skipped
from pipelines.legs import chain_of, first_of_chain
from pipelines.scope import Scope
from pipelines.snapshot import epoch
from pipelines.step import RESPONSE, OpenStep
from pipelines.template import render_data
from pipelines.value import HELD, as_text
from pipelines.view import instance_id, values_of_kin
from pipelines.writeback import attributes_for


#: How long after its milestone (s) something is still done for the agent.
LIVE_WITHIN_S = 60.0

#: The milestones after which attributes are written back.
WRITTEN_BACK_ON = ("created", "answered")


@dataclass(frozen=True, slots=True)
class Waits:
    """It is not done now, for this reason; "": there is nothing to do."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Expired:
    """Its time is over."""


@dataclass(frozen=True, slots=True)
class LivePlanner:
    """Plans what is live, for one pipeline.

    Attributes:
        scope: What its steps see.
        now: The time (s since 1970).
        unavailable: Why a record that such names refer to cannot be used yet, or "".
    """

    scope: Scope
    now: float
    unavailable: Callable[[Iterable[tuple[str, ...]]], str]

    def open(self, step: OpenStep) -> OpenPage | Waits | Expired:
        """The page that a step opens for the agent."""
        reached = self.scope.seen.reached
        if step.path in self.scope.contact.effects:
            return Waits()
        if "ended" in reached or self._late(reached[step.on]):
            return Expired()
        if reason := self.unavailable(step.names()) or self._skipped():
            return Waits(reason)
        return page(step, self.scope) or Waits("for a value of its page")

    def write_back(self) -> WriteBack | Waits | Expired:
        """The attributes that the contact's agent and flows should see by now."""
        contact, seen = self.scope.contact, self.scope.seen
        table, aside = self.scope.pipeline.writeback, no_conversation(seen.values)
        if table is None or aside or table.path in contact.effects:
            return Waits(aside and f"no: {aside} write nothing back")
        began = str(seen.values.get("InitiationTimestamp", ""))
        chain = chain_of(contact.id, began, values_of_kin(contact))
        names = self.scope.names_without_files()
        written = attributes_for(table, contact, names, chain.newest, self._records_are_there)
        if written is None:
            return Waits()
        if "ended" in seen.reached:
            return Waits() if written.record in contact.ledger else Expired()
        if chain.later_on:
            return Waits("no: a later leg of its chain is on")
        if self._late(chain.ended, *(seen.reached.get(on, "") for on in WRITTEN_BACK_ON)):
            return Waits("for an agent to answer")
        return written

    def _skipped(self) -> str:
        """Why the contact gets no page, as it gets no record; "" if it may."""
        pipeline = self.scope.pipeline
        whens = (pipeline.when, *(step.when for step in pipeline.steps))
        return skipped(self.scope.seen.values, *map(names_in, whens))

    def _late(self, *moments: str) -> bool:
        """Whether the last of these moments is too long ago to be of use to an agent."""
        at = epoch(max(moments))
        return at is not None and self.now - at > LIVE_WITHIN_S

    def _records_are_there(self, value: str) -> bool:
        """Whether every record of ours whose key is in the value exists, or will by then."""
        own = self.scope.own.items()
        named = (step for name, step in own if name.partition("(")[2].removesuffix(")") in value)
        return not self.unavailable((step.name + RESPONSE,) for step in named)


def page(step: OpenStep, scope: Scope) -> OpenPage | None:
    """What a step opens, whether or not it is the time for it; None while a value is missing."""
    query: Any = render_data(step.query, scope.names(step.on))
    if query is HELD:
        return None
    values = scope.seen.values
    root = str(values.get("EnvironmentUri", "")).rstrip("/")
    query = {name: as_text(value) for name, value in query.items()}
    url = f"{root}/{step.page}?{urlencode(query)}" if query else f"{root}/{step.page}"
    contact_id = scope.contact.id
    first = first_of_chain(values, contact_id)
    return OpenPage(step.path, instance_id(values), contact_id, first, url, step.tab)
