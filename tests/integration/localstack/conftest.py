"""LocalStack for real: the one that answers already, else its image, else its package."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import httpx
import pytest

from localstack_client.session import Session


LOCK = Path(__file__).parents[3] / "infra" / "locks" / "localstack.txt"
REGION = "eu-central-1"

#: Read now: each test's environment is without AWS's variables.
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL", "")

#: Limits (s) on one step of the installation, on the start, and on the end.
INSTALL_LIMIT_S = 600.0
START_LIMIT_S = 120.0
STOP_LIMIT_S = 120.0

#: In a container, too, it keeps its files under FILESYSTEM_ROOT.
ON_HOST = {"OVERRIDE_IN_DOCKER": "0"}

SETTINGS = {
    "SERVICES": "cloudformation,events,iam,kinesis,kms,s3,sns,sqs,sts",
    "DISABLE_EVENTS": "1",  # it tells nobody that it is used
    "DNS_ADDRESS": "0",  # no name server
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "KINESIS_LATENCY": "0",  # ms that a stream takes to be made
}

#: Makes a client of a service.
Aws = Callable[[str], Any]

#: Whether each way is open -> the way, "" if none is.
Choose = Callable[..., str]


def _choose(*, given: bool, docker: bool, node: bool) -> str:
    """Which LocalStack to use."""
    if given:
        return "given"
    if docker:
        return "image"
    return "package" if node else ""


def _is_localstack(url: str) -> bool:
    """Whether it is LocalStack that answers there."""
    try:
        return "services" in httpx.get(f"{url}/_localstack/health", timeout=5).json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return False


def _succeeds(*command: str) -> bool:
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _not_run(why: str) -> NoReturn:
    """Leave the tests out and say so; where everything must run, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"not run: {why}")
    pytest.skip(f"not run: {why}")


def _version() -> str:
    locked = re.search(r"^localstack-core\[runtime\]==(\S+)", LOCK.read_text(), re.MULTILINE)
    assert locked
    return locked[1]


# --- from its image ---


@contextmanager
def _from_image() -> Iterator[str]:
    options = ["--detach", "--publish=127.0.0.1::4566", "--env=DISABLE_EVENTS=1"]
    container = _output("docker", "run", *options, f"localstack/localstack:{_version()}")
    try:
        url = f"http://{_output('docker', 'port', container, '4566/tcp')}"
        _wait(url, lambda: True, lambda: _output("docker", "logs", container))
        yield url
    finally:
        _output("docker", "rm", "--force", "--volumes", container)


def _output(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=INSTALL_LIMIT_S
    )
    return done.stdout.strip()


# --- from its package ---


@contextmanager
def _from_package(folder: Path) -> Iterator[str]:
    """All it writes goes into the folder."""
    home = _installed()
    (folder / "usr" / "lib").mkdir(parents=True)
    (folder / "usr" / "lib" / "localstack").symlink_to(_programs(home))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "FILESYSTEM_ROOT": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "GATEWAY_LISTEN": address,
        **ON_HOST,
        **SETTINGS,
    }
    log = folder / "localstack.log"
    command = [str(home / "bin" / "python"), "-m", "localstack.runtime.main"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _wait(f"http://{address}", lambda: server.poll() is None, log.read_text)
        yield f"http://{address}"
    finally:
        server.terminate()  # it ends its kinesis-mock itself
        server.wait(STOP_LIMIT_S)


def _installed() -> Path:
    """Where it is installed, at first use; who comes meanwhile waits."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    home = caches / "connect-dynamics" / f"localstack-{_version()}"
    home.parent.mkdir(parents=True, exist_ok=True)
    stamp = home / "stamp"
    wanted = f"{hashlib.sha256(LOCK.read_bytes()).hexdigest()} {sys.version}"
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(home, ignore_errors=True)
            _install(home)
            stamp.write_text(wanted)
    return home


def _install(home: Path) -> None:
    """A virtual environment with LocalStack, and its Kinesis, which it gets from npm."""
    environment = {
        **os.environ,
        **ON_HOST,
        "FILESYSTEM_ROOT": str(home / "root"),
        "PYTHONPYCACHEPREFIX": "",  # bytecode beside the source, where it is looked for later
    }
    python = str(home / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(home)],
        [*pip, "--require-hashes", "--requirement", str(LOCK)],
        [python, "-m", "localstack.cli.lpm", "install", "kinesis-mock"],
    ):
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_LIMIT_S,
            check=False,
        )
        if done.returncode:
            _not_run(f"LocalStack cannot be installed: {done.stdout.strip()[-500:]}")


def _programs(home: Path) -> Path:
    """Where LocalStack's own package manager puts what it installs."""
    return home / "root" / "usr" / "lib" / "localstack"


def _wait(url: str, runs: Callable[[], bool], log: Callable[[], str]) -> None:
    """Wait until LocalStack answers."""
    deadline = time.monotonic() + START_LIMIT_S
    while not _is_localstack(url):
        if time.monotonic() > deadline or not runs():
            pytest.fail(f"LocalStack did not start:\n{log()[-3000:]}")
        time.sleep(0.1)


# --- fixtures ---


@pytest.fixture(scope="session")
def localstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a LocalStack."""
    ways: dict[str, Callable[[], AbstractContextManager[str]]] = {
        "given": lambda: nullcontext(ENDPOINT),
        "image": _from_image,
        "package": lambda: _from_package(tmp_path_factory.mktemp("localstack")),
        "": lambda: _not_run("LocalStack needs Docker, or Node.js and npm"),
    }
    way = _choose(
        given=bool(ENDPOINT) and _is_localstack(ENDPOINT),
        docker=_succeeds("docker", "info"),
        node=all(map(shutil.which, ("node", "npm"))),
    )
    with ways[way]() as url:
        yield url


@pytest.fixture
def aws(localstack: str) -> Iterator[Aws]:
    """Makes clients that reach LocalStack alone."""
    session = Session(localstack_host=urlsplit(localstack).netloc, region_name=REGION)
    made = []

    @cache
    def client(service: str) -> Any:
        made.append(session.client(service))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def choose() -> Choose:
    """How the way to a LocalStack is chosen."""
    return _choose


@pytest.fixture
def is_localstack() -> Callable[[str], bool]:
    """How it is told from other stand-ins."""
    return _is_localstack
