"""What the loaded pipelines do to which tables, in the words of roles: create, read and so on.

A link needs *append* on the row that has it and *append to* on the row that it leads to; an owner
needs *assign* (power-platform ``admin/security-roles-privileges``). Pure: metadata comes as
``Tables``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from pipelines.entity import OWNER, STATE
from pipelines.pipeline import Pipeline
from pipelines.step import CreateStep, LookupStep, RecordStep, TableStep, tables_of
from worker.commands.link_check import Tables, linked


Access = Literal["create", "read", "write", "append", "append to", "assign"]
ACCESSES: Final[tuple[Access, ...]] = get_args(Access)

NOTES: Final = "annotations"

#: What a party's links are called, before the table that they lead to.
_PARTY: Final = "partyid_"


class Need(NamedTuple):
    """The right to do something to rows of a table.

    Attributes:
        table: The entity set.
        access: What is done.
    """

    table: str
    access: Access


@dataclass(slots=True)
class Use:
    """Who needs it.

    Attributes:
        steps: ``PIPELINE step NAME`` of each.
        fallback: Only what a closed record does not accept needs it, to be kept as a note.
        others: Rows are meant that others own, so how deep the privilege reaches matters.
    """

    steps: list[str] = field(default_factory=list)
    fallback: bool = True
    others: bool = False


def needs(pipelines: Iterable[Pipeline], tables: Tables) -> dict[Need, Use]:
    """What an application user must be allowed for these pipelines."""
    found: dict[Need, Use] = {}
    for pipeline in pipelines:
        for step in pipeline.steps:
            if isinstance(step, TableStep):
                for need, fallback, others in _of_step(step, tables):
                    use = found.setdefault(need, Use())
                    use.steps.append(f"{pipeline.source}: step {step.name}")
                    use.fallback &= fallback
                    use.others |= others
    return found


def _of_step(step: TableStep, tables: Tables) -> Iterator[tuple[Need, bool, bool]]:
    """What a step needs; whether for a fallback alone, and whether of rows that others own."""
    if isinstance(step, LookupStep):
        for table in tables_of(step):
            yield Need(table.set, "read"), False, True
        return
    for access, others in _of_record(step):
        yield Need(step.table.set, access), False, others
    for target in _targets(step, tables):
        yield Need(target, "append to"), False, True
    if step.body.keys() & {*STATE}:
        yield Need(NOTES, "create"), True, False
        yield Need(NOTES, "append"), True, False
        yield Need(step.table.set, "append to"), True, False


def _of_record(step: RecordStep) -> Iterator[tuple[Access, bool]]:
    owned = OWNER in step.body  # from then on it is somebody else's
    others = owned or not isinstance(step, CreateStep)
    if isinstance(step, CreateStep) or step.on_missing == "recreate":
        yield "create", False
    yield "read", others
    yield "write", others
    if any(nav.lower() != "ownerid" for nav, _ in linked(step.body)):
        yield "append", others
    if owned:
        yield "assign", others


def _targets(step: RecordStep, tables: Tables) -> Iterator[str]:
    """The entity sets to whose rows a step's record, or a party of it, is linked."""
    definition = tables.definitions.get(step.table.set)
    for nav, named in linked(step.body):
        if nav.lower() == "ownerid":
            continue
        logical = nav.removeprefix(_PARTY) if nav.startswith(_PARTY) else ""
        if not named and definition and not logical:
            logical = definition.links.get(nav, ("", ""))[1]
        if target := named or tables.set_of(logical):
            yield target
