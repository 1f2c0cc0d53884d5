"""Looks at a real worker: one row of numbers each, of what must not grow."""

from __future__ import annotations

import asyncio
import os
import re
import signal

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import orjson

from worker.telemetry.metrics import PREFIX


#: Longest time (s) a worker takes to tell of itself; its loop may be busy.
TELL_S: Final = 60.0
TELL_LOOK_S: Final = 0.05

_SAMPLE: Final = re.compile(rf"^{PREFIX}(\w+)(?:\{{[^}}]*\}})? (\S+)$", re.MULTILINE)

#: Gauges and counters of the metrics page, by the name of the column; the greatest of several.
_METRICS: Final[Mapping[str, str]] = {
    "contacts": "contacts",
    "due": "contacts_due",
    "parked": "contacts_parked",
    "quarantined": "messages_quarantined",
    "oldest_due_s": "oldest_due_age_seconds",
    "lag_s": "lag_seconds",
    "messages": "messages_total",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """A process of ``aging.watched``.

    Attributes:
        pid: Its id.
        told: The file it writes into.
        metrics: The address of its metrics page.
        log: The file it logs to.
        state: Its SQLite file; None if it keeps its state elsewhere.
    """

    pid: int
    told: Path
    metrics: str
    log: Path
    state: Path | None = None

    async def look(self) -> dict[str, float]:
        """One row: memory and files in bytes."""
        page, said = await self._page(), await self._said()
        return {
            **memory(self.pid),
            "cpu_s": cpu_s(self.pid),
            "fds": open_files(self.pid),
            "tasks": said["tasks"],
            "objects": said["objects"],
            "page": len(page),
            "series": page.count("\n") - page.count("\n#"),
            "log": self.log.stat().st_size,
            **_files(self.state),
            **read_metrics(page),
        }

    async def _page(self) -> str:
        async with httpx.AsyncClient(timeout=TELL_S) as http:
            return (await http.get(self.metrics)).text

    async def _said(self) -> dict[str, Any]:
        """What it tells of itself.

        Raises:
            TimeoutError: It tells nothing.
        """
        before = self._number()
        os.kill(self.pid, signal.SIGUSR1)
        async with asyncio.timeout(TELL_S):
            while self._number() == before:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(TELL_LOOK_S)
        said: dict[str, Any] = orjson.loads(self.told.read_bytes())
        return said

    def _number(self) -> int:
        return int(orjson.loads(self.told.read_bytes())["number"]) if self.told.exists() else 0


def read_metrics(page: str) -> dict[str, float]:
    """The columns that the metrics page has."""
    found: dict[str, float] = {}
    for name, value in _SAMPLE.findall(page):
        found[name] = max(float(value), found.get(name, float("-inf")))
    return {column: found[name] for column, name in _METRICS.items() if name in found}


def memory(pid: int) -> dict[str, float]:
    """Resident and private memory (bytes), and threads, of a process (proc(5))."""
    status = _fields(Path(f"/proc/{pid}/status"))
    shares = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    private = int(shares["Private_Clean"]) + int(shares["Private_Dirty"])
    return {
        "rss": int(status["VmRSS"]) * 1024,
        "private": private * 1024,
        "threads": int(status["Threads"]),
    }


def cpu_s(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def children(pid: int) -> dict[int, str]:
    """The children of a process, with their command lines."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return {
        int(child): Path(f"/proc/{child}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
        for child in text.split()
    }


def _fields(path: Path) -> dict[str, str]:
    """Lines of ``Name: number unit``."""
    lines = path.read_text(encoding="ascii").splitlines()
    split = (line.partition(":") for line in lines)
    return {name: (value.split() or [""])[0] for name, _, value in split}


def _files(state: Path | None) -> dict[str, float]:
    if state is None:
        return {}
    beside = state.with_name(f"{state.name}-wal")
    return {
        "state": state.stat().st_size,
        "wal": beside.stat().st_size if beside.exists() else 0,
    }
