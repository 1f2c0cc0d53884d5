"""Which LocalStack is used: the one that is there, else what can be had."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("given", "docker", "node", "chosen"),
    [
        (True, True, True, "given"),
        (True, False, False, "given"),
        (False, True, True, "image"),
        (False, True, False, "image"),
        (False, False, True, "package"),
        (False, False, False, ""),
    ],
)
def test_what_answers_goes_before_the_image_and_the_image_before_the_package(
    *, choose: Callable[..., str], given: bool, docker: bool, node: bool, chosen: str
) -> None:
    assert choose(given=given, docker=docker, node=node) == chosen


@pytest.mark.services
def test_another_stand_in_is_not_taken_for_localstack(
    is_localstack: Callable[[str], bool], moto_server: str
) -> None:
    assert not is_localstack(moto_server)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1", "http://"])
def test_where_nothing_answers_is_no_localstack(
    is_localstack: Callable[[str], bool], url: str
) -> None:
    assert not is_localstack(url)
