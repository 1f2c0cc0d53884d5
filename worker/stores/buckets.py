"""Buckets: fixed parts of all contacts, by their ids, so that each part's due list stands alone.

Several application users share the contacts bucket by bucket (``worker.dynamics.spread``), and one
user's list is read without another's backlog. The same rule in every release and every store: it is
written in SQL too (``worker.stores.sqlite_buckets``), so it uses nothing that SQL has not.
"""

from __future__ import annotations

from typing import Final


#: How many there are. Twelve fall evenly to 1, 2, 3, 4, 6 or 12 users, also if one of four is gone.
#: May be raised, never lowered: contacts in a bucket that is no longer read would be forgotten.
BUCKETS: Final = 12

ALL: Final = frozenset(range(BUCKETS))

#: Of the last characters, last one first: units modulo 12, so hexadecimal ids fall evenly.
WEIGHTS: Final = (1, 5, 7, 11)


def bucket_of(contact_id: str) -> int:
    """The bucket of a contact."""
    last = reversed(f"0000{contact_id}"[-len(WEIGHTS) :])
    return sum(weight * ord(one) for weight, one in zip(WEIGHTS, last, strict=True)) % BUCKETS
