"""``make run`` and ``make up``: the whole product on this machine, without clouds.

``make run`` plays an invented contact centre live, in contacts that last seconds, waits until all
has come to rest, and compares what Dynamics holds with what happened. ``make up`` plays
a contact a second, at true speed, until it is interrupted.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import tempfile
import time

from argparse import ArgumentParser
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any, Final

from rich.console import Console

from worker.errors import WorkerError
from worker.sandbox.amazon.contact_lens import analyses
from worker.sandbox.children import child, end
from worker.sandbox.demo.desktop import AGENT, NOT_BUILT, DesktopError, built, desktop
from worker.sandbox.demo.outcome import Outcome
from worker.sandbox.demo.report import report
from worker.sandbox.demo.scenario import Scenario, tell
from worker.sandbox.demo.stage import COMMAND, SHORT_WITHIN, WITHIN, Stage, inherited, stage
from worker.sandbox.oracle.customers import introduce
from worker.sandbox.oracle.verdict import PIPELINES, differences, expected
from worker.sandbox.traffic import Leg, SentMessage, day, malformed
from worker.signals import stopping_on_signals
from worker.stores.protocol import ContactStore


CONTACTS: Final = 40
SEED: Final = 9  # one whose last calls are brief: agents are shown some customers in time

#: Limits (s) on the worker's start, and on coming to rest once everything is sent.
START_LIMIT_S: Final = 30.0
REST_LIMIT_S: Final = 40.0

#: So long (s) before its first contact the scenario is made up: what is told at once must be ready.
PREPARATION_S: Final = 2.0

#: How often (s) we look.
LOOK_S: Final = 0.2

#: ``make up`` has traffic for a day.
DAY_S: Final = 86_400

QUARANTINED: Final = 100  # most reasons that are reported
WIDTH: Final = 100  # columns, where there is no terminal to fit

FAILED: Final = 1
DIFFERS: Final = 3  # the exit status of ``connect-dynamics verify`` that found something
INTERRUPTED: Final = 130  # as shells say it of SIGINT

#: Lines of its log shown when the worker ends by itself.
LAST_WORDS: Final = 5

DIRECTIONS: Final = """\
traffic    a new contact a second, each as long as it really takes; Ctrl-C ends everything
  sandbox  {url}/api/data/v9.2/
  trusts   {folder}/sandbox-ca.pem
  state    {folder}/state.sqlite
  log      {folder}/worker.log
