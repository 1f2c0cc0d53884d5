"""The real Kinesis Client Library as a process: KCL 3.1.3's MultiLangDaemon, in Java.

The jars come from PyPI's ``kclpy-ext``. It runs in 2.x-compatible mode, which is the protocol that
we speak too: every worker takes leases on its own, and nobody assigns them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest


RELEASE: Final = "kcl-3.1.3"
LOCK: Final = Path(__file__).parents[4] / "infra" / "locks" / "kcl.txt"
PROCESSOR: Final = Path(__file__).with_name("record_processor.py")

NO_JAVA: Final = "not run: the real KCL needs Java"

#: Installing downloads some 30 MB of jars.
INSTALL_LIMIT_S: Final = 300
END_LIMIT_S: Final = 30

#: Where everything is that the daemon talks to. Measuring itself it would do in CloudWatch.
PROPERTIES: Final = {
    "AwsCredentialsProvider": "DefaultCredentialsProvider",
    "clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X",
    "initialPositionInStream": "TRIM_HORIZON",
    "metricsLevel": "NONE",
    "retrievalMode": "POLLING",
}


@dataclass(frozen=True, slots=True)
class Services:
    """What the daemon reads from.

    Attributes:
        kinesis: URL; plain HTTP, and without CBOR.
        dynamodb: URL.
        region: Of both.
        stream: Name; also the application's, and so the lease table's.
    """

    kinesis: str
    dynamodb: str
    region: str
    stream: str


@dataclass(frozen=True, slots=True)
class Handled:
    """A record that somebody handled.

    Attributes:
        shard: Where it was.
        at: Its sequence number.
        body: What it was.
        time: When, by this machine's monotonic clock (s).
    """

    shard: str
    at: int
    body: str
    time: float


class Daemon:
    """A KCL worker; begins to run at once.

    Args:
        services: What it reads from.
        folder: Where it keeps its files.
        name: Its worker id.
        settings: More properties, e.g. ``{"failoverTimeMillis": 5000}``; else KCL's defaults.

    Attributes:
        name: Its worker id.
        process: The JVM.
        log: What it says.
    """

    def __init__(self, services: Services, folder: Path, name: str, **settings: int) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._notes = folder / f"{name}.notes"
        self._notes.touch()
        file = folder / f"{name}.properties"
        file.write_text(_properties(services, name, self._notes, settings), encoding="utf-8")
        command = ["java", "-Daws.cborEnabled=false", "-cp", f"{installed()}/*"]
        command += ["software.amazon.kinesis.multilang.MultiLangDaemon", "--properties-file"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, file],
                env={
                    "PATH": os.environ["PATH"],
                    "AWS_ACCESS_KEY_ID": "invented",
                    "AWS_SECRET_ACCESS_KEY": "invented",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # with all that it starts
            )

    def handled(self) -> list[Handled]:
        """The records that were handed to it, in its order for each shard."""
        return [Handled(**{**note, "at": int(note["at"])}) for note in self._noted("at")]

    def begun(self) -> list[tuple[str, str]]:
        """The shards it began, each with the checkpoint from which."""
        return [(note["shard"], note["since"]) for note in self._noted("since")]

    def _noted(self, kind: str) -> list[dict[str, Any]]:
        text = self._notes.read_text(encoding="utf-8")
        lines = text[: text.rfind("\n") + 1].splitlines()
        return [note for note in map(json.loads, lines) if kind in note]

    def check(self) -> None:
        """See that it still runs."""
        if self.process.poll() is not None:
            pytest.fail(f"{self.name} ended by itself; see {self.log}")

    def kill(self) -> None:
        """End it as ``kill -9`` does, and the record processors too."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(END_LIMIT_S)


def installed() -> Path:
    """The folder of the jars; they are installed the first time they are needed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "connect-dynamics"
    home = cache / RELEASE
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        _run(sys.executable, "-m", "venv", fresh)
        pip = (fresh / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check")
        # Wheels only: the source distribution would fetch jars that no hash vouches for.
        _run(*pip, "--only-binary", ":all:", "--require-hashes", "--requirement", LOCK)
        try:
            fresh.rename(home)
        except OSError:  # another session was faster
            shutil.rmtree(fresh)
    return next(home.glob("lib/python*/site-packages/amazon_kclpy/jars"))


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_LIMIT_S)


def _properties(services: Services, name: str, notes: Path, settings: dict[str, int]) -> str:
    properties = {
        **PROPERTIES,
        "applicationName": services.stream,
        "streamName": services.stream,
        "workerId": name,
        "regionName": services.region,
        "kinesisEndpoint": services.kinesis,
        "dynamoDBEndpoint": services.dynamodb,
        "cloudWatchEndpoint": services.dynamodb,
        "executableName": f"{sys.executable} {PROCESSOR} {notes}",
        **settings,
    }
    return "".join(f"{key} = {value}\n" for key, value in properties.items())
