"""Which workers are alive: those whose heartbeat goes on, by the reader's own clock."""

from __future__ import annotations

from worker.dynamics.live_workers import EXPIRY_S, LiveWorkers


def test_a_worker_that_has_seen_nobody_is_alone_and_follows_itself() -> None:
    live = LiveWorkers("b")
    assert (live.names, live.rank, live.following) == (["b"], 0, "b")
    assert live.heartbeats() == {"b": 1}


def test_a_worker_whose_heartbeat_stands_still_is_gone_after_a_while_and_back_when_it_rises() -> (
    None
):
    live = LiveWorkers("b")
    live.see({"a": 7, "b": 1}, 100.0)
    live.see({"a": 7, "b": 2}, 100.0 + EXPIRY_S - 1)
    assert live.names == ["a", "b"]
    live.see({"a": 7, "b": 3}, 100.0 + EXPIRY_S)
    assert live.names == ["b"]
    live.see({"a": 8, "b": 4}, 101.0 + EXPIRY_S)
    assert live.names == ["a", "b"]


def test_a_worker_raises_its_own_heartbeat_and_keeps_those_of_others_that_are_alive() -> None:
    live = LiveWorkers("b")
    live.see({"a": 7, "b": 4, "c": 9}, 0.0)
    live.see({"a": 7, "b": 4, "c": 10}, EXPIRY_S)
    assert live.heartbeats() == {"b": 5, "c": 10}


def test_the_worker_after_the_last_one_is_the_first_one() -> None:
    live = LiveWorkers("c")
    live.see({"a": 1, "b": 1, "c": 1}, 0.0)
    assert (live.rank, live.following) == (2, "a")
