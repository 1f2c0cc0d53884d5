"""Contact records in several versions each, and whether an older one ever came over a newer one.

Contacts' pipelines get a step that notes in Dynamics which version of the contact record the row
shows: the record's own ``LastUpdateTimestamp``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Final

import orjson
import pytest

from worker.sandbox.dataverse.rows.records import Row, Rows
from worker.sandbox.dataverse.schema.columns import Table
from worker.sandbox.demo.scenario import Scenario, tell
from worker.sandbox.oracle.verdict import MADE_BY, OF_CHANNELS, Expected, expected
from worker.sandbox.traffic import RECORDS, Leg, SentMessage


#: Holds the version; a text that no shipped pipeline writes.
COLUMN: Final = "activityadditionalparams"

#: How many versions of each contact record are put, in any order within so long (s).
VERSIONS: Final = 3
WITHIN_S: Final = 8.0

_UPDATED: Final = "LastUpdateTimestamp"

_STEP: Final = """
[[step]]
name   = "VERSION"
on     = "record"
method = "PATCH"
entity = "{entity_set}"
query  = "({{{{{step}-Response.activityid}}}})"
body   = '''{{"{column}": "{{{{{updated}}}}}"}}'''
"""


def add_step(folder: Path) -> None:
    """Let the pipelines in this folder note the version."""
    for entity_set, pipeline, step in MADE_BY.values():
        with (folder / f"{pipeline}.toml").open("a", encoding="utf-8") as file:
            file.write(
                _STEP.format(entity_set=entity_set, step=step, column=COLUMN, updated=_UPDATED)
            )


def tell_in_versions(contacts: int, seed: int, now: datetime) -> Scenario:
    """As ``tell`` has it, but with ``VERSIONS`` of each contact record, a second apart."""
    scenario, rng = tell(contacts, seed, now), Random(seed)
    sent = [version for message in scenario.sent for version in _versions(message, rng)]
    return replace(scenario, sent=sorted(sent, key=attrgetter("at_s")))


def _versions(message: SentMessage, rng: Random) -> Iterator[SentMessage]:
    if message.stream != RECORDS or not message.contact_id:
        yield message
        return
    record = orjson.loads(message.body)
    written = datetime.fromisoformat(record[_UPDATED])
    for number in range(VERSIONS):
        at = (written + timedelta(seconds=number)).astimezone(UTC)
        record[_UPDATED] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        at_s = message.at_s + rng.random() * WITHIN_S
        yield message._replace(at_s=at_s, body=orjson.dumps(record))


def expected_with_version(legs: Sequence[Leg], sent: Iterable[SentMessage]) -> list[Expected]:
    """The records that contacts should have, with the newest version of all messages."""
    newest: defaultdict[str, str] = defaultdict(str)
    for message in sent:
        if message.stream == RECORDS and message.contact_id:
            version = orjson.loads(message.body)[_UPDATED]
            newest[message.contact_id] = max(version, newest[message.contact_id])
    return [_shown(one, newest[leg.id]) for leg in legs for one in expected([leg])]


def _shown(one: Expected, version: str) -> Expected:
    """With what is put into it; a note has its file's text, or its address if S3 was troubled."""
    if one.pipeline in OF_CHANNELS:
        return replace(one, columns={**one.columns, COLUMN: version})
    return replace(one, columns={n: v for n, v in one.columns.items() if n != "notetext"})


@dataclass(slots=True)
class Journal:
    """What the sandbox wrote, row by row.

    Attributes:
        writes: How many rows were written.
        creates: How often each row was made, by entity set and key.
        stale: Where an older contact record came over a newer one, one line each.
    """

    writes: int = 0
    creates: Counter[tuple[str, str]] = field(default_factory=Counter)
    stale: list[str] = field(default_factory=list)

    def note(self, entity_set: str, before: Row | None, after: Row) -> None:
        """A row was written."""
        self.writes += 1
        if before is None:
            self.creates[entity_set, after.id] += 1
            return
        old, new = (str(row.columns.get(COLUMN) or "") for row in (before, after))
        if new < old:
            self.stale.append(f"{entity_set}({after.id}): {new or 'none'} over {old}")


@contextmanager
def journal(records: Rows) -> Iterator[Journal]:
    """What is written to these, for as long as the block lasts."""
    kept, put = Journal(), records.put

    def noted(table: Table, record: Row) -> None:
        before = records.get(table, record.id)
        put(table, record)
        kept.note(table.entity_set, before, record)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "put", noted)
        yield kept
