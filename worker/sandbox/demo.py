"""``make run`` and ``make up``: the whole product on this machine, without clouds.

``make run`` tells the last hour of an invented contact centre in seconds, waits until all has come
to rest, and compares what Dynamics holds with what happened. ``make up`` tells a contact a second,
at true speed, until it is interrupted.
"""

from __future__ import annotations

import time

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from worker.errors import WorkerError
from worker.sandbox.children import end
from worker.sandbox.outcome import Outcome
from worker.sandbox.scenario import tell
from worker.sandbox.stage import SHORT_WITHIN, WITHIN, stage
from worker.sandbox.verdict import PIPELINES, differences, expected


CONTACTS: Final = 60
SEED: Final = 1

#: Limits (s) on the worker's start, and on coming to rest once everything is sent.
START_LIMIT_S: Final = 30.0
REST_LIMIT_S: Final = 40.0

#: How often (s) we look.
LOOK_S: Final = 0.2

#: ``make up`` has traffic for a day.
DAY_S: Final = 86_400

INTERRUPTED: Final = 130  # as shells say it of SIGINT

#: Told what is going on, a line at a time.
Tell = Callable[[str], object]


class WorkerEndedError(WorkerError):
    """The worker ended by itself; its log says why."""


async def demo(folder: Path, say: Tell, contacts: int = CONTACTS, seed: int = SEED) -> Outcome:
    """Run a scenario to its end.

    Args:
        folder: An empty folder for all files.
        say: Told what is going on.
        contacts: How many contacts are told.
        seed: The same one tells the same story.

    Raises:
        WorkerEndedError: The worker gave up.
    """
    begin = time.monotonic()
    async with stage(folder) as running:
        await _started(running, say)
        say(f"pipelines: {', '.join(PIPELINES)}, with within = {WITHIN!r} shortened to {SHORT_WITHIN!r}")
        scenario = tell(contacts, seed, datetime.now(UTC))
        say(
            f"traffic: {contacts} contacts ({len(scenario.legs)} legs) of the last hour, told in"
            f" {scenario.sent[-1].at_s:.0f} s: {len(scenario.sent)} messages, many late or out of"
            f" order, {scenario.repeated} twice, {scenario.lost} events lost, 1 malformed"
        )
        await running.cloud.send(scenario.sent)
        sent_at = time.monotonic()
        rested = await _until(running, lambda: _at_rest(running), REST_LIMIT_S)
        say(f"everything is sent; {'at rest' if rested else 'NOT at rest'} {time.monotonic() - sent_at:.1f} s later")
        exit_status = await end(running.worker)
        say(f"worker: SIGTERM, exit status {exit_status}")
        records = running.dataverse.dump()
        wanted = expected(scenario.legs)
        counts = await running.store.counts(time.time())
        return Outcome(
            records=records,
            expected=wanted,
            differences=list(differences(wanted, records)),
            log=running.log(),
            quarantined=[q.reason for q in await running.store.quarantined("", CONTACTS)],
            parked=counts.parked,
            rested=rested,
            exit_status=exit_status,
            requests=running.dataverse.requests,
            seconds=time.monotonic() - begin,
        )
