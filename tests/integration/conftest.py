"""Real servers on this machine, started once per test session on free ports of the loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from moto.dynamodb.responses import DynamoHandler
from moto.server import ThreadedMotoServer


KINESIS_MOCK = "kinesis-local@0.6.2"
START_LIMIT_S = 60.0
REGION = "eu-central-1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{KINESIS_MOCK} did not start (exit code {server.poll()})")


def installed_kinesis_mock() -> Path:
    """The package's folder, installed by npm the first time it is needed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "connect-dynamics"
    home = cache / ("npm-" + KINESIS_MOCK.replace("@", "-"))
    package = home / "node_modules" / "kinesis-local"
    if not package.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=cache))
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(fresh)]
        subprocess.run([*command, KINESIS_MOCK], check=True, capture_output=True, timeout=300)
        try:
            fresh.rename(home)
        except OSError:  # another session was faster
            shutil.rmtree(fresh)
    return package


@pytest.fixture(scope="session")
def moto_process() -> Iterator[str]:
    """The URL of a moto server: Kinesis, SQS, S3, DynamoDB in this process."""
    # moto checks a condition and writes in two steps; DynamoDB does it in one.
    lock = threading.Lock()
    call_action = DynamoHandler.call_action

    def one_at_a_time(handler: DynamoHandler) -> Any:
        with lock:
            return call_action(handler)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DynamoHandler, "call_action", one_at_a_time)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def moto_server(moto_process: str) -> str:
    """The same, empty."""
    httpx.post(f"{moto_process}/moto-api/reset").raise_for_status()
    return moto_process


@pytest.fixture(scope="session")
def kinesis_mock() -> Iterator[str]:
    """The URL of a Kinesis stand-in that splits and merges shards as AWS does."""
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        pytest.skip("not run: kinesis-local needs Node.js and npm")
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "LOG_LEVEL": "ERROR",
        "AWS_REGION": REGION,
        **{f"{call}_DURATION": "10ms" for call in ("CREATE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS")},
    }
    server = subprocess.Popen(
        [node, "main.js"],
        cwd=installed_kinesis_mock(),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()  # it outlives a SIGTERM by far when a client of its was killed
        server.wait(timeout=30)


@pytest.fixture(autouse=True)
def invented_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here reaches AWS or needs somebody's account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "invented")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "invented")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
