"""Spread: which application user pushes which contacts.

Contacts fall into a fixed number of buckets by their ids (``worker.stores.buckets``), and each
bucket belongs to one user by rendezvous hashing: the user for whom a hash of both is the highest,
as long as that user has no more than its part. So every worker finds the same without asking, and
the parts are as even as they can be.

The buckets of a user that cannot send are handed over to the others, evenly; all other buckets stay
where they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b

from worker.stores.buckets import BUCKETS


def spread(
    users: Collection[str], able: Collection[str] | None = None
) -> dict[str, frozenset[int]]:
    """The buckets of each user.

    Args:
        users: The client ids of all, at least one and no more than there are buckets.
        able: Those of them that can send; None: all. If none can, each keeps its own.
    """
    homes = _assigned(users, {}, range(BUCKETS))
    able = users if able is None else [user for user in users if user in able]
    if able and len(able) < len(users):
        kept = {user: homes[user] for user in able}
        left = [bucket for user in users if user not in kept for bucket in sorted(homes[user])]
        homes = dict.fromkeys(users, frozenset()) | _assigned(able, kept, sorted(left))
    return homes


def _assigned(
    users: Collection[str], kept: dict[str, frozenset[int]], buckets: Sequence[int]
) -> dict[str, frozenset[int]]:
    """What each of these users has once these buckets are given out too.

    All users get the same number, or some of them one more than the others.
    """
    given = {user: set(kept.get(user, ())) for user in users}
    least, left_over = divmod(BUCKETS, len(given))
    for bucket in buckets:
        more = sum(len(has) > least for has in given.values())
        most = least if more >= left_over else least + 1
        free = [user for user, has in given.items() if len(has) < most]
        given[max(free, key=lambda user: _weight(user, bucket))].add(bucket)
    return {user: frozenset(has) for user, has in given.items()}


def _weight(user: str, bucket: int) -> bytes:
    return blake2b(f"{user.lower()}/{bucket}".encode(), digest_size=8).digest()
