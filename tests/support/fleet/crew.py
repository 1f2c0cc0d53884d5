"""The processes of ``connect-dynamics run``."""

from __future__ import annotations

import asyncio
import signal

from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from worker.sandbox.demo.stage import COMMAND


@dataclass(frozen=True, slots=True)
class Worker:
    """One process.

    Attributes:
        name: Its id in the lease tables.
        process: The process.
        log: The file it logs to.
    """

    name: str
    process: Process
    log: Path

    @property
    def running(self) -> bool:
        """Whether the process has not ended; one that is paused has not."""
        return self.process.returncode is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def said(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of this event, so far."""
        whole, _, _ = self.log.read_text(encoding="utf-8").rpartition("\n")
        lines = [orjson.loads(line) for line in whole.splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == event]


class Crew:
    """Workers with the same settings, each under a name of its own.

    Args:
        environment: Their settings.
        folder: Where their logs go.

    Attributes:
        workers: All that were started, by name.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.workers: dict[str, Worker] = {}
        self._environment = environment
        self._folder = folder
        self._numbers = count(1)

    @property
    def running(self) -> list[Worker]:
        """Those whose process has not ended."""
        return [worker for worker in self.workers.values() if worker.running]

    async def start(self) -> Worker:
        """Start one more; it may take some seconds to be up."""
        name = f"worker-{next(self._numbers)}"
        path = self._folder / f"{name}.log"
        with path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                COMMAND,
                "run",
                env={**self._environment, "CONNECT_DYNAMICS_WORKER_ID": name},
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=log,
            )
        worker = self.workers[name] = Worker(name, process, path)
        return worker


@asynccontextmanager
async def crew(environment: Mapping[str, str], folder: Path) -> AsyncIterator[Crew]:
    """Nobody yet; whoever is left at the end of the block is killed."""
    started = Crew(environment, folder)
    try:
        yield started
    finally:
        for worker in started.running:
            worker.send(signal.SIGKILL)
            await worker.process.wait()