look around from another terminal:
  set -a; . {folder}/environment; PATH={scripts}:$PATH
  connect-dynamics check --online
  tail -f {folder}/worker.log
  connect-dynamics contact show <the contact_id of a desktop.shown line>
  connect-dynamics parked list
  connect-dynamics quarantine list"""

PLACES: Final = """\
desktop    play an agent by hand in a browser, as {agent}
  agent page        {at.page}
  Customer Service  {at.workspace}
  switchboard       {at.switchboard}  (customers call, write and hang up here)"""

#: Told what is going on.
Say = Callable[[str], object]


class WorkerEndedError(WorkerError):
    """The worker ended by itself; its log says why."""


async def demo(folder: Path, say: Say, contacts: int = CONTACTS, seed: int = SEED) -> Outcome:
    """Tell contacts as they happen and wait until Dynamics has come to match them.

    Args:
        folder: An empty folder for all files.
        say: Told what is going on.
        contacts: How many contacts are played.
        seed: The same seed gives the same scenario.

    Raises:
        WorkerEndedError: The worker did not start, or ended by itself.
    """
    begin = time.monotonic()
    async with stage(folder) as running:
        await _started(running, say)
        say(f'pipelines  {", ".join(PIPELINES)}; within = "{WITHIN}" shortened to "{SHORT_WITHIN}"')
        begins = datetime.now(UTC) + timedelta(seconds=PREPARATION_S)
        scenario = tell(contacts, seed, begins)
        await running.cloud.keep(analyses(scenario.legs))
        say(_announcement(contacts, scenario))
        for leg in scenario.legs:
            _meet(running, leg)
        await asyncio.sleep(max(0.0, (begins - datetime.now(UTC)).total_seconds()))
        await running.cloud.send(running.amazon.told(scenario.sent))
        sent = time.monotonic()
        rested = await _until(running, lambda: _at_rest(running), REST_LIMIT_S)
        waited_s = time.monotonic() - sent
        say(f"all sent   {'at rest' if rested else 'NOT at rest'} {waited_s:.1f} s later")
        exit_status = await end(running.worker)
        say(f"SIGTERM    the worker ended with status {exit_status}")
        seconds = time.monotonic() - begin
        return await _outcome(running, scenario, rested, exit_status, seconds)


def _announcement(contacts: int, scenario: Scenario) -> str:
    return (
        f"traffic    {contacts} contacts, {len(scenario.legs)} legs with transfers,"
        f" played live in {scenario.sent[-1].at_s:.0f} s:\n"
        f"           {len(scenario.sent)} messages, many late or out of order,"
        f" {scenario.repeated} twice, {scenario.lost} events lost, 1 malformed"
    )


async def _outcome(
    running: Stage, scenario: Scenario, rested: bool, exit_status: int, seconds: float
) -> Outcome:
    records = running.dataverse.dump()
    wanted = expected(scenario.legs, site=running.url)
    counts = await running.store.counts(time.time())
    answers = [answer async for answer in _lookups(running.store)]
    return Outcome(
        records=records,
        expected=wanted,
        differences=list(differences(wanted, records)),
        log=running.log(),
        quarantined=[item.reason for item in await running.store.quarantined("", QUARANTINED)],
        parked=counts.parked,
        rested=rested,
        exit_status=exit_status,
        requests=running.dataverse.requests,
        asked=running.amazon.quotas.taken,
        throttled=sum(running.amazon.quotas.refused.values()),
        written_back=list(running.amazon.written.values()),
        lookups=Counter(answers),
        verified=await _verified(running),
        seconds=seconds,
    )


async def _verified(running: Stage) -> Mapping[str, Any]:
    """What ``connect-dynamics verify`` says of the worker's state and the sandbox.

    Raises:
        WorkerEndedError: It could not tell.
    """
    command = [str(COMMAND), "verify", "--report", "json"]
    environment = inherited() | running.environment
    async with child(command, environment, stdout=PIPE, stderr=PIPE) as verify:
        said, trouble = await verify.communicate()
    if verify.returncode not in (0, DIFFERS):
        raise WorkerEndedError(f"connect-dynamics verify: {trouble.decode().strip()}")
    return dict(json.loads(said))


async def _lookups(store: ContactStore) -> AsyncIterator[str]:
    """The status of each lookup that stands in the end."""
    ids = await store.ids("", sys.maxsize)
    for entry in await store.load(ids):
        for lookup in entry.contact.lookups.values():
            if status := lookup["answer"].get("LookupStatus"):  # files that were read have none
                yield status


async def stay_up(folder: Path, say: Say) -> None:
    """Tell a new contact a second, at true speed, until cancelled or a day is over.

    Raises:
        WorkerEndedError: The worker did not start, or ended by itself.
    """
    async with stage(folder, within=WITHIN, pages=True) as running, AsyncExitStack() as stack:
        await _started(running, say)
        _export(running.environment, folder / "environment")
        if built():
            places = await stack.enter_async_context(desktop(running, SEED))
            say(PLACES.format(agent=AGENT, at=places))
        else:
            say(f"desktop    {NOT_BUILT}")
        say(DIRECTIONS.format(url=running.url, folder=folder, scripts=COMMAND.parent))
        traffic = day(SEED, DAY_S, start=datetime.now(UTC), met=partial(_meet, running))
        told = running.amazon.told(chain([malformed(Random(SEED))], traffic))
        await running.cloud.send(_while_running(running, told))


def _meet(running: Stage, leg: Leg) -> None:
    """Connect's API and Dynamics come to know a contact's people."""
    running.amazon.meet(leg)
    introduce(running.dataverse, [leg.customer])


def _while_running(running: Stage, sent: Iterable[SentMessage]) -> Iterator[SentMessage]:
    for message in sent:
        _check(running)
        yield message


def _export(environment: dict[str, str], path: Path) -> None:
    lines = (f"{name}={shlex.quote(value)}\n" for name, value in environment.items())
    path.write_text("".join(lines), encoding="utf-8")


async def _started(running: Stage, say: Say) -> None:
    say("AWS        embedded: two Kinesis streams of two shards each, one SQS queue")
    say(f"Dynamics   the sandbox, at {running.url}; Connect's API is a stand-in too")
    if not await _until(running, lambda: _logged(running, "service.started"), START_LIMIT_S):
        raise WorkerEndedError(f"the worker did not start within {START_LIMIT_S:.0f} s")
    say(f"worker     connect-dynamics run, process {running.worker.pid}")


async def _logged(running: Stage, event: str) -> bool:
    return any(line["event"] == event for line in running.log())


async def _at_rest(running: Stage) -> bool:
    """Everything was read, and nothing is due, claimed or waited for."""
    return await running.cloud.consumed(running.store) and await running.store.next_due() is None


async def _until(running: Stage, condition: Callable[[], Awaitable[bool]], limit_s: float) -> bool:
    """Wait until a condition holds; whether it did in time."""
    deadline = time.monotonic() + limit_s
    while not await condition():
        _check(running)
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_S)
    return True


def _check(running: Stage) -> None:
    if running.worker.returncode is None:
        return
    last = "\n".join(running.log_text().splitlines()[-LAST_WORDS:])
    raise WorkerEndedError(f"the worker ended with status {running.worker.returncode}:\n{last}")


async def _run(folder: Path, console: Console, *, up: bool) -> int:
    """Do what was asked until it is done or a signal comes; the exit status."""
    say = partial(console.print, markup=False, soft_wrap=True)
    try:
        with stopping_on_signals(_canceller()):
            if up:
                await stay_up(folder, say)
                return 0
            outcome = await demo(folder, say)
    except asyncio.CancelledError:
        say("interrupted; everything has been ended")
        return 0 if up else INTERRUPTED
    except (WorkerEndedError, DesktopError) as error:
        say(str(error))
        return FAILED
    console.print(report(outcome))
    return FAILED if any(outcome.problems()) else 0


def _canceller() -> Callable[[], None]:
    """What cancels the task that asks for it."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - only coroutines ask

    def cancel() -> None:
        task.cancel()

    return cancel


def main() -> int:
    """Parse the command line and run; the exit status."""
    parser = ArgumentParser(prog="python -m worker.sandbox.demo", description=__doc__)
    parser.add_argument("--up", action="store_true", help="stay up, with traffic, until Ctrl-C")
    up = parser.parse_args().up
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    with tempfile.TemporaryDirectory(prefix="connect-dynamics-") as folder:
        return asyncio.run(_run(Path(folder), console, up=up))


if __name__ == "__main__":
    sys.exit(main())
