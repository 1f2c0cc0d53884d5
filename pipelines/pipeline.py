"""Pipelines: what to send to Dynamics at each step of a contact's life."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

from pipelines.condition import ALWAYS, Condition, paths
from pipelines.note import Note, guesses, in_body, in_links, in_names, may_meet, twice
from pipelines.step import CreateStep, RecordStep, Step
from pipelines.writeback import AttributeTable


@dataclass(frozen=True)
class Pipeline:
    """Steps in file order, for the contacts that ``when`` admits, and what goes back to Connect.

    ``digest`` is of the file's text: two with one digest send the same. ``both``: its activities
    are wanted beside those that another pipeline makes of the same contacts. ``choices``: its
    tables of labels and options. ``text``: the file's, to say where something stands.
    """

    name: str
    steps: tuple[Step, ...]
    when: Condition = ALWAYS
    source: str = ""
    writeback: AttributeTable | None = None
    digest: str = ""
    both: bool = False
    choices: Mapping[str, Mapping[str, bool | int | str]] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    @cached_property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Every path of names that anything in it reads, in lower case."""
        found = [*paths(self.when), *(self.writeback.names() if self.writeback else ())]
        for step in self.steps:
            found += (*paths(step.when), *step.names())
        return frozenset(tuple(part.lower() for part in path) for path in found)

    @cached_property
    def roots(self) -> frozenset[str]:
        """The first parts of these."""
        return frozenset(path[0] for path in self.reads)

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((step for step in self.steps if step.name == name), None)

    def guesses(self, name: str) -> list[str]:
        """What a step leaves to be guessed where Dynamics cannot be asked."""
        step = self.step(name)
        return [f"{self.source}: step {name}: {text}" for text, _ in guesses(step)]

    def warnings(self) -> list[str]:
        """What ``check`` should report: things that work but may surprise."""
        return [
            f"{self.source}: {f'step {note.step}: ' if note.step else ''}{note.text}"
            for note in self.notes()
        ]

    def notes(self) -> list[Note]:
        """The same, each with its place."""
        found = [Note("", f"when: {text}", at) for text, at in in_names(paths(self.when))]
        if self.writeback is not None:
            texts = in_names(self.writeback.names())
            found += [Note("", f"writeback: {text}", at) for text, at in texts]
        for step in self.steps:
            texts = in_names({*step.names(), *paths(step.when)})
            found += [Note(step.name, text, at) for text, at in texts]
            found += [Note(step.name, *guess) for guess in guesses(step)]
            if isinstance(step, RecordStep):
                found += [Note(step.name, text, at) for text, at in in_body(step)]
        return found + in_links(self.steps) + twice(self.steps)


def doubles(pipelines: Iterable[Pipeline]) -> list[str]:
    """Which pipelines make two activities of one table for one contact, without saying ``both``."""
    makers = [
        (pipeline, step)
        for pipeline in pipelines
        for step in pipeline.steps
        if isinstance(step, CreateStep) and step.table.key == "activityid"
    ]
    return [
        f"{one.source} (step {a.name}) and {other.source} (step {b.name}) each make one of "
        f"{a.table.set} for the same contact; name one of the two pipelines, or write both = true "
        "at the top of one of them if you want two activities for each"
        for (one, a), (other, b) in combinations(makers, 2)
        if one.name != other.name
        and not (one.both or other.both)
        and a.table == b.table
        and may_meet((one.when, a.when), (other.when, b.when))
    ]
