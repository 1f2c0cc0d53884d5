"""Which leases a worker takes: its share of the free ones, or one of the busiest worker's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from worker.leases.choice import Choice, Situation, choose, next_lapse, readable_leases
from worker.leases.lease import Lease
from worker.leases.position import END, Position
from worker.leases.watch import Watch


FAILOVER_S = 10.0
DEAD = FAILOVER_S + 1
VERY_OLD = 3 * FAILOVER_S + 1


def situation(
    owners: Iterable[str | None], ages: Mapping[int, float] | None = None, held: str = "me"
) -> Situation:
    """Leases by owner; ``held`` is the owner that is really us."""
    leases = [Lease(f"s{n}", Position("1"), owner) for n, owner in enumerate(owners)]
    by_key = {f"s{n}": age for n, age in (ages or {}).items()}
    return Situation(
        leases=leases,
        ages={lease.key: by_key.get(lease.key, 0.0) for lease in leases},
        held={lease.key for lease in leases if lease.owner == held},
        worker="me",
        failover_s=FAILOVER_S,
        chance=lambda: 0.5,
    )


def taken(now: Situation) -> list[str]:
    return [lease.key for lease in choose(now).free]


def stolen(now: Situation) -> str | None:
    lease = choose(now).steal
    return lease.key if lease else None


def test_a_worker_alone_takes_all_that_is_free_in_one_round() -> None:
    assert taken(situation([None] * 5)) == ["s0", "s1", "s2", "s3", "s4"]


def test_a_worker_beside_others_takes_its_share_of_the_free_ones_rounded_up() -> None:
    assert len(taken(situation(["b", "b", None, None, None]))) == 3
    assert len(taken(situation(["b", "c", "me", None, None]))) == 1


def test_with_more_workers_than_leases_one_is_enough() -> None:
    assert choose(situation(["me", "b"])) == Choice()
    assert taken(situation(["b", "c", None])) == ["s2"]


def test_a_lease_is_free_when_its_owner_has_not_renewed_it_for_longer_than_the_failover_time() -> (
    None
):
    assert taken(situation(["b", "me"], {0: FAILOVER_S})) == []
    assert taken(situation(["b", "me"], {0: DEAD})) == ["s0"]


def test_a_dead_workers_leases_do_not_count_it_among_the_workers() -> None:
    assert len(taken(situation(["b", "b", "b", "me"], {0: DEAD, 1: DEAD, 2: DEAD}))) == 3


def test_very_old_leases_are_taken_beyond_the_share_and_nothing_else_in_that_round() -> None:
    now = situation(["me", "me", "b", "b", "c"], {3: DEAD, 4: VERY_OLD})
    assert taken(now) == ["s4"]


def test_of_the_busiest_worker_one_is_stolen_if_nothing_is_free() -> None:
    assert stolen(situation(["b", "b", "b", "c"])) == "s0"
    assert taken(situation(["b", "b", "b", "c"])) == []


def test_no_other_workers_lease_is_stolen_nor_one_that_is_being_handed_to_the_busiest() -> None:
    now = situation(["c", "b", "b", "b"])
    assert stolen(now) == "s1"
    leases = [replace(lease, checkpoint_owner="c") for lease in now.leases[:2]]
    assert stolen(replace(now, leases=[*leases, *now.leases[2:]])) == "s2"


def test_nothing_is_stolen_from_a_worker_with_its_share_for_the_last_one_missing() -> None:
    assert stolen(situation(["b", "b", "c", "me"])) is None


def test_a_worker_with_its_share_steals_nothing_however_much_another_has() -> None:
    assert stolen(situation(["me", "me", "b", "b", "b", "c"])) is None


def test_one_is_stolen_even_from_a_worker_with_just_its_share_for_one_that_lacks_two() -> None:
    assert stolen(situation(["b", "b", "c", "c"])) == "s0"


def test_nothing_is_stolen_while_something_is_free() -> None:
    assert stolen(situation(["b", "b", "b", "b", None])) is None


def test_a_lease_that_is_ours_by_the_table_but_not_held_is_free_at_once() -> None:
    assert taken(situation(["me", "me"], held="nobody")) == ["s0", "s1"]


def test_a_lease_that_is_held_is_never_taken_whatever_the_table_says() -> None:
    now = situation([None, "b"], {1: VERY_OLD}, held="b")
    assert taken(now) == ["s0"]


def test_a_lease_that_is_held_counts_as_ours_whatever_the_table_says() -> None:
    assert choose(situation(["b", "b", "c", None], held="b")) == Choice()


@pytest.mark.parametrize("next_owner", ["me", "c"])
def test_a_lease_in_a_hand_off_is_left_alone_until_its_old_owner_is_dead(next_owner: str) -> None:
    lease = Lease("s0", Position("1"), next_owner, checkpoint_owner="b")
    for age, expected in ((0.0, []), (DEAD, ["s0"])):
        now = Situation([lease], {"s0": age}, set(), "me", FAILOVER_S, lambda: 0.5)
        assert taken(now) == expected
        assert choose(now).steal is None


def test_finished_shards_and_those_that_wait_for_a_parent_are_no_ones_load() -> None:
    over = Lease("over", END, "b")
    parent = Lease("parent", Position("1"), None)
    waiting = Lease("waiting", Position("1"), None, parents=frozenset({"parent", "over"}))
    orphan = Lease("orphan", Position("1"), None, parents=frozenset({"cleaned up"}))
    leases = [over, parent, waiting, orphan]
    assert readable_leases(leases) == [orphan, parent]
    now = Situation(
        leases, dict.fromkeys(["over", "parent", "waiting", "orphan"], 0.0), set(), "me", 10, float
    )
    assert sorted(taken(now)) == ["orphan", "parent"]


def test_the_next_look_is_due_when_the_first_lease_of_another_worker_lapses() -> None:
    assert next_lapse(situation(["b", "c", "me"], {0: 2.0, 1: 7.0, 2: 9.0})) == 3.0
    assert next_lapse(situation(["me", None])) == FAILOVER_S


def test_a_leases_age_counts_from_when_it_was_first_seen_as_it_is() -> None:
    watch = Watch()
    lease = Lease("s0", Position("1"), "b", counter=7)
    assert watch.observe([lease], 100.0) == {"s0": 0.0}
    assert watch.observe([lease], 104.0) == {"s0": 4.0}
    assert watch.observe([lease.renewed()], 109.0) == {"s0": 0.0}
    assert watch.observe([], 110.0) == {}
    assert watch.observe([lease.renewed()], 111.0) == {"s0": 0.0}
