"""Spread: every worker gives each bucket to the same application user, and all get as many."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

import pytest

from hypothesis import given
from hypothesis import strategies as st

from worker.dynamics.spread import spread
from worker.settings import MOST_USERS
from worker.stores.buckets import ALL


NAMES = st.lists(st.uuids().map(str), min_size=1, max_size=MOST_USERS, unique=True)


def loads(parts: dict[str, frozenset[int]], users: Collection[str]) -> list[int]:
    return sorted(len(parts[user]) for user in users)


@given(NAMES)
def test_each_bucket_has_one_user_and_users_have_the_same_number_or_one_more(
    users: list[str],
) -> None:
    parts = spread(users)
    assert sorted(bucket for has in parts.values() for bucket in has) == sorted(ALL)
    numbers = loads(parts, users)
    assert numbers[-1] - numbers[0] <= 1


@given(NAMES, st.randoms())
def test_in_whatever_order_users_are_named_and_in_whatever_case_the_answer_is_the_same(
    users: list[str], random: Random
) -> None:
    shuffled = [user.upper() for user in users]
    random.shuffle(shuffled)
    assert {user.lower(): has for user, has in spread(shuffled).items()} == spread(users)


@given(NAMES, st.sets(st.integers(0, MOST_USERS - 1)))
def test_a_user_that_leaves_moves_its_own_buckets_alone_and_evenly(
    users: list[str], leaving: set[int]
) -> None:
    able = [user for n, user in enumerate(users) if n not in leaving]
    before, after = spread(users), spread(users, able)
    if not able:
        assert after == before, "there is nobody to hand over to"
        return
    assert all(after[user] >= before[user] for user in able)
    assert not any(after[user] for user in users if user not in able)
    assert sorted(bucket for has in after.values() for bucket in has) == sorted(ALL)
    numbers = loads(after, able)
    assert numbers[-1] - numbers[0] <= 1


@given(NAMES)
def test_a_user_that_comes_back_gets_what_it_had(users: list[str]) -> None:
    assert spread(users, users) == spread(users)


@pytest.mark.parametrize(("users", "each"), [(1, 12), (2, 6), (3, 4), (4, 3), (6, 2), (12, 1)])
def test_of_these_numbers_of_users_all_get_the_same(users: int, each: int) -> None:
    names = [f"user-{n}" for n in range(users)]
    assert loads(spread(names), names) == [each] * users


def test_of_four_users_the_three_that_are_left_get_the_same() -> None:
    names = [f"user-{n}" for n in range(4)]
    for gone in names:
        able = [name for name in names if name != gone]
        assert loads(spread(names, able), able) == [4, 4, 4]


def test_the_spread_is_the_same_in_every_release() -> None:
    """Workers of two releases run side by side while one follows the other."""
    parts = spread(["one", "two", "three"])
    assert {user: sorted(has) for user, has in parts.items()} == {
        "one": [0, 2, 6, 8],
        "two": [1, 3, 4, 5],
        "three": [7, 9, 10, 11],
    }
