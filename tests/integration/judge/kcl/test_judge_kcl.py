"""The real Kinesis Client Library judges our leases: one table, one stream, both at once."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from tests.integration.judge.kcl.daemon import Handled
from tests.integration.judge.kcl.story import (
    AGAIN,
    FIRST,
    LAST,
    OURS,
    Items,
    Story,
    owner,
    unfinished,
)
from worker.leases.items import Item, lease_from
from worker.leases.position import TRIM_HORIZON, Position


pytestmark = [pytest.mark.judge, pytest.mark.alone, pytest.mark.services, pytest.mark.timeout(480)]

#: What every lease has, for a KCL 2 too, whatever became of it.
ALWAYS = {
    "leaseKey": "S",
    "leaseCounter": "N",
    "checkpoint": "S",
    "checkpointSubSequenceNumber": "N",
    "ownerSwitchesSinceCheckpoint": "N",
    "startingHashKey": "S",
    "endingHashKey": "S",
}
#: What it may have besides.
SOMETIMES = {"leaseOwner": "S", "parentShardId": "SS", "childShardIds": "SS"}

#: KCL 3.1 does not say yet what kind of item it is; ours do, as KCL does from 3.5 on.
ONLY_OURS = {"entityType": "S"}
#: KCL 3 balances by it, once it has measured it.
ONLY_THEIRS = {"throughputKBps": "N"}


def types(item: Item, *, but: Collection[str] = ()) -> dict[str, str]:
    """The item's attributes, each with its type."""
    return {name: next(iter(value)) for name, value in item.items() if name not in but}


def done(item: Item) -> int:
    """The sequence number up to which the item's shard is done."""
    return int(item["checkpoint"]["S"])


def held(items: Items, worker: str) -> dict[str, Item]:
    """A worker's unfinished leases, by shard."""
    return {item["leaseKey"]["S"]: item for item in unfinished(items) if owner(item) == worker}


def of_shard(story: Story, shard: str, *workers: str, since: float = 0) -> list[Handled]:
    """A shard's records that these workers handled since then, in their order for each worker."""
    handled = [record for worker in workers for record in story.handled[worker]]
    return [record for record in handled if record.shard == shard and record.time > since]


def test_new_leases_are_as_the_kcl_makes_them_in_all_but_counters_and_owners(story: Story) -> None:
    theirs, ours = story.kcl_alone, story.ours_alone
    assert theirs.keys() == ours.keys()
    for shard, item in ours.items():
        assert types(item) == ALWAYS | ONLY_OURS | {"leaseOwner": "S"}
        assert types(theirs[shard], but=ONLY_THEIRS) == types(item, but=ONLY_OURS)
        for name in types(item, but={*ONLY_OURS, "leaseCounter", "leaseOwner"}):
            assert item[name] == theirs[shard][name]


def test_each_takes_its_part_of_four_shards(
    story: Story, record_property: Callable[[str, object], None]
) -> None:
    assert len(held(story.shared, FIRST)) == len(held(story.shared, OURS)) == 2
    for what, seconds in story.took_s.items():
        record_property(f"seconds until {what}", f"{seconds:.1f}")


def test_every_record_is_handled_by_somebody(story: Story) -> None:
    bodies = {record.body for handled in story.handled.values() for record in handled}
    assert bodies == {str(number) for number in range(story.written)}


def test_each_ends_a_split_shard_as_the_other_does(story: Story) -> None:
    assert sorted(story.enders.values()) == sorted([FIRST, OURS])
    for shard in story.enders:
        ended = types(story.ended[shard], but=ONLY_THEIRS)
        assert ended == ALWAYS | {"leaseOwner": "S", "childShardIds": "SS"}
        children = story.ended[shard]["childShardIds"]["SS"]
        assert len(children) == 2
        for child in children:
            item = story.ended[child]
            assert types(item, but={*ONLY_OURS, "leaseOwner"}) == ALWAYS | {"parentShardId": "SS"}
            assert item["parentShardId"] == {"SS": [shard]}


def test_children_are_read_after_their_parents_whoever_reads_them(story: Story) -> None:
    for shard in story.enders:
        ended = max(record.time for record in of_shard(story, shard, FIRST, OURS))
        for child in story.ended[shard]["childShardIds"]["SS"]:
            records = of_shard(story, child, FIRST, OURS, LAST)
            assert ended < min(record.time for record in records)


def test_a_killed_kcls_shards_come_to_us_and_we_resume_at_its_checkpoints(story: Story) -> None:
    left = held(story.kcl_killed, FIRST)
    assert left
    for shard, item in left.items():
        records = of_shard(story, shard, OURS, since=story.kcl_killed_at)
        assert all(record.at > done(item) for record in records)
        assert done(item) in {record.at for record in of_shard(story, shard, FIRST, OURS)}
    assert all(owner(item) != FIRST for item in unfinished(story.ours_killed))


def test_our_shards_come_to_a_kcl_when_we_are_killed_and_it_resumes_at_our_checkpoints(
    story: Story,
) -> None:
    left = held(story.ours_killed, OURS)
    assert left
    for shard, item in left.items():
        begun = int(story.resumed[shard])
        # What we had sent when we died may still have been written.
        assert done(item) <= begun <= max(record.at for record in of_shard(story, shard, OURS))
        records = of_shard(story, shard, LAST, since=story.ours_killed_at)
        assert all(record.at > begun for record in records)
    assert left.keys() <= held(story.taken, LAST).keys()


def test_a_worker_of_ours_goes_on_from_there_and_lets_go_of_all(story: Story) -> None:
    shards = {record.shard for record in story.handled[AGAIN]}
    for shard in shards:
        before = {record.at for record in of_shard(story, shard, FIRST, OURS)}
        assert all(record.at not in before for record in of_shard(story, shard, AGAIN))
    assert held(story.released, "").keys() == held(story.taken, LAST).keys()
    assert all(owner(item) == "" for item in unfinished(story.released))


def test_in_the_end_every_lease_is_well_formed_for_both(story: Story) -> None:
    for item in (*story.taken.values(), *story.released.values()):
        assert types(item).items() >= ALWAYS.items()
        assert types(item).items() <= (ALWAYS | SOMETIMES | ONLY_OURS | ONLY_THEIRS).items()
        assert lease_from(item).checkpoint > Position(TRIM_HORIZON)
