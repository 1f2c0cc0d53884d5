"""What is due in some buckets of an SQLite file.

The index for that is made when it is first needed: a file with one application user never pays for
it. It is an expression of the id alone, not a column, so that the file keeps its form and older
releases keep the index up to date. Each bucket and rank is asked for itself: only then does the
index yield the order, however much is due.
"""

from __future__ import annotations

import sqlite3

from collections.abc import Collection
from typing import Final

from worker.stores.buckets import BUCKETS, WEIGHTS


#: ``worker.stores.buckets.bucket_of`` in SQL; an id that SQL reads otherwise is in the first.
_SUM: Final = " + ".join(
    f"{weight} * unicode(substr('0000' || id, -{n}, 1))" for n, weight in enumerate(WEIGHTS, 1)
)
BUCKET: Final = f"ifnull(({_SUM}) % {BUCKETS}, 0)"

INDEX: Final = f"""
    CREATE INDEX IF NOT EXISTS contact_ready_in_{BUCKETS} ON contact ({BUCKET}, rank, ready_at, id)
    WHERE ready_at IS NOT NULL
"""
DUE_IN: Final = f"""
    SELECT ready_at, id FROM contact
    WHERE {BUCKET} = :bucket AND rank = :rank AND ready_at <= :now ORDER BY ready_at LIMIT :limit
"""  # noqa: S608 - a constant
NEXT_DUE_IN: Final = f"""
    SELECT min(ready_at) FROM contact
    WHERE {BUCKET} = :bucket AND rank = :rank AND ready_at IS NOT NULL
"""  # noqa: S608 - a constant

RANKS: Final = (0, 1)


def due_in(
    connection: sqlite3.Connection, buckets: Collection[int], now: float, limit: int
) -> list[str]:
    """The ids that are due in these buckets, by rank, those ready the longest first."""
    due: list[str] = []
    for rank in RANKS:
        found: list[tuple[float, str]] = []
        for bucket in buckets:
            asked = {"bucket": bucket, "rank": rank, "now": now, "limit": limit - len(due)}
            found += connection.execute(DUE_IN, asked)
        due += [contact_id for _, contact_id in sorted(found)[: limit - len(due)]]
    return due


def next_due_in(connection: sqlite3.Connection, buckets: Collection[int]) -> float | None:
    """The earliest time (s) at which a contact in these buckets will be due and unclaimed."""
    found: list[float | None] = []
    for bucket in buckets:
        for rank in RANKS:
            found += connection.execute(NEXT_DUE_IN, {"bucket": bucket, "rank": rank}).fetchone()
    return min((at for at in found if at is not None), default=None)
