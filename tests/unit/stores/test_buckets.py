"""Buckets: one rule for every store, in Python and in SQL, that spreads contacts evenly."""

from __future__ import annotations

import sqlite3

from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contact import Contact
from worker.stores.buckets import ALL, bucket_of
from worker.stores.protocol import Entry
from worker.stores.sqlite import SqliteStore
from worker.stores.sqlite_buckets import BUCKET, DUE_IN, NEXT_DUE_IN


def test_contacts_fall_evenly_to_the_buckets() -> None:
    random = Random(1)
    found = Counter(bucket_of(str(UUID(bytes=random.randbytes(16)))) for _ in range(120_000))
    assert found.keys() == ALL
    assert max(found.values()) < 1.05 * min(found.values())


def test_a_contact_s_bucket_never_changes() -> None:
    known = {
        "": 0,
        "a": 1,
        "5f1c4f7e-0d6b-4d5c-9a44-0c1f5d0c8a11": 5,
        "5f1c4f7e-0d6b-4d5c-9a44-0c1f5d0c8a12": 6,
    }
    assert {key: bucket_of(key) for key in known} == known


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_sql_puts_each_contact_into_the_bucket_that_python_does(contact_id: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        query = f"SELECT {BUCKET} FROM (SELECT ? AS id)"
        assert connection.execute(query, (contact_id,)).fetchone() == (bucket_of(contact_id),)


async def test_a_bucket_s_due_list_is_read_from_an_index_in_order_whatever_else_is_due(
    tmp_path: Path,
) -> None:
    store = SqliteStore(tmp_path / "s.sqlite")
    try:
        await store.due(1.0, 1, {0})
    finally:
        await store.close()
    asked = {"bucket": 0, "rank": 0, "now": 1.0, "limit": 1}
    with closing(sqlite3.connect(tmp_path / "s.sqlite")) as connection:
        for query in (DUE_IN, NEXT_DUE_IN):
            [(*_, plan)] = connection.execute(f"EXPLAIN QUERY PLAN {query}", asked).fetchall()
            assert "USING INDEX contact_ready_in" in plan, "and nothing is sorted"


async def test_the_index_of_buckets_is_made_only_when_some_of_them_are_asked_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.sqlite"
    store = SqliteStore(path)
    try:
        await store.save([Entry(Contact("a"), due_at=1.0)])
        assert await store.due(1.0, 9, ALL) == ["a"]
        assert not _has_index(path)
        assert await store.due(1.0, 9, {bucket_of("a")}) == ["a"]
        assert _has_index(path)
    finally:
        await store.close()


def _has_index(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'contact_ready_in%'"
        return bool(connection.execute(query).fetchone()[0])
