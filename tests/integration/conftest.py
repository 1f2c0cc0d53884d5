"""Real servers on this machine, started once per test session on free ports of the loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time

from collections.abc import Iterator

import httpx
import pytest

from fleet.services import (
    KINESIS_MOCK,
    START_LIMIT_S,
    free_port,
    installed_kinesis_mock,
    kinesis_mock_environment,
)
from worker.sandbox.amazon.moto_server import CREDENTIALS, HOST


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{KINESIS_MOCK} did not start (exit code {server.poll()})")


@pytest.fixture(scope="session")
def moto_process() -> Iterator[str]:
    """The URL of a moto server: Kinesis, SQS, S3, DynamoDB (see ``fleet.moto``)."""
    command = [sys.executable, "-m", "fleet.moto"]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=os.environ | path, stdin=pipe, stdout=pipe, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.fixture
def moto_server(moto_process: str) -> str:
    """The same, empty."""
    httpx.post(f"{moto_process}/moto-api/reset").raise_for_status()
    return moto_process


@pytest.fixture(scope="session")
def kinesis_mock() -> Iterator[str]:
    """The URL of a Kinesis stand-in that splits and merges shards as AWS does."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("not run: kinesis-local needs Node.js and npm")
    port = free_port()
    server = subprocess.Popen(
        [node, "main.js"],
        cwd=installed_kinesis_mock(npm),
        env=kinesis_mock_environment(port),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, server)
        yield f"http://{HOST}:{port}"
    finally:
        server.kill()  # it outlives a SIGTERM by far when a client of its was killed
        server.wait(timeout=30)


@pytest.fixture(autouse=True)
def invented_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here reaches AWS or needs somebody's account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
