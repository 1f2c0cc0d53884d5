"""The image runs as it is deployed: as uid 10001, on a root file system that is read-only.

Part of ``make judge``: building takes minutes. What cannot be shown on this machine is skipped as
"not run", each with what it needs.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time

from asyncio.subprocess import PIPE
from collections.abc import Callable
from typing import Any

import boto3
import pytest


pytestmark = [pytest.mark.judge, pytest.mark.timeout(1200)]

HEALTH = "import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/healthz', timeout=5)"
START_LIMIT_S = 60.0

#: Prints how many writes Dynamics took, as worker-a tells it.
WRITES = """
import urllib.request as r
lines = r.urlopen("http://127.0.0.1:9464/metrics", timeout=5).read().decode().splitlines()
print(sum(float(l.split()[-1]) for l in lines if l.startswith("connect_dynamics_writes_total{")))
"""

#: What no machine without an account or the open Internet can show.
ELSEWHERE = {
    "known vulnerabilities of the image": "an online vulnerability database",
    "the CloudWatch agent beside the worker": "its image and CloudWatch",
    "deploying the templates to AWS": "an account",
}


def _in(in_image: Any, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        in_image(environment, list(command)), capture_output=True, text=True, check=False
    )


def test_a_command_of_the_image_runs(in_image: Any) -> None:
    done = _in(in_image, "connect-dynamics", "states")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("stateDiagram-v2")


def test_the_image_runs_as_nobody_and_cannot_write(in_image: Any) -> None:
    assert _in(in_image, "id", "-u").stdout.strip() == "10001"
    for place in ("/data/x", "/opt/worker/x"):
        assert "Read-only file system" in _in(in_image, "touch", place).stderr


@pytest.mark.parametrize("tool", ["pip", "pip3", "gcc", "cc", "make", "git", "curl"])
def test_the_image_has_no_build_tools(in_image: Any, tool: str) -> None:
    assert _in(in_image, "sh", "-c", f"command -v {tool}").returncode != 0


def test_the_image_has_no_pip_to_import(in_image: Any) -> None:
    assert "No module named pip" in _in(in_image, "python", "-m", "pip").stderr


def test_the_image_has_the_agents_pages(in_image: Any) -> None:
    code = "from worker.desktop.assembly import DIST; print(*sorted(DIST.glob('*.html')))"
    done = _in(in_image, "python", "-c", code)
    names = [path.rpartition("/")[2] for path in done.stdout.split()]
    assert names == ["agent.html", "cif.html", "companion.html"], done.stderr


async def test_the_worker_is_healthy_and_ends_in_time_when_told_to(
    in_image: Any, moto_server: str
) -> None:
    client = boto3.client("kinesis", endpoint_url=moto_server)
    client.create_stream(StreamName="contact-events", ShardCount=2)
    client.close()
    port = _free_port()
    command = in_image(_settings(moto_server, port), ["connect-dynamics", "run"])
    worker = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
    try:
        await _healthy(in_image, port, worker)
        told = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        _, log = await asyncio.wait_for(worker.communicate(), timeout=30)
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()
    assert worker.returncode == 0, log.decode()
    assert time.monotonic() - told < 30
    assert b"service.stopped" in log


def test_compose_understands_its_file(compose: Callable[..., str]) -> None:
    assert "worker-b" in compose("config", "--services").split()


@pytest.mark.usefixtures("engine", "in_image")  # which makes the pages that it copies
def test_compose_brings_contacts_from_traffic_to_dynamics(compose: Callable[..., str]) -> None:
    try:
        compose("up", "--build", "--detach")  # ends once both workers are healthy
        deadline = time.monotonic() + START_LIMIT_S
        while not float(compose("exec", "--no-TTY", "worker-a", "python", "-c", WRITES)):
            assert time.monotonic() < deadline, "nothing was written"
    finally:
        compose("down", "--volumes")


@pytest.mark.parametrize("what", ELSEWHERE)
def test_what_no_container_can_show_is_named(what: str) -> None:
    pytest.skip(f"not run: {what} (needs {ELSEWHERE[what]})")


def _settings(aws: str, port: int) -> dict[str, str]:
    """Dynamics is away, which is no reason to be unhealthy."""
    return {
        "AWS_ACCESS_KEY_ID": "invented",
        "AWS_SECRET_ACCESS_KEY": "invented",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": aws,
        "CONNECT_DYNAMICS_CONTACT_EVENTS": "contact-events",
        "CONNECT_DYNAMICS_ENVIRONMENT_URL": "https://127.0.0.1:9",
        "CONNECT_DYNAMICS_AUTHORITY": "https://127.0.0.1:9",
        "CONNECT_DYNAMICS_TENANT": "00000000-0000-4000-8000-000000000001",
        "CONNECT_DYNAMICS_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
        "CONNECT_DYNAMICS_SECRET": "env:INVENTED",
        "INVENTED": "invented",
        "CONNECT_DYNAMICS_STATE": "memory",
        "CONNECT_DYNAMICS_METRICS": f"127.0.0.1:{port}",
    }


async def _healthy(in_image: Any, port: int, worker: asyncio.subprocess.Process) -> None:
    """Wait until the image's own health check, there asked for another port, is content."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        check = in_image({}, ["python", "-c", HEALTH.format(port=port)])
        asked = await asyncio.create_subprocess_exec(*check, stderr=PIPE)
        _, trouble = await asked.communicate()
        if asked.returncode == 0:
            return
        assert worker.returncode is None, "the worker ended"
        assert time.monotonic() < deadline, trouble.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
