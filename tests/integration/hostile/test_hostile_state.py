"""The state is badly kept: DynamoDB by the lines of the table, a file that is taken away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from hostile.behaviours import Behaviour
from hostile.lines import all_in_order, happened, lines
from hostile.world import World, until, world
from worker.sandbox.traffic import RECORDINGS


pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]

#: Of what any server can do; the others are for ``make hostile``.
COMMON_HERE: Final = frozenset(
    (
        *("tls_alert_on_established", "reset_after_commit", "answer_nobody_asked_for_while_idle"),
        *("half_status_line", "html_200", "empty_object_200", "json_array_200", "deep_json_200"),
    )
)


#: A claim that was saved without anybody knowing lapses, minutes later; others' calls go on.
LAPSING: Final = frozenset(("write_says_nothing",))


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"state": "dynamodb"}


@pytest.mark.parametrize("line", lines("dynamodb", COMMON_HERE))
async def test_calls_are_written_whatever_dynamodb_answers_to_some_requests(
    scene: World, line: Behaviour
) -> None:
    worker = await scene.worker()
    async with scene.spoiled("dynamodb", line, times=2):
        calls = await scene.calls(1)
        await scene.tell(calls)
        await until(lambda: happened(scene, "dynamodb", line), worker)
    if line.name in LAPSING:
        calls = await scene.calls(1)
        await scene.tell(calls)
    await scene.written(calls, worker)


async def test_after_a_hostile_dynamodb_the_worker_ends_well_and_has_said_nothing_of_people(
    scene: World,
) -> None:
    await all_in_order(scene)


@pytest_asyncio.fixture(loop_scope="module")
async def filed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("filed")) as made:
        yield made


async def test_without_its_state_file_a_worker_acknowledges_nothing_and_says_so(
    filed: World,
) -> None:
    worker = await filed.worker()
    before = await filed.calls(2)
    await filed.tell(before)
    await filed.written(before, worker)
    elsewhere = filed.folder / "elsewhere"
    elsewhere.mkdir()
    for path in filed.folder.glob("state.sqlite*"):
        path.rename(elsewhere / path.name)
    after = await filed.calls(3)
    await filed.tell(after)
    await until(lambda: bool(worker.said("ingest.store_unavailable")), worker)
    assert await filed.unread() == sum(m.stream == RECORDINGS for c in after for m in c.sent)
    assert not filed.activities(after[0])
    for path in elsewhere.iterdir():
        path.rename(filed.folder / path.name)
    await filed.written(after, worker)
    await all_in_order(filed)
