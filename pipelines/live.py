"""Live: what is planned for the agent and for Connect while a contact is in progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import urlencode

from pipelines.action import OpenPage, WriteBack
from pipelines.condition import names_in
from pipelines.conversation import no_conversation, skipped
from pipelines.effect import Effect, Outcome, is_final
from pipelines.legs import Chain, chain_of, first_of_chain
from pipelines.scope import Scope
from pipelines.snapshot import epoch
from pipelines.step import RESPONSE, OpenStep
from pipelines.template import render_data
from pipelines.value import HELD, as_text
from pipelines.view import instance_id
from pipelines.writeback import attributes_for


#: How long after its milestone (s) something is still done for the agent.
LIVE_WITHIN_S = 60.0

#: Why a page waits whose query names what has no value yet.
NO_VALUE: Final = "for a value of its page"

#: What is heard so short (s) before the contact's end cannot be expected to be shown in time.
SOON_S: Final = 1.0

#: The milestones after which attributes are written back, each for so long.
WRITTEN_BACK_ON: Final = ("created", "queued", "answered")


@dataclass(frozen=True, slots=True)
class Waits:
    """It is not done now, for this reason; "": there is nothing to do."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Expired:
    """Its time is over.

    Attributes:
        page: It is a page; otherwise it is a write-back.
        outcome: Why it was not carried out, as far as the contact itself says; "": it could have
            been, at some time.
        detail: What its reason mentions.
        since: When (s since 1970) its milestone was; None: nobody knows.
        ended: When the contact ended; None: it has not, or nobody knows when.
        known: Since when the worker is known to have heard of it; None: it has not said so.
    """

    page: bool
    outcome: Outcome | Literal[""] = ""
    detail: str = ""
    since: float | None = None
    ended: float | None = None
    known: float | None = None

    def judged(self, heard_at: float, now: float) -> Effect:
        """What is kept of it, with the reason.

        Args:
            heard_at: When (s since 1970) the worker had heard what made it due.
            now: The time.
        """
        if self.outcome in ("replayed", "refused", "no_record"):
            return Effect(self.outcome, now, self.detail)
        heard_at = heard_at if self.known is None else self.known
        since = heard_at if self.since is None else self.since
        ended = heard_at if self.ended is None else self.ended
        if heard_at > since + LIVE_WITHIN_S and ended > since + LIVE_WITHIN_S:
            return Effect("heard_late", now, f"{heard_at - since:.0f} s")
        if self.ended is not None and heard_at > ended - SOON_S:
            return Effect("ended_first", now)
        if self.outcome:
            return Effect(self.outcome, now, self.detail)
        return Effect("worker_late", now, f"{now - since:.0f} s")


@dataclass(frozen=True, slots=True)
class LivePlanner:
    """Plans what is live, for one pipeline.

    Attributes:
        scope: What its steps see.
        now: The time (s since 1970).
        unavailable: Why a record that such names refer to cannot be used yet, or "". One that the
            same plan makes can.
        there: Whether every record that such names refer to is there already.
    """

    scope: Scope
    now: float
    unavailable: Callable[[Iterable[tuple[str, ...]]], str]
    there: Callable[[Iterable[tuple[str, ...]]], bool]

    def open(self, step: OpenStep) -> OpenPage | Waits | Expired:
        """The page that a step opens for the agent."""
        reached = self.scope.seen.reached
        if is_final(self.scope.contact.effects.get(step.path)):
            return Waits()
        if "ended" in reached or self._late(reached[step.on]):
            return self._expired(step)
        if reason := self.unavailable(step.names()) or self._skipped():
            return Waits(reason)
        return page(step, self.scope) or Waits(NO_VALUE)

    def _expired(self, step: OpenStep) -> Expired:
        since, ended = epoch(self.scope.seen.reached[step.on]), self.scope.seen.ended
        pending = Effect.read(self.scope.contact.effects.get(step.path, ""))
        outcome, detail = self._missed(step, pending)
        return Expired(True, outcome, detail, since, ended, pending.at)

    def _missed(self, step: OpenStep, pending: Effect) -> tuple[Outcome | Literal[""], str]:
        """Why a page was not shown, as far as the contact itself says, and what it mentions."""
        if self.scope.contact.replayed:
            return "replayed", ""
        if pending.outcome == "delayed":
            return "refused", pending.detail
        if reason := self._skipped():
            return "no_record", reason
        if pending.detail == NO_VALUE or not page(step, self.scope):
            return "value_missing", ""
        if reason := self.unavailable(step.names()) or pending.detail:
            return "record_late", reason
        return "", ""

    def write_back(self) -> tuple[WriteBack, ...] | Waits | Expired:
        """The attributes that the contact's agent and flows should see by now, in their parts."""
        contact, values = self.scope.contact, self.scope.seen.values
        table, aside = self.scope.pipeline.writeback, no_conversation(values)
        if table is None or aside or is_final(contact.effects.get(table.path)):
            return Waits(aside and f"no: {aside} write nothing back")
        began = str(values.get("InitiationTimestamp", ""))
        chain = chain_of(contact.id, began, self.scope.seen.others)
        names = self.scope.names_without_files()
        written = attributes_for(table, contact, names, chain.newest, self._records_are_there)
        if written is None:
            return Waits()
        return self._not_now(written, chain) or tuple(self._parts(written))

    def _not_now(self, written: WriteBack, chain: Chain) -> Waits | Expired | None:
        """Why attributes are not written now; None: they are."""
        contact, reached = self.scope.contact, self.scope.seen.reached
        if "ended" in reached:
            if written.record in contact.ledger:
                return Waits()
            outcome: Outcome | Literal[""] = "replayed" if contact.replayed else ""
            since = epoch(reached.get("created", ""))
            return Expired(False, outcome, "", since, self.scope.seen.ended)
        if chain.later_on:
            return Waits("no: a later leg of its chain is on")
        if self._late(chain.ended, *(reached.get(on, "") for on in WRITTEN_BACK_ON)):
            return Waits("for an agent to answer")
        return None

    def _parts(self, written: WriteBack) -> Iterator[WriteBack]:
        """All attributes once their records are made: Connect takes few requests in a second.

        If a record is held up, those that do not name it come first and apart; neither is empty.
        """
        texts = written.attributes.items()
        held_up = self._is_held_up()
        later = {n: text for n, text in texts if held_up and not self._records_are_made(text)}
        now = {name: text for name, text in texts if name not in later}
        if written.begins:
            now |= dict.fromkeys(later, "")
        begins = written.begins and "answered" not in self.scope.seen.reached
        if now:
            yield replace(written, attributes=now, begins=begins)
        if later:
            yield replace(written, attributes=later, begins=False)

    def _is_held_up(self) -> bool:
        """Whether Dynamics was asked to make a record of the contact and has not, so far."""
        contact = self.scope.contact
        return contact.tries > 0 or any(one.state == "sent" for one in contact.ledger.values())

    def is_made(self, written: WriteBack) -> bool:
        """Whether every record of ours that attributes name exists."""
        return all(map(self._records_are_made, written.attributes.values()))

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
        return not self.unavailable(self._records_in(value))

    def _records_are_made(self, value: str) -> bool:
        """Whether every record of ours whose key is in the value exists."""
        return self.there(self._records_in(value))

    def _records_in(self, value: str) -> Iterator[tuple[str, ...]]:
        for name, step in self.scope.own.items():
            if name.partition("(")[2].removesuffix(")") in value:
                yield (step.name + RESPONSE,)


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
    return OpenPage(step.path, instance_id(values), contact_id, first, url, step.tab, step.on)
