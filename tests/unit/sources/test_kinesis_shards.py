"""Which shards may be read, and what positions mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.errors import ConfigError
from worker.sources.positions import begin_at, begin_at_start, fixed_start, sequence_of
from worker.sources.shards import Shard, from_listing, readable


FAMILY = [Shard("old"), Shard("left", ("old",)), Shard("right", ("old",))]
MERGED = [*FAMILY, Shard("merged", ("left", "right"))]


def names(shards: list[Shard]) -> list[str]:
    return [shard.id for shard in shards]


def test_only_the_oldest_of_a_family_may_be_read_at_first() -> None:
    assert names(readable(MERGED, set())) == ["old"]


def test_both_halves_of_a_split_may_be_read_after_their_parent() -> None:
    assert names(readable(MERGED, {"old"})) == ["left", "right"]


def test_a_merged_shard_waits_for_its_adjacent_parent_too() -> None:
    assert names(readable(MERGED, {"old", "left"})) == ["right"]
    assert names(readable(MERGED, {"old", "left", "right"})) == ["merged"]


def test_a_grandchild_waits_for_its_grandparent_although_its_parents_are_finished() -> None:
    assert names(readable(MERGED, {"left", "right"})) == ["old"]


def test_a_parent_that_is_not_listed_any_more_counts_as_finished() -> None:
    assert names(readable([Shard("left", ("old",))], set())) == ["left"]


def test_a_listing_names_one_parent_two_or_none() -> None:
    assert from_listing({"ShardId": "a"}) == Shard("a")
    assert from_listing({"ShardId": "b", "ParentShardId": "a"}) == Shard("b", ("a",))
    merged = {"ShardId": "c", "ParentShardId": "a", "AdjacentParentShardId": "b"}
    assert from_listing(merged) == Shard("c", ("a", "b"))


def test_now_becomes_the_time_it_is() -> None:
    assert fixed_start("now", 1_790_000_000.0625) == "2026-09-21T14:13:20.062+00:00"


def test_a_time_without_offset_is_utc() -> None:
    begin = begin_at_start("2026-01-02T03:04:05")
    assert begin["Timestamp"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_time_with_an_offset_is_handed_on_in_utc() -> None:
    begin = begin_at_start("2026-01-02T03:04:05+02:00")
    assert begin["Timestamp"].timetuple()[3:6] == (1, 4, 5)


def test_the_earliest_start_is_the_trim_horizon() -> None:
    assert begin_at_start(fixed_start("earliest", 0)) == {"ShardIteratorType": "TRIM_HORIZON"}


def test_a_start_that_is_no_time_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="start is neither"):
        fixed_start("yesterday", 0)


def test_a_sequence_number_keeps_all_its_digits() -> None:
    digits = "49590338271490256608559692538361571095921575989136588898"
    assert begin_at(sequence_of(digits))["StartingSequenceNumber"] == digits


def test_a_checkpoint_that_is_no_sequence_number_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="no sequence number"):
        sequence_of("LATEST")
