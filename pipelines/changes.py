"""Changes of a pipeline: which records its steps go on with, so that none is made twice.

The id of a record is made of the name of the step that makes it. So the versions that a pipeline
had are remembered, and every record says which step made it. A creating step that came as another
of its pipeline and table left *follows* it, as far as can be known: the two were never in one
version. For a contact that has the record of the one that left

- a step that alone follows it goes on with that record: it was renamed;
- of several that follow it none makes one, for it is not clear which is meant;
- a step that makes records of another table now makes none.

A contact from before a step came, whose record is not known any more, gets the id that its
record had then. The rules look the same from the other side: two versions of a pipeline may run
side by side. What no step names any more is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from pipelines.contact import Contact
from pipelines.identity import record_id
from pipelines.pipeline import Pipeline
from pipelines.step import CreateStep


#: A creating step: its name and the entity set it makes records of.
Creating = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """The creating steps that a pipeline had at once.

    Attributes:
        since: UTC second (``YYYY-MM-DDTHH:MM:SSZ``) at which they were first loaded together.
        steps: The steps, in file order.
    """

    since: str
    steps: tuple[Creating, ...]


#: Pipeline -> its versions, oldest first.
Versions = Mapping[str, tuple[Version, ...]]


@dataclass(frozen=True, slots=True)
class Keys:
    """Which record each creating step of a pipeline is about, for one contact.

    Attributes:
        of: Step -> the record's key.
        barred: Step -> why it makes no record.
    """

    of: dict[str, str]
    barred: dict[str, str]


def creating(pipeline: Pipeline) -> tuple[Creating, ...]:
    """The steps that create records."""
    return tuple(
        (step.name, step.table.set) for step in pipeline.steps if isinstance(step, CreateStep)
    )


def keys(contact: Contact, pipeline: Pipeline, versions: tuple[Version, ...], began: str) -> Keys:
    """Which records the pipeline's creating steps are about.

    Args:
        contact: The contact, with ledger and intent.
        pipeline: The pipeline as it is now.
        versions: Those it had, this one among them; none if they are not known.
        began: The UTC second at which the contact began; "" if that is not known.
    """
    steps = creating(pipeline)
    own = {step: record_id(contact.id, pipeline.name, step[0]) for step in steps}
    makers = _makers(contact)
    past = _past(steps, versions)
    held = _held(
        contact.id, pipeline.name, makers, {_record(s, key) for s, key in own.items()}, past
    )
    if not held and not past.departed:
        return Keys({name: key for (name, _), key in own.items()}, {})
    without = [step for step in steps if _record(step, own[step]) not in makers]
    found = Keys({name: key for (name, _), key in own.items()}, {})
    for step in without:
        _assign(step, without, held, past, found)
        if step[0] not in found.barred and found.of[step[0]] == own[step]:
            before = past.before(step, began)
            found.of[step[0]] = record_id(contact.id, pipeline.name, before[0])
    return found


def _assign(
    step: Creating,
    without: Iterable[Creating],
    held: Mapping[str, Creating],
    past: _Past,
    found: Keys,
) -> None:
    """Decide which record a step without one goes on with, or why it makes none."""
    name, table = step
    records = [record for record, maker in held.items() if past.follows(step, maker)]
    rivals = [s for s in without if s != step and any(past.follows(s, held[r]) for r in records)]
    moved = [maker for maker in held.values() if maker[0].lower() == name.lower()]
    if len(records) == 1 and not rivals:
        found.of[name] = records[0].partition("(")[2].removesuffix(")")
    elif records:
        makers = ", ".join(sorted(held[record][0] for record in records))
        found.barred[name] = f"no: the contact has a record of {makers}, which left the pipeline"
    elif moved:
        found.barred[name] = f"no: the contact has its record in {moved[0][1]}, not in {table}"


def _record(step: Creating, key: str) -> str:
    """The ledger's name of a record."""
    return f"{step[1]}({key})"


