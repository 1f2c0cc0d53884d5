"""Enrichment: what Connect must be asked about a contact because its events do not say it.

Contact events carry no customer number, no attributes, and of agents and queues only their ARNs
(Administrator Guide "contact-events"). A pipeline that reads these before the contact record comes
causes Connect to be asked; the answers are facts, which count until then (see ``pipelines.view``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipelines import mail
from pipelines.condition import may_admit, names_in, paths
from pipelines.contact import Contact
from pipelines.conversation import skipped
from pipelines.decode.seal import seal
from pipelines.fact import ENRICHMENT, Fact
from pipelines.legs import first_of_chain
from pipelines.names import DESCRIBED_ONLY, said
from pipelines.pipeline import Pipeline
from pipelines.snapshot import Snapshot, snapshot


#: What can be asked: DescribeContact, GetContactAttributes, DescribeUser, DescribeQueue.
Topic = Literal["contact", "attributes", "agent", "queue"]

#: Milestones between which a flow may set attributes: they are asked for anew at each.
MOMENTS = ("created", "answered", "ended")

#: Key of an answer's milestone; not a name of the vocabulary.
ASKED_ON = "AskedOn"

#: In the ARN of an agent's own queue, which has no name.
_OWN_QUEUE = "/queue/agent/"

#: A path of names, in lower case.
Path = tuple[str, ...]

#: Names of which DescribeContact knows something that events do not say, in lower case.
_MAIL = {*map(str.lower, mail.NAMES)}
_DESCRIBED = {"customerendpoint", "segmentattributes", *map(str.lower, DESCRIBED_ONLY)} | _MAIL

#: Structures of which events have the ARN alone -> the member that is asked for.
_NAMES = {"Agent": "Username", "Queue": "Name"}

#: Short forms -> the paths they stand for: ``{{Agent}}``, ``{{Username}}``.
_SHORT: dict[Path, Path] = {
    ("agent",): ("agent", "username"),
    ("username",): ("agent", "username"),
    ("queue",): ("queue", "name"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask Connect.

    Attributes:
        topic: What about.
        instance_id: The Connect instance's id.
        about: Id of the contact, of its chain's first contact (attributes), of the agent or queue.
        known: What is known already and is added to the answer: its milestone, or the ARN.
    """

    topic: Topic
    instance_id: str
    about: str
    known: tuple[tuple[str, str], ...] = ()

    def answered(self, contact: Contact, answer: Mapping[str, Any], at: str) -> Fact | None:
        """The answer as a fact; None if it cannot be one (nested too deeply).

        Args:
            contact: The contact it was asked for.
            answer: The answer's members in the contact record's spelling, {} if there is none.
            at: UTC time of asking (``YYYY-MM-DDTHH:MM:SS.mmmZ``).
        """
        data: dict[str, Any] = {**answer, **dict(self.known)}
        if self.topic in ("agent", "queue"):
            data = {self.topic.capitalize(): data}
        fact = seal(contact.id, ENRICHMENT + self.topic, at, data, at)
        return fact if isinstance(fact, Fact) else None


def wanted(
    contact: Contact, pipelines: Iterable[Pipeline], seen: Snapshot | None = None
) -> list[Question]:
    """What must be asked now, for these pipelines; nothing once the contact record is there.

    Args:
        contact: The contact.
        pipelines: What it is asked for.
        seen: The contact's snapshot, if there is one already.
    """
    if contact.record is not None or contact.replayed or not contact.events:
        return []
    inquiry = _Inquiry(contact, pipelines, seen or snapshot(contact, {}))
    questions = [
        inquiry.endpoint(),
        inquiry.attributes(),
        *(inquiry.name(structure) for structure in _NAMES),
    ]
    return [question for question in questions if question is not None]


class _Inquiry:
    """Finds the names that are read and not known yet."""

    def __init__(self, contact: Contact, pipelines: Iterable[Pipeline], seen: Snapshot) -> None:
        self.contact = contact
        self.values = seen.values
        self.instance_id = _last(self.values.get("InstanceARN"))
        self.reached = seen.reached
        self.asked = {topic: said(fact.body) for topic, fact in contact.enrichment.items()}
        #: Path -> the milestones of the steps that read it.
        self.read: dict[Path, set[str]] = {}
        for pipeline in pipelines:
            for on, path in self.paths(pipeline):
                folded = tuple(name.lower() for name in path)
                self.read.setdefault(_SHORT.get(folded, folded), set()).add(on)

    def paths(self, pipeline: Pipeline) -> Iterator[tuple[str, Path]]:
        """What the pipeline reads of this contact now, with the milestone it reads it at."""
        if not may_admit(pipeline.when, self.values) or self.is_skipped(pipeline):
            return
        yield from ((MOMENTS[0], path) for path in paths(pipeline.when))
        for step in pipeline.steps:
            if step.on in self.reached and may_admit(step.when, self.values):
                yield from ((step.on, path) for path in paths(step.when))
                yield from ((step.on, path) for path in step.names())
        if pipeline.writeback is not None:
            reached = [on for on in MOMENTS if on in self.reached]
            yield from ((on, path) for on in reached for path in pipeline.writeback.names())

    def is_skipped(self, pipeline: Pipeline) -> bool:
        """Whether it is no conversation and the pipeline makes no record for it."""
        whens = (pipeline.when, *(step.when for step in pipeline.steps))
        return bool(skipped(self.values, *map(names_in, whens)))

    def question(self, topic: Topic, about: str, **known: str) -> Question | None:
        if not self.instance_id or not about:
            return None
        return Question(topic, self.instance_id, about, tuple(known.items()))

    def endpoint(self) -> Question | None:
        lacking = _DESCRIBED - {name.lower() for name in self.values}
        if "CustomerEndpoint" not in self.values:
            lacking |= _MAIL  # are made of it
        if "contact" in self.asked or not any(path[0] in lacking for path in self.read):
            return None
        return self.question("contact", self.contact.id)

    def attributes(self) -> Question | None:
        read_on = [on for path, on in self.read.items() if path[0] == "attributes"]
        if not read_on:
            return None
        moments = [on for on in MOMENTS if any(on in milestones_ for milestones_ in read_on)]
        last = moments[-1] if moments else MOMENTS[0]
        known = str(self.asked.get("attributes", {}).get(ASKED_ON, ""))
        if known and MOMENTS.index(known) >= MOMENTS.index(last):
            return None
        first = first_of_chain(self.values, self.contact.id)
        return self.question("attributes", first, **{ASKED_ON: last})

    def name(self, structure: str) -> Question | None:
        known, member = self.values.get(structure, {}), _NAMES[structure]
        arn = str(known.get("ARN", ""))
        topic: Topic = "agent" if structure == "Agent" else "queue"
        answered = self.asked.get(topic, {}).get(structure, {}).get("ARN")
        if (topic, member.lower()) not in self.read or member in known or answered == arn:
            return None
        if _OWN_QUEUE in arn:
            return None
        return self.question(topic, _last(arn), ARN=arn)


def _last(arn: Any) -> str:
    return arn.rpartition("/")[2] if isinstance(arn, str) else ""
