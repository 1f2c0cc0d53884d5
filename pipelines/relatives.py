"""Relatives: which records a pipeline makes for the other contacts that a contact names.

The ids of records are derived, so one contact's record can name another's. It does so only where
that one will be made, as far as can be known: a link to a record that never is would be refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipelines.changes import Version, keys
from pipelines.condition import admits, names_in
from pipelines.contact import Contact
from pipelines.conversation import skipped
from pipelines.kin import kin
from pipelines.legs import RELATIVES
from pipelines.pipeline import Pipeline
from pipelines.snapshot import Snapshot, snapshot
from pipelines.step import RESPONSE, CreateStep
from pipelines.verdict import nothing_yet


_RELATIVES: Final = frozenset(map(str.lower, RELATIVES))
_ANSWER: Final = RESPONSE.lower()


def relatives(
    contact: Contact, pipeline: Pipeline, seen: Snapshot, versions: tuple[Version, ...]
) -> dict[str, dict[str, Any]]:
    """``Previous`` and its like with the answers of the creating steps, as far as it reads them."""
    if not any(map(_is_of_a_record, pipeline.reads)):
        return {}
    others = kin(contact)
    found = {}
    for name in RELATIVES & seen.values.keys():
        shown: Mapping[str, Any] = seen.values[name]
        if other := others.get(shown["ContactId"]):
            found[name] = {**shown, **dict(_records(other, pipeline, versions))}
    return found


def _is_of_a_record(path: tuple[str, ...]) -> bool:
    """Whether a path, in lower case, leads to the record of another contact."""
    return path[0] in _RELATIVES and len(path) > 1 and path[1].endswith(_ANSWER)


def _records(
    other: Contact, pipeline: Pipeline, versions: tuple[Version, ...]
) -> Iterator[tuple[str, dict[str, str]]]:
    """The answers of steps that make a record for a contact of which this is known."""
    known = snapshot(other, {})
    settled = other.record is not None
    if not admits(pipeline.when, known.values) or nothing_yet(
        known.values, known.reached, settled=settled
    ):
        return
    derived = keys(other, pipeline, versions, known.reached.get("created", ""))
    for step in pipeline.steps:
        if (
            isinstance(step, CreateStep)
            and step.name not in derived.barred
            and step.on in known.reached
            and admits(step.when, known.values)
            and not skipped(known.values, *map(names_in, (pipeline.when, step.when)))
        ):
            yield step.name + RESPONSE, {step.table.key: derived.of[step.name]}
