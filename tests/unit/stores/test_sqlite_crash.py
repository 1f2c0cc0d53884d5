"""What is left after a writer was killed, or the end of its log was torn off."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import sys

from contextlib import closing
from pathlib import Path

import pytest

from pipelines.contact import Contact
from worker.stores.protocol import Entry, Saved
from worker.stores.sqlite import SqliteStore


ROOT = Path(__file__).parents[3]

LANES = [f"lane-{n}" for n in range(8)]

#: Saves one contact per lane again and again; prints each save once it is acknowledged.
CHILD = """
import asyncio, sys
from pathlib import Path
from worker.stores.sqlite import SqliteStore

async def lane(store, name):
    [entry] = await store.load([name])
    while True:
        entry.contact.tries += 1
        entry.contact.effects = {"p/s": "x" * 8000}
        entry.due_at = float(entry.contact.tries)
        await store.save([entry])
        print(name, entry.contact.tries, flush=True)

async def main(path, *lanes):
    store = SqliteStore(Path(path))
    await asyncio.gather(*(lane(store, name) for name in lanes))

asyncio.run(main(*sys.argv[1:]))
"""


def write_until_killed(path: Path, saves: int) -> dict[str, int]:
    """Kill a writer after some acknowledged saves; the last one of each lane."""
    command = [sys.executable, "-c", CHILD, str(path), *LANES]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(saves)]
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    whole = [line.split() for line in lines if line.endswith("\n")]
    return {name: int(tries) for name, tries in whole}


def log(path: Path) -> Path:
    return Path(f"{path}-wal")


def tear(path: Path, cut: int, tail: bytes) -> None:
    """Replace what the log holds from some byte on."""
    log(path).write_bytes(log(path).read_bytes()[:cut] + tail)


def copy(path: Path, folder: Path) -> Path:
    """File and log, without the shared memory, as a backup would take them."""
    folder.mkdir()
    shutil.copy(log(path), folder)
    return Path(shutil.copy(path, folder))


async def surviving(path: Path) -> list[Entry]:
    """The lanes' entries of a file that is whole."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    store = SqliteStore(path)
    entries = await store.load(LANES)
    await store.close()
    return entries


@pytest.mark.parametrize("seed", range(3))
async def test_no_acknowledged_save_is_lost_when_the_writer_is_killed(
    tmp_path: Path, seed: int
) -> None:
    """Time and again on one file; up to several checkpoints of the log each time."""
    path, chance = tmp_path / "contacts.sqlite", random.Random(seed)
    acknowledged = dict.fromkeys(LANES, 0)
    for turn in range(3):
        acknowledged |= write_until_killed(path, chance.randrange(1, 2000))
        backup = copy(path, tmp_path / f"backup-{turn}")
        for entry in await surviving(backup):
            tries = entry.contact.tries
            # One save more may have been under way.
            assert tries - acknowledged[entry.contact.id] in (0, 1)
            assert entry.version == tries
            assert entry.due_at == (float(tries) if tries else None)
    assert await surviving(path) == await surviving(backup)


async def saved_30_times(path: Path) -> Path:
    """A file with its log, as left by a crash after 30 saves of one contact."""
    store, entry = SqliteStore(path), Entry(Contact(LANES[0]))
    for n in range(30):
        entry.contact.effects = {"p/s": f"{n}" * 2000}
        assert await store.save([entry]) == [Saved.SAVED]
    crashed = copy(path, path.parent / "crashed")
    await store.close()
    return crashed


@pytest.mark.parametrize("tail", [b"", b"\0" * 40_000, b"garbage" * 5_000])
async def test_a_log_torn_anywhere_opens_at_an_earlier_save(tmp_path: Path, tail: bytes) -> None:
    crashed = await saved_30_times(tmp_path / "contacts.sqlite")
    size = log(crashed).stat().st_size
    versions = []
    for cut in [*sorted(random.Random(1).sample(range(size), 8)), size]:
        torn = copy(crashed, tmp_path / f"torn-{cut}")
        tear(torn, cut, tail)
        entry, *_ = await surviving(torn)
        versions.append(entry.version)
    assert versions == sorted(versions)
    assert versions[-1] == 30
