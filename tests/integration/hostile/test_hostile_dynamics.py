"""Dynamics answers badly, by every line of the table."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from hostile.behaviours import COMMON, OWN, PARKING, Behaviour, End
from hostile.lines import all_in_order, happened, lines
from hostile.world import World, until


pytestmark = [pytest.mark.services, pytest.mark.asyncio(loop_scope="module")]

#: What a worker may take in all (bytes): it has some 100 MB by itself, and answers have 16 MB.
MOST_BYTES: Final = 400 * 1024 * 1024

#: These are left to ``make judge``: others are near enough to them.
LEFT: Final = frozenset(
    (
        *("reset_at_once", "reset_in_handshake", "garbage_on_established", "garbage_in_handshake"),
        *("closed_before_answer", "closed_after_commit", "reset_while_idle", "no_status"),
        *("status_999", "half_headers", "length_of_letters", "negative_length", "bad_gzip"),
        *("redirect_nowhere", "html_503", "json_null_200", "utf_16_200", "unknown_coding"),
        *("silence", "silent_in_handshake", "early_hints_storm", "html_200", "http_1_0"),
    )
)


COMMON_HERE: Final = frozenset(line.name for line in COMMON) - LEFT


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (peak,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return peak * 1024


#: An answer to each of these is a pause of some seconds; one has them all in ``make judge``.
PAUSING: Final = frozenset(("retry_after_5000_digits", "retry_after_odd_date"))
OWN_HERE: Final = frozenset(line.name for line in OWN["dynamics"]) - PAUSING


@pytest.mark.parametrize("line", lines("dynamics", COMMON_HERE, OWN_HERE))
async def test_calls_are_written_whatever_dynamics_answers_to_some_requests(
    scene: World, line: Behaviour
) -> None:
    worker = await scene.worker()
    slow = line.end is End.SILENT or line.every_s > 0
    async with scene.spoiled("dynamics", line, times=1 if slow else 2):
        calls = await scene.calls(1)
        await scene.tell(calls)
        await until(lambda: happened(scene, "dynamics", line), worker)
        if slow:
            others = await scene.calls(1)
            await scene.tell(others)
            await scene.written(others, worker)
    if line.name in PARKING:
        await scene.retry_parked(worker)
    await scene.written(calls, worker)


async def test_an_answer_packed_twice_or_thousandfold_takes_no_memory(scene: World) -> None:
    worker = await scene.worker()
    assert peak_bytes(worker.process.pid) < MOST_BYTES


async def test_after_a_hostile_dynamics_the_worker_ends_well_and_has_said_nothing_of_people(
    scene: World,
) -> None:
    await all_in_order(scene)
