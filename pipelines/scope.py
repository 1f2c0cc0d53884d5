"""The scope: what the steps of one pipeline see of a contact, and which records they are about."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pipelines.changes import Keys, Version, keys
from pipelines.contact import Contact
from pipelines.lifecycle import FILES
from pipelines.objects import UNREDACTED
from pipelines.pipeline import Pipeline
from pipelines.relatives import relatives
from pipelines.snapshot import Snapshot
from pipelines.step import RESPONSE, CreateStep, LookupStep, ReadFileStep, RecordStep, UpdateStep
from pipelines.value import HELD
from pipelines.view import Names, object_names


class Scope:
    """What steps see: names, answers of other steps, keys. None of it is made before it is needed.

    Args:
        contact: The contact, with its ledger.
        pipeline: The pipeline.
        seen: The contact's snapshot.
        versions: The versions that the pipeline had.
    """

    def __init__(
        self, contact: Contact, pipeline: Pipeline, seen: Snapshot, versions: tuple[Version, ...]
    ) -> None:
        self.contact = contact
        self.pipeline = pipeline
        self.seen = seen
        self._versions = versions
        self._names: dict[str, Names] = {}

    @cached_property
    def keys(self) -> Keys:
        """Which records its creating steps are about."""
        began = self.seen.reached.get("created", "")
        return keys(self.contact, self.pipeline, self._versions, began)

    @cached_property
    def own(self) -> dict[str, CreateStep]:
        """The ledger's name of each of these -> the step that creates it."""
        steps = self.pipeline.steps
        return {self.created(step): step for step in steps if isinstance(step, CreateStep)}

    @cached_property
    def answers(self) -> dict[str, dict[str, Any]]:
        """``STEP2-Response`` -> what is known of it, if anything in the pipeline reads it.

        Also ``Previous`` and its like -> what is known of other contacts, and ``STEP2-Response``
        of these.
        """
        others = relatives(self.contact, self.pipeline, self.seen, self._versions)
        return self._known_answers() | others

    def created(self, step: CreateStep) -> str:
        """The ledger's name of the record that a step creates."""
        return f"{step.table.set}({self.keys.of[step.name]})"

    def names(self, on: str) -> Names:
        """What a step sees that waits for this milestone."""
        about = on if on in FILES else ""  # steps on any other see the same
        known = self._names.get(about)
        if known is None:
            listed = "objects" in self.pipeline.roots
            files = object_names(self.seen.objects, about, listed=listed)
            known = self._names[about] = Names(self.seen.values | files | self.answers)
        return known

    def names_without_files(self) -> Names:
        """What the attributes that are written back see."""
        return Names(self.seen.values | self.answers)

    def is_void(self, step: ReadFileStep) -> bool:
        """Whether what its file says is redacted or deleted; what Contact Lens redacted is not."""
        if step.on in self.seen.withdrawn:
            return True
        first = next((o for o in self.seen.objects if o.milestone == step.on), None)
        original = first is None or first.kind in UNREDACTED
        return bool(self.seen.redacted) and original

    def key(self, step: RecordStep) -> Any:
        """The key of the record that a step is about, or HELD."""
        if isinstance(step, CreateStep):
            return self.keys.of[step.name]
        return _key(step, self.names(step.on))

    def _known_answers(self) -> dict[str, dict[str, Any]]:
        """What is known of each step's answer; keys we choose are known beforehand."""
        answers: dict[str, dict[str, Any]] = {}
        for step in self.pipeline.steps:
            if (step.name + RESPONSE).lower() not in self.pipeline.roots:
                continue
            known = None
            if isinstance(step, LookupStep | ReadFileStep):
                known = self.contact.lookups.get(step.path, {}).get("answer")
                if isinstance(step, ReadFileStep) and self.is_void(step):
                    known = None
            elif isinstance(step, RecordStep):
                known = self._written(step, answers)
            if known is not None:
                answers[step.name + RESPONSE] = known
        return answers

    def _written(
        self, step: RecordStep, answers: dict[str, dict[str, Any]]
    ) -> dict[str, Any] | None:
        """What is known of the record a step is about, once its key is."""
        key: Any
        if isinstance(step, CreateStep):
            key = self.keys.of[step.name]
        else:
            key = _key(step, Names(self.seen.values | answers))
        if key is HELD:
            return None
        record = self.contact.ledger.get(f"{step.table.set}({key})")
        return {**(record.answer if record else {}), step.table.key: key}


def _key(step: UpdateStep, names: Names) -> Any:
    key: Any = step.key.render(names)
    return key if key is HELD else key.removeprefix("(").removesuffix(")")