def _makers(contact: Contact) -> dict[str, str]:
    """Every record that is or may be there -> path of the step that made it; "" if not known."""
    makers = {record: columns[""] for record, columns in contact.intent.items() if "" in columns}
    for record, known in contact.ledger.items():
        makers[record] = known.by or makers.get(record, "")
    return makers


def _held(
    contact_id: str, pipeline: str, makers: Mapping[str, str], own: set[str], past: _Past
) -> dict[str, Creating]:
    """The pipeline's records under other ids than its steps' now -> the steps that made them."""
    others = {record: maker for record, maker in makers.items() if record not in own}
    if not others:
        return {}
    derived = {_record(s, record_id(contact_id, pipeline, s[0])): s for s in past.departed}
    held = {}
    for record, maker in others.items():
        of, slash, name = maker.rpartition("/")
        if slash and of == pipeline:
            held[record] = (name, record.partition("(")[0])
        elif not slash and record in derived:
            held[record] = derived[record]
    return held


# --- what the versions say ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Past:
    """A pipeline's steps now and in its versions.

    Attributes:
        steps: The creating steps now.
        departed: Those of its versions that are not among them, oldest first.
        since: Step -> when it was first loaded, in the order in which they came.
        together: Pairs that were in one version, names in lower case.
    """

    steps: tuple[Creating, ...]
    departed: tuple[Creating, ...]
    since: Mapping[Creating, str]
    together: frozenset[tuple[Creating, Creating]]

    def follows(self, step: Creating, other: Creating) -> bool:
        """Whether a step may be another that left, under a new name or in another spelling."""
        if step[1] != other[1] or _folded(step) == _folded(other):
            return step[1] == other[1]
        if _folded(other) in map(_folded, self.steps):
            return False
        return (_folded(step), _folded(other)) not in self.together

    def before(self, step: Creating, began: str) -> Creating:
        """The step that a contact's record was made by, if there was one."""
        if not began or began >= self.since.get(step, ""):
            return step
        order = [*self.since]
        earlier = [s for s in order[: order.index(step)] if s in self.departed]
        followed = [s for s in earlier if self.follows(step, s)]
        rivals = [s for s in self.steps if s != step and any(self.follows(s, o) for o in followed)]
        pairs = combinations(map(_folded, followed), 2)
        if not followed or rivals or any(pair in self.together for pair in pairs):
            return step
        known = [s for s in followed if self.since[s] <= began]
        return known[-1] if known else followed[0]


@lru_cache(maxsize=256)
def _past(steps: tuple[Creating, ...], versions: tuple[Version, ...]) -> _Past:
    since: dict[Creating, str] = {}
    together = set()
    for version in versions:
        for step in version.steps:
            since.setdefault(step, version.since)
        for one, other in combinations(map(_folded, version.steps), 2):
            together |= {(one, other), (other, one)}
    departed = tuple(step for step in since if step not in steps)
    return _Past(steps, departed, since, frozenset(together))


def _folded(step: Creating) -> Creating:
    return step[0].lower(), step[1]


def departures(pipeline: Pipeline, versions: tuple[Version, ...]) -> list[tuple[str, str]]:
    """What became of every step that is not in the pipeline any more: (step, what is done)."""
    steps = creating(pipeline)
    past = _past(steps, versions)
    return [(name, _became_of((name, table), past)) for name, table in past.departed]


def _became_of(gone: Creating, past: _Past) -> str:
    name, table = gone
    successors = [step for step in past.steps if past.follows(step, gone)]
    if successors and successors[0][0].lower() == name.lower():
        return f"is spelt {successors[0][0]} now, which goes on with the records that {name} made"
    if moved := [step for step in past.steps if step[0].lower() == name.lower()]:
        return (
            f"makes records of {moved[0][1]} now; contacts that have one of {table} get no other, "
            "and it is left as it is"
        )
    if not successors:
        return f"is gone; its records of {table} are left as they are"
    names = ", ".join(step[0] for step in successors)
    if len(successors) == 1:
        return f"left as {names} came, which goes on with the records of {table} that {name} made"
    return (
        f"left as {names} came: which of them is meant cannot be known, so contacts that have its "
        f"record of {table} get no other, and it is left as it is"
    )
