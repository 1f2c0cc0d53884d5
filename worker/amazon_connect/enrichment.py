"""Enrichment: asks Connect, within a time limit, for what a contact's events do not say."""

from __future__ import annotations

import asyncio

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import structlog

from pipelines.contact import Contact
from pipelines.enrichment import Question, wanted
from pipelines.names import DESCRIBED_ONLY
from pipelines.pipeline import Pipeline
from pipelines.snapshot import Snapshot
from worker.amazon_connect.errors import ConnectError, ConnectRefused
from worker.amazon_connect.protocol import Connect
from worker.cache import TtlCache
from worker.clock import Clock
from worker.faults import Faults


_log = structlog.get_logger(__name__)

#: How long the names of agents and queues are cached (s), and how many.
NAMES_S: Final = 3600.0
MOST_NAMES: Final = 10_000

#: What Connect said of a contact is cached until its facts are saved, which may take two tries.
CONTACTS_S: Final = 30.0
MOST_CONTACTS: Final = 1_000

#: Members of DescribeContact's answer that contact events do not have, or not always.
DESCRIBED: Final = (
    "CustomerEndpoint",
    "SystemEndpoint",
    "AdditionalEmailRecipients",
    "SegmentAttributes",
    *sorted(DESCRIBED_ONLY),
)


@dataclass(slots=True)
class Enrichment:
    """Adds what is missing to contacts.

    Attributes:
        connect: Answers the questions.
        pipelines: Decide what is needed of a contact.
        patience_s: How long a contact may wait for answers (s).
        clock: Its wall clock dates the answers.
        faults: Contains bugs in answering one question.
    """

    connect: Connect
    pipelines: Iterable[Pipeline]
    patience_s: float
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    _names: TtlCache[Question, Mapping[str, Any]] = field(init=False)
    _contacts: TtlCache[Question, Mapping[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._names = TtlCache(NAMES_S, MOST_NAMES, self.clock)
        self._contacts = TtlCache(CONTACTS_S, MOST_CONTACTS, self.clock)

    def questions(self, contact: Contact, seen: Snapshot | None = None) -> list[Question]:
        """What the pipelines need and the contact lacks; ``seen`` is its snapshot, if known."""
        return wanted(contact, self.pipelines, seen)

    async def complete(self, contact: Contact, questions: Iterable[Question]) -> None:
        """Add the answers that come in time to the contact, as facts."""
        try:
            async with asyncio.timeout(self.patience_s), asyncio.TaskGroup() as group:
                for question in questions:
                    group.create_task(self._ask(contact, question))
        except TimeoutError:
            _log.info("connect.no_answer", contact_id=contact.id, patience_s=self.patience_s)

    async def _ask(self, contact: Contact, question: Question) -> None:
        with self.faults.contained("enrichment", contact_id=contact.id):
            await self._complete_with(contact, question)

    async def _complete_with(self, contact: Contact, question: Question) -> None:
        cache = self._names if question.topic in ("agent", "queue") else self._contacts
        try:
            answer = await cache.get(question, partial(self._answer, question))
        except ConnectRefused as error:
            _log.info("connect.refused", contact_id=contact.id, reason=str(error))
            answer = {}  # a fact too: it is not asked again
        except ConnectError as error:
            _log.info("connect.busy", contact_id=contact.id, reason=str(error))
            return
        now = datetime.fromtimestamp(self.clock.wall(), UTC).isoformat(timespec="milliseconds")
        fact = question.answered(contact, answer, now.replace("+00:00", "Z"))
        if fact is not None:
            contact.observe(fact)

    async def _answer(self, question: Question) -> Mapping[str, Any]:
        """The answer's members, in the contact record's spelling."""
        place = (question.instance_id, question.about)
        match question.topic:
            case "contact":
                described = await self.connect.contact(*place)
                return {name: described[name] for name in DESCRIBED if described.get(name)}
            case "attributes":
                return {"Attributes": await self.connect.attributes(*place)}
            case "agent":
                return {"Username": await self.connect.agent(*place)}
            case "queue":
                return {"Name": await self.connect.queue(*place)}
