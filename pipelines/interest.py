"""Interest: what pipelines read of a contact, so that what they do not read causes no work.

What is still to be done for a contact (``pipelines.plan``), what Connect is asked about it
(``pipelines.enrichment``) and whether somebody waits for it (``pipelines.waiting``) follow from
some of its names, its milestones, its files and the ledger. News that leave all of these as they
were cannot change any of that. Where it is not plain to see that they do, they are taken to matter:
to look at a contact in vain costs little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.condition import paths
from pipelines.contact import Contact
from pipelines.conversation import no_conversation
from pipelines.fact import EVENT, FILE, OBJECT, RECORD, Fact
from pipelines.lifecycle import DATED_BY, FILES
from pipelines.live import WRITTEN_BACK_ON
from pipelines.objects import KINDS, is_redacting
from pipelines.pipeline import Pipeline
from pipelines.snapshot import Snapshot, snapshot
from pipelines.step import OpenStep, Step, UpdateStep
from pipelines.verdict import nothing_yet
from pipelines.view import OBJECT_NAMES


#: What is read of every contact, whatever the pipelines say: milestones, and when they were.
ALWAYS_REACHED: Final = frozenset(("created", "answered", "ended"))

#: The same of names, in lower case. Others are read through ``no_conversation`` and
#: ``nothing_yet``, whose answers are compared.
ALWAYS_READ: Final = frozenset(("instancearn", "initialcontactid", "initiationtimestamp"))

#: Names without which Connect is asked for what others are made of, in lower case.
_ASKED_FOR: Final = frozenset(("customerendpoint",))

#: The name under which ``Interest.names`` has what is read whatever was reached.
ANY: Final = ""

#: Register of an event -> the milestone that it reaches.
_REACHES: Final = {EVENT + kind: on for on, kind in (DATED_BY | {"ended": "DISCONNECTED"}).items()}

_OBJECT_NAMES: Final = frozenset(map(str.lower, OBJECT_NAMES))


@dataclass(frozen=True, slots=True)
class Interest:
    """What is read of a contact.

    Attributes:
        names: Milestone -> the names, in lower case, that are read once it is reached; ``ANY`` ->
            those that always are. A milestone without names counts too: whether it is reached.
        moments: Milestones of which the time matters, not only whether they are reached.
    """

    names: Mapping[str, frozenset[str]]
    moments: frozenset[str] = ALWAYS_REACHED

    def reads_file(self, milestone: str) -> bool:
        """Whether a file of this milestone's kinds is read, or that there is one."""
        others = (names for on, names in self.names.items() if on not in FILES)
        return milestone in self.names or any(_OBJECT_NAMES & names for names in others)

    def read_at(self, reached: Iterable[str]) -> frozenset[str]:
        """The names that are read of a contact that has reached these milestones."""
        return frozenset().union(*(self.names.get(on, frozenset()) for on in (ANY, *reached)))


def interest_of(pipelines: Iterable[Pipeline]) -> Interest:
    """What pipelines read."""
    names: dict[str, set[str]] = {ANY: {*ALWAYS_READ, *_ASKED_FOR}}
    names |= {on: set() for on in ALWAYS_REACHED}
    moments = set(ALWAYS_REACHED)
    for pipeline in pipelines:
        names[ANY] |= {path[0].lower() for path in paths(pipeline.when)}
        for step in pipeline.steps:
            names[ANY] |= _read_before(step)
            names.setdefault(step.on, set()).update(path[0].lower() for path in step.names())
            moments |= {step.on} if isinstance(step, OpenStep) else set()
        if pipeline.writeback is not None:
            names[ANY] |= {path[0].lower() for path in pipeline.writeback.names()} | {"attributes"}
            names |= {on: names.get(on, set()) for on in WRITTEN_BACK_ON}
            moments.update(WRITTEN_BACK_ON)
    return Interest({on: frozenset(read) for on, read in names.items()}, frozenset(moments))


def _read_before(step: Step) -> set[str]:
    """What is read of a step whether or not its milestone is reached."""
    found = {path[0].lower() for path in paths(step.when)}
    if isinstance(step, UpdateStep):
        found |= {path[0].lower() for path, _ in step.key.names}
    return found


def together(interests: Iterable[Interest]) -> Interest:
    """What any of these reads."""
    names: dict[str, frozenset[str]] = {}
    moments = ALWAYS_REACHED
    for one in interests:
        names |= {on: names.get(on, frozenset()) | read for on, read in one.names.items()}
        moments |= one.moments
    return Interest(names, moments)


def concerns(interest: Interest, before: Contact, after: Contact) -> bool:
    """Whether what came to a contact may change anything that is read of it.

    Args:
        interest: What is read.
        before: The contact as it was.
        after: The same contact with what came.
    """
    if not before.events and before.record is None:
        return True  # nothing was planned for it, so far
    news = [fact for name, fact in after.facts.items() if before.facts.get(name) is not fact]
    read = [fact for fact in news if not _is_unread_file(interest, fact)]
    if any(_is_plain(interest, before, fact) for fact in read):
        return True
    if not read and before.arrived == after.arrived:
        return False
    return _read(interest, before) != _read(interest, after)


def _is_unread_file(interest: Interest, fact: Fact) -> bool:
    if not fact.register.startswith((OBJECT, FILE)):
        return False
    return not interest.reads_file(KINDS[fact.data["kind"]])


def _is_plain(interest: Interest, before: Contact, fact: Fact) -> bool:
    """Whether a fact matters without a closer look."""
    register = fact.register
    if register.startswith(EVENT):
        return register not in before.facts and _REACHES.get(register) in interest.names
    # The first record says of every name that it is final, and may tell of files itself. What
    # others of its chain tell, and what Connect was asked for, is there because it is read.
    return not register.startswith((RECORD, OBJECT, FILE)) or before.record is None


def _read(interest: Interest, contact: Contact) -> tuple[Any, ...]:
    """All that is read of a contact."""
    seen = snapshot(contact, {})
    names = interest.read_at(seen.reached)
    if seen.redacted or seen.withdrawn:  # what steps wrote that do not apply is looked at as well
        names = interest.read_at(interest.names)
    reached = {
        on: at if on in interest.moments else ""
        for on, at in seen.reached.items()
        if on in interest.names
    }
    return (
        {name: value for name, value in seen.values.items() if name.lower() in names},
        {name: value for name, value in seen.settled.items() if name.lower() in names},
        reached,
        seen.long_over,
        seen.redacted,
        seen.withdrawn,
        no_conversation(seen.values),
        *(nothing_yet(seen.values, seen.reached, settled=final) for final in (False, True)),
        contact.record is not None and is_redacting(contact),
        _files(interest, seen),
    )


def _files(interest: Interest, seen: Snapshot) -> list[tuple[str, ...]]:
    return [
        (one.kind, one.bucket, one.key, one.region)
        for one in seen.objects
        if interest.reads_file(one.milestone)
    ]
