"""Whoever judges the fleet notices what must not be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.producer import Put
from fleet.watch import Place, Watch
from worker.leases.lease import Lease
from worker.leases.position import END, TRIM_HORIZON, Position
from worker.sandbox.traffic import EVENTS, SentMessage


PARENT = Lease("parent", Position("5"), owner="one")
CHILD = Lease("child", Position(TRIM_HORIZON), parents=frozenset({"parent"}))
PLACE = Place("stream", "parent")


@pytest.fixture
def watch() -> Watch:
    """Has seen the parent's lease at second 1."""
    watch = Watch({})
    watch.see("stream", [PARENT], 1.0)
    return watch


def put(sequence: int) -> Put:
    return Put(SentMessage(0, EVENTS, "", b""), 0.0, "stream", "parent", sequence)


def test_a_lease_that_goes_on_is_not_wrong(watch: Watch) -> None:
    watch.see("stream", [replace(PARENT, checkpoint=Position("10"))], 2.0)
    watch.see("stream", [replace(PARENT, checkpoint=END), CHILD], 3.0)
    watch.see("stream", [replace(CHILD, checkpoint=Position("20"))], 4.0)
    assert watch.wrong == []


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([[replace(PARENT, checkpoint=Position("4"))]], "moved back"),
        ([[replace(PARENT, checkpoint=END)], [PARENT]], "moved back"),
        ([[], [PARENT]], "came back"),
        ([[PARENT, replace(CHILD, checkpoint=Position("20"))]], "before its parents"),
    ],
)
def test_what_must_never_be_is_noticed(watch: Watch, looks: list[list[Lease]], told: str) -> None:
    for leases in looks:
        watch.see("stream", leases, 2.0)
    (wrong,) = watch.wrong
    assert told in wrong


def test_a_shard_is_read_again_once_another_gets_on_not_when_it_takes_it(watch: Watch) -> None:
    taken = replace(PARENT, owner="two")
    watch.see("stream", [taken], 2.0)
    assert watch.read_again(PLACE, "one") is None
    watch.see("stream", [replace(taken, checkpoint=Position("6"))], 3.0)
    assert watch.read_again(PLACE, "one") == 3.0


def test_a_record_is_read_when_the_checkpoint_is_at_it_or_the_shard_is_over(watch: Watch) -> None:
    assert watch.has_read([put(5)])
    assert not watch.has_read([put(5), put(6)])
    watch.see("stream", [replace(PARENT, checkpoint=END)], 2.0)
    assert watch.has_read([put(6)])
    watch.see("stream", [], 3.0)
    assert watch.has_read([put(6)])


def test_how_many_unfinished_leases_each_has(watch: Watch) -> None:
    watch.see("stream", [PARENT, CHILD, replace(PARENT, key="ended", checkpoint=END)], 2.0)
    assert watch.spread("stream") == {"one": 1, None: 1}
    assert list(watch.held("one")) == [PLACE]
