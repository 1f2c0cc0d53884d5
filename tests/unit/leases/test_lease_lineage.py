"""Which leases a stream needs, which it needs no more, and how positions are ordered."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest

from worker.errors import ConfigError
from worker.leases.lease import Lease
from worker.leases.lineage import (
    LAST_HASH_KEY,
    complete,
    first_leases,
    missing_leases,
    obsolete_leases,
)
from worker.leases.position import AT_TIMESTAMP, END, LATEST, TRIM_HORIZON, Position
from worker.leases.stream import place_of
from worker.sources.positions import begin_at_horizon
from worker.sources.shards import Shard


HORIZON = Position(TRIM_HORIZON)
DONE = Position("7")

# A is split into B and C, which are merged into D; E stands beside them.
A = Shard("A", begins=1, open=False)
B = Shard("B", ("A",), begins=2, open=False)
C = Shard("C", ("A",), begins=3, open=False)
D = Shard("D", ("B", "C"), begins=4)
E = Shard("E", begins=1)
FAMILY = (A, B, C, D)


def leases(**checkpoints: Position) -> list[Lease]:
    parents = {shard.id: frozenset(shard.parents) for shard in FAMILY}
    children = {"A": {"B", "C"}, "B": {"D"}, "C": {"D"}}
    return [
        Lease(
            key,
            checkpoint,
            parents=parents.get(key, frozenset()),
            children=frozenset(children.get(key, ()) if checkpoint == END else ()),
        )
        for key, checkpoint in checkpoints.items()
    ]


def keys(found: Iterable[Lease]) -> list[str]:
    return [lease.key for lease in found]


def test_positions_are_ordered_as_kcl_orders_them_and_not_as_text() -> None:
    ordered = [
        Position(AT_TIMESTAMP),
        HORIZON,
        Position(LATEST),
        Position("9"),
        Position("9", 3),
        Position("10"),
        Position(str(10**55)),
        END,
    ]
    assert all(low < high and not high < low for low, high in pairwise(ordered))
    assert max(reversed(ordered)) == END
    assert not Position("SHARD_END", 0) > END


def test_a_new_streams_leases_come_parents_first() -> None:
    assert keys(first_leases([D, C, B, A], HORIZON)) == ["A", "B", "C", "D"]


def test_a_listing_is_complete_if_every_hash_key_has_a_shard() -> None:
    whole = Shard("x", hashes=(0, LAST_HASH_KEY))
    left, right = Shard("l", hashes=(0, 9)), Shard("r", hashes=(10, LAST_HASH_KEY))
    assert complete([whole])
    assert complete([right, left, whole])
    assert not complete([left])
    assert not complete([right])
    assert not complete([left, Shard("r", hashes=(11, LAST_HASH_KEY))])
    assert not complete([Shard("x", hashes=(1, LAST_HASH_KEY))])
    assert not complete([Shard("x", hashes=(0, LAST_HASH_KEY - 1))])
    assert not complete([])


def test_nothing_is_missing_while_an_ancestor_is_still_read() -> None:
    assert missing_leases(FAMILY, leases(A=DONE), HORIZON) == []
    assert missing_leases(FAMILY, leases(A=END, B=DONE, C=END), HORIZON) == []


def test_a_shard_without_leased_ancestors_begins_with_the_oldest_there_is() -> None:
    found = missing_leases([*FAMILY, E], leases(E=DONE), HORIZON)
    assert keys(found) == ["A"]
    assert keys(missing_leases([B, C, D, E], leases(E=DONE), HORIZON)) == ["B", "C"]
    assert keys(missing_leases([D, E], leases(E=DONE), HORIZON)) == ["D"]


def test_the_lease_of_an_open_shard_that_was_lost_comes_back_at_the_streams_start() -> None:
    [lease] = missing_leases([A, E], leases(A=END), Position(AT_TIMESTAMP))
    assert lease == Lease("E", Position(AT_TIMESTAMP))


def test_a_child_whose_parents_are_all_finished_is_missing() -> None:
    assert keys(missing_leases(FAMILY, leases(B=END, C=END), HORIZON)) == ["D"]


def test_the_other_parent_of_a_merged_shard_is_missing_if_it_has_no_lease() -> None:
    assert keys(missing_leases(FAMILY, leases(B=DONE), HORIZON)) == ["A"]
    assert keys(missing_leases([B, C, D], leases(B=END), HORIZON)) == ["C"]
    assert keys(missing_leases([B, C, D], leases(B=DONE), HORIZON)) == ["C"]


def test_a_finished_shards_lease_stays_until_all_its_children_were_begun() -> None:
    assert obsolete_leases(FAMILY, leases(A=END, B=DONE, C=HORIZON)) == []
    assert obsolete_leases(FAMILY, leases(A=END, B=DONE)) == []
    assert keys(obsolete_leases(FAMILY, leases(A=END, B=DONE, C=END))) == ["A"]


def test_of_a_family_the_eldest_go_first() -> None:
    assert keys(obsolete_leases(FAMILY, leases(A=END, B=END, C=END, D=DONE))) == ["A"]
    assert keys(obsolete_leases(FAMILY, leases(B=END, C=END, D=DONE))) == ["B", "C"]


def test_the_lease_of_a_shard_past_its_retention_has_had_its_day() -> None:
    assert keys(obsolete_leases([E], leases(A=DONE, E=DONE))) == ["A"]


def test_a_new_child_that_is_not_listed_yet_keeps_its_lease() -> None:
    assert obsolete_leases([A], leases(A=END, B=HORIZON)) == []


def test_an_empty_listing_condemns_nothing() -> None:
    assert obsolete_leases([], leases(A=DONE)) == []


def test_where_a_reader_goes_on_follows_from_the_checkpoint() -> None:
    start, now = "2026-01-02T03:04:05Z", 1_790_000_000.0
    done = place_of(Position("17"), start, now)
    assert (done.done, done.partly) == (17, False)
    partly = place_of(Position("17", 2), start, now)
    assert (partly.done, partly.partly) == (17, True)
    assert place_of(HORIZON, start, now).begin == begin_at_horizon()
    at = place_of(Position(AT_TIMESTAMP), start, now).begin["Timestamp"]
    assert at.isoformat() == "2026-01-02T03:04:05+00:00"
    latest = place_of(Position(LATEST), start, now).begin["Timestamp"]
    assert latest.timestamp() == now
    assert place_of(Position(AT_TIMESTAMP), "earliest", now).begin == begin_at_horizon()


def test_a_start_that_is_no_time_is_refused() -> None:
    with pytest.raises(ConfigError):
        place_of(HORIZON, "yesterday", 0.0)
