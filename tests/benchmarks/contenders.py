"""Who runs side by side: workers of checkouts, and two loops as people write them."""

from __future__ import annotations

import os
import sys

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stub_dynamics import StubDynamics
from tests.benchmarks import way
from worker.sandbox.amazon.moto_server import CREDENTIALS


#: Where make bench installs async-kinesis.
INSTALLED: Final = way.HERE / ".venv" / "peers"

OURS: Final = "ours"
OURS_BEFORE: Final = "ours, before"

#: Between two looks at a shard (s), of all of them.
POLL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Contender:
    """One of them.

    Attributes:
        name: As the table has it.
        command: Its command line, made of Kinesis' address, the stub and the streams.
        environment: Made of the same and a folder.
        key: The key of a call's row.
        each: Whether every message is a write.
    """

    name: str
    command: Callable[[str, StubDynamics, Mapping[str, str]], Sequence[str]]
    environment: Callable[[StubDynamics, str, dict[str, str], Path], dict[str, str]]
    key: Callable[[str], str]
    each: bool


def worker(checkout: way.Checkout) -> Contender:
    """A worker of a checkout."""

    def environment(
        dynamics: StubDynamics, kinesis_url: str, streams: dict[str, str], folder: Path
    ) -> dict[str, str]:
        found = way.run_environment(dynamics, kinesis_url, streams, folder)
        return {**found, "CONNECT_DYNAMICS_POLL_S": str(POLL_S)}

    return Contender(
        checkout.name, lambda *_: checkout.command("run"), environment, way.row_of, each=False
    )


def peer(name: str, module: str) -> Contender:
    """One of the two loops."""

    def command(url: str, dynamics: StubDynamics, streams: Mapping[str, str]) -> Sequence[str]:
        loop = f"tests.benchmarks.peers.{module}"
        return [sys.executable, "-m", loop, url, dynamics.url, str(dynamics.ca), *streams.values()]

    path = os.pathsep.join((str(INSTALLED), str(way.HERE)))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, **CREDENTIALS}
    return Contender(
        name, command, lambda *_: environment, lambda one: f"new_contactid='{one}'", each=True
    )


LAMBDA: Final = peer("Lambda-style loop", "lambda_loop")
ASYNC_KINESIS: Final = peer("async-kinesis", "async_kinesis_loop")


def contenders(against: Path | None) -> list[Contender]:
    """All of them, and a worker of another checkout, if there is one."""
    others = [worker(way.Checkout(OURS_BEFORE, against))] if against else []
    return [worker(way.Checkout(OURS, way.HERE)), *others, LAMBDA, ASYNC_KINESIS]
