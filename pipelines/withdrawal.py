"""Withdrawal: what a redaction or a deleted file takes out of Dynamics again.

Columns that held it are sent empty, whatever the ledger knows and whoever edited them: the state in
which they were written may be lost. Afterwards the ledger has them, and nothing more is sent.
"""

from __future__ import annotations

from typing import Any

from pipelines.condition import paths
from pipelines.difference import Desired
from pipelines.patience import Patience
from pipelines.redaction import covers
from pipelines.scope import Scope
from pipelines.step import RESPONSE, CreateStep, ReadFileStep, RecordStep
from pipelines.template import resolve, templates
from pipelines.value import ABSENT


def held_gone(scope: Scope, step: RecordStep, compiled: Any) -> bool:
    """Whether a column with this content may have held what was redacted or deleted since."""
    seen = scope.seen
    if not (seen.redacted or seen.withdrawn):
        return False
    used = [*templates(compiled)]
    if used and step.on in seen.withdrawn:
        return True
    if not (used and seen.redacted):
        return False
    names = scope.names(step.on)
    read = {(one.name + RESPONSE).lower() for one in _void(scope)}
    return any(
        path[0].lower() in read or covers(seen.redacted, path, empty=resolve(names, path) is ABSENT)
        for template in used
        for path, _ in template.names
    )


def forgotten(scope: Scope) -> list[str]:
    """The steps whose file's text the contact still has and must not keep."""
    return [step.path for step in _void(scope) if step.path in scope.contact.lookups]


def withdraw(scope: Scope, patience: Patience, records: dict[str, Desired]) -> None:
    """Empty what steps wrote, perhaps before all state was lost, that do not apply now.

    Args:
        scope: The pipeline and the contact.
        patience: How long is waited.
        records: The records as they should be, which this adds to.
    """
    for step in scope.pipeline.steps:
        if isinstance(step, RecordStep) and not _might_apply(scope, patience, step):
            _empty(scope, step, records)


def _void(scope: Scope) -> list[ReadFileStep]:
    """The steps that read a file whose text is gone."""
    steps = scope.pipeline.steps
    return [step for step in steps if isinstance(step, ReadFileStep) and scope.is_void(step)]


def _might_apply(scope: Scope, patience: Patience, step: RecordStep) -> bool:
    """Whether it applies, or does not for a reason that no redaction or deletion made."""
    if patience.fits(step.when, scope.names(step.on), step.within_s):
        return step.on in scope.seen.reached
    return not any(covers(scope.seen.redacted, path, empty=False) for path in paths(step.when))


def _empty(scope: Scope, step: RecordStep, records: dict[str, Desired]) -> None:
    """Have no value in the columns of one of our records that held what is gone."""
    name = f"{step.table.set}({scope.key(step)})"
    own = scope.own.get(name)
    columns = [c for c, data in step.body.items() if held_gone(scope, step, data)]
    if own is None or not columns:
        return
    if name not in records:
        known = scope.contact.ledger.get(name)
        if not isinstance(step, CreateStep) or (known is not None and known.state == "absent"):
            return
        records[name] = Desired(step.table.set, scope.keys.of[own.name], own, probing=True)
        records[name].steps.append(step)
    for column in columns:
        records[name].empty(column)
    records[name].forced.update(columns)
