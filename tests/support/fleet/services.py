"""AWS's stand-ins as processes of their own, for as long as somebody needs them."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile

from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from worker.errors import ConfigError
from worker.sandbox.amazon.moto_server import HOST, REGION
from worker.sandbox.children import child, end


KINESIS_MOCK: Final = "kinesis-local@0.6.2"

#: Longest time (s) for a server to start, and for npm to install one.
START_LIMIT_S: Final = 60.0
INSTALL_LIMIT_S: Final = 300.0

_LOOK_S: Final = 0.05


@asynccontextmanager
async def moto() -> AsyncIterator[str]:
    """The URL of an empty moto server: SQS and DynamoDB (see ``fleet.moto``)."""
    command = [sys.executable, "-m", "fleet.moto"]
    async with child(command, os.environ, stdin=PIPE, stdout=PIPE) as server:
        assert server.stdout is not None
        yield (await server.stdout.readline()).decode().strip()


@asynccontextmanager
async def kinesis_mock() -> AsyncIterator[str]:
    """The URL of an empty Kinesis that splits and merges shards as AWS does.

    Raises:
        ConfigError: There is no Node.js, or it does not start.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise ConfigError("not run: kinesis-local needs Node.js and npm")
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        node,
        "main.js",
        cwd=await asyncio.to_thread(installed_kinesis_mock, npm),
        env=kinesis_mock_environment(port),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
        start_new_session=True,  # a terminal's Ctrl-C does not reach it by itself
    )
    try:
        await _listening(port, server)
        yield f"http://{HOST}:{port}"
    finally:
        await end(server)


def free_port() -> int:
    """A port that is free just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def kinesis_mock_environment(port: int) -> dict[str, str]:
    """What ``main.js`` of kinesis-local goes by."""
    return {
        "PATH": os.environ["PATH"],
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "LOG_LEVEL": "ERROR",
        "AWS_REGION": REGION,
        **{f"{call}_DURATION": "10ms" for call in ("CREATE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS")},
    }


async def _listening(port: int, server: Process) -> None:
    async with asyncio.timeout(START_LIMIT_S):
        while server.returncode is None:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(_LOOK_S)
            else:
                writer.close()
                return
    raise ConfigError(f"{KINESIS_MOCK} did not start (exit code {server.returncode})")


def installed_kinesis_mock(npm: str) -> Path:
    """The package's folder, installed by npm the first time it is needed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "connect-dynamics"
    home = cache / ("npm-" + KINESIS_MOCK.replace("@", "-"))
    package = home / "node_modules" / "kinesis-local"
    if not package.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(fresh), KINESIS_MOCK]
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_LIMIT_S)
        try:
            fresh.rename(home)
        except OSError:  # another was faster
            shutil.rmtree(fresh)
    return package
