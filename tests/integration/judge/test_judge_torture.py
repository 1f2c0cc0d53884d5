"""Real workers under fire for two minutes, by ``python -m torture`` as ``make torture`` runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


pytestmark = [
    pytest.mark.judge,
    pytest.mark.alone,
    pytest.mark.services,
    pytest.mark.skipif(
        not (shutil.which("node") and shutil.which("npm")),
        reason="not run: kinesis-local needs Node.js and npm",
    ),
]

Record = Callable[[str, object], None]

SUPPORT = Path(__file__).parents[2] / "support"

MINUTES = 2
SEED = 12  # two minutes of it have every network fault and six of seven of Dynamics
#: Two minutes, the 300 s for which a killed worker's claims last, and the way there.
LIMIT_S = 660

WORKERS = 3
#: Longest time (s) for them to be there, or to be gone.
CHANGE_LIMIT_S = 120.0


@contextmanager
def torture(minutes: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "torture", "--minutes", str(minutes), "--seed", str(SEED)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(Path.cwd())])}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            yield running
        finally:
            running.terminate()


@pytest.mark.timeout(LIMIT_S)
def test_two_minutes_of_fire_lose_double_overwrite_and_disorder_nothing(
    record_property: Record,
) -> None:
    with torture(MINUTES) as running:
        page, trouble = running.communicate()
    record_property(f"{MINUTES} minutes of fire", f"\n{page}")
    assert (running.returncode, trouble) == (0, ""), page


@pytest.mark.timeout(4 * CHANGE_LIMIT_S)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_leaves_no_process_behind(number: signal.Signals) -> None:
    with torture(10) as running:
        until(lambda: len(workers(begotten(running.pid))) == WORKERS)
        processes = begotten(running.pid)
        os.kill(workers(processes)[0], signal.SIGSTOP)
        running.send_signal(number)
        assert running.wait(CHANGE_LIMIT_S) == 1
        until(lambda: not alive(processes))


def begotten(ancestor: int) -> dict[int, str]:
    """A process's children, theirs and so on, with their commands."""
    # Without -ww a COLUMNS in the environment cuts the commands.
    listing = subprocess.run(
        ["ps", "-e", "-ww", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    )
    rows = [line.split(maxsplit=2) for line in listing.stdout.splitlines()]
    found: dict[int, str] = {}
    for pid, parent, command in sorted(rows, key=lambda row: int(row[0])):
        if int(parent) == ancestor or int(parent) in found:
            found[int(pid)] = command
    return found


def workers(processes: dict[int, str]) -> list[int]:
    return [pid for pid, command in processes.items() if command.endswith("connect-dynamics run")]


def alive(processes: dict[int, str]) -> set[int]:
    listing = subprocess.run(["ps", "-e", "-o", "pid="], check=True, capture_output=True, text=True)
    return processes.keys() & set(map(int, listing.stdout.split()))


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CHANGE_LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)  # other processes are at work
