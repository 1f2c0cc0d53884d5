"""The scope: what the steps of one pipeline see of a contact, and which records they are about."""

from __future__ import annotations

from typing import Any

from pipelines.changes import Version, keys
from pipelines.contact import Contact
from pipelines.objects import UNREDACTED
from pipelines.pipeline import Pipeline
from pipelines.relatives import relatives
from pipelines.snapshot import Snapshot
from pipelines.step import RESPONSE, CreateStep, LookupStep, ReadFileStep, RecordStep
from pipelines.value import HELD
from pipelines.view import Names, object_names


class Scope:
    """What steps see: names, answers of other steps, keys.

    Args:
        contact: The contact, with its ledger.
        pipeline: The pipeline.
        seen: The contact's snapshot.
        versions: The versions that the pipeline had.

    Attributes:
        keys: Which records its creating steps are about.
        own: Ledger name of each of these -> the step that creates it.
        answers: ``STEP2-Response`` -> what is known of it; ``Previous`` and its like -> what is
            known of other contacts, and ``STEP2-Response`` of these.
    """

    def __init__(
        self, contact: Contact, pipeline: Pipeline, seen: Snapshot, versions: tuple[Version, ...]
    ) -> None:
        self.contact = contact
        self.pipeline = pipeline
        self.seen = seen
        self.keys = keys(contact, pipeline, versions, seen.reached.get("created", ""))
        self.own = {
            self.created(step): step for step in pipeline.steps if isinstance(step, CreateStep)
        }
        self.answers = self._known_answers() | relatives(contact, pipeline, seen, versions)
        self._names: dict[str, Names] = {}

    def created(self, step: CreateStep) -> str:
        """The ledger's name of the record that a step creates."""
        return f"{step.table.set}({self.keys.of[step.name]})"

    def names(self, on: str) -> Names:
        """What a step sees that waits for this milestone."""
        known = self._names.get(on)
        if known is None:
            files = object_names(self.seen.objects, on)
            known = self._names[on] = Names(self.seen.values | files | self.answers)
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
        return self._key(step, self.names(step.on))

    def _key(self, step: RecordStep, names: Names) -> Any:
        if isinstance(step, CreateStep):
            return self.keys.of[step.name]
        key: Any = step.key.render(names)
        return key if key is HELD else key.removeprefix("(").removesuffix(")")

    def _known_answers(self) -> dict[str, dict[str, Any]]:
        """What is known of each step's answer; keys we choose are known beforehand."""
        answers: dict[str, dict[str, Any]] = {}
        for step in self.pipeline.steps:
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
        key = self._key(step, Names(self.seen.values | answers))
        if key is HELD:
            return None
        record = self.contact.ledger.get(f"{step.table.set}({key})")
        return {**(record.answer if record else {}), step.table.key: key}
