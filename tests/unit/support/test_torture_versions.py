"""A row tells which version of the contact record it shows; an older one after it is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from pipelines.loader import load
from torture.versions import (
    COLUMN,
    VERSIONS,
    Journal,
    add_step,
    expected_with_version,
    journal,
    tell_in_versions,
)
from worker.definitions import SHIPPED
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.schema.tables import TABLES
from worker.sandbox.dataverse.users import CLIENT_ID, application_user
from worker.sandbox.oracle.verdict import OF_CHANNELS
from worker.sandbox.traffic import RECORDS


KEY = "11111111-1111-4111-8111-111111111111"
OLD, NEW = "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"
SCENARIO = tell_in_versions(8, 1, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def dataverse() -> Iterator[Dataverse]:
    dataverse = create_dataverse()
    yield dataverse
    dataverse.close()


def written(dataverse: Dataverse, *versions: str | None) -> Journal:
    """What is kept of a row that shows these versions in turn."""
    table, user = TABLES["tasks"], application_user(CLIENT_ID)
    writer = dataverse.organisation.writer
    with journal(dataverse.records) as kept:
        for version in versions:
            with dataverse.records.transaction():
                body = {"subject": "task", COLUMN: version}
                writer.upsert(table, KEY, body, user)
    return kept


def test_a_row_that_gets_newer_versions_or_the_same_again_is_right(dataverse: Dataverse) -> None:
    kept = written(dataverse, None, OLD, OLD, NEW)
    assert (kept.writes, kept.stale) == (4, [])
    assert kept.creates == {("tasks", KEY): 1}


@pytest.mark.parametrize("later", [OLD, None])
def test_an_older_version_or_none_over_a_newer_one_is_noticed(
    dataverse: Dataverse, later: str | None
) -> None:
    kept = written(dataverse, NEW, later, NEW)
    (stale,) = kept.stale
    assert stale == f"tasks({KEY}): {later or 'none'} over {NEW}"


def test_every_pipeline_notes_the_version(tmp_path: Path) -> None:
    for name in OF_CHANNELS:
        (tmp_path / f"{name}.toml").write_bytes((SHIPPED / f"{name}.toml").read_bytes())
    add_step(tmp_path)
    for name in OF_CHANNELS:
        steps = load((tmp_path / f"{name}.toml").read_text(encoding="utf-8")).steps
        assert steps[-1].name == "VERSION"


def test_each_contact_record_comes_in_versions_and_the_newest_is_expected() -> None:
    told: dict[str, set[str]] = {}
    for message in SCENARIO.sent:
        if message.stream == RECORDS and message.contact_id:
            version = orjson.loads(message.body)["LastUpdateTimestamp"]
            told.setdefault(message.contact_id, set()).add(version)
    assert all(len(versions) % VERSIONS == 0 for versions in told.values())
    wanted = expected_with_version(SCENARIO.legs, SCENARIO.sent)
    assert wanted
    newest = {max(versions) for versions in told.values()}
    shown = [one for one in wanted if one.pipeline in OF_CHANNELS]
    assert {one.columns[COLUMN] for one in shown} <= newest
    assert len(shown) < len(wanted)
