"""The command line as its users meet it: in this process, or as a program of its own."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import tempfile
import threading

from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any, NamedTuple

import pytest
import structlog

from worker import aws
from worker.cli import main
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.users import add_user
from worker.sandbox.server import serve


SAMPLES = Path(__file__).parents[2] / "samples"
PROGRAM = Path(sys.executable).parent / "connect-dynamics"

#: No command here may take longer (s).
LIMIT_S = 60.0


class Outcome(NamedTuple):
    """How a command ended."""

    status: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        """Its output as text."""
        return self.raw.decode()

    @property
    def report(self) -> dict[str, Any]:
        """Its output as the JSON object it is."""
        report: dict[str, Any] = json.loads(self.out)
        return report


Command = Callable[..., Outcome]


class Amazon:
    """Makes things on moto."""

    def __init__(self, url: str) -> None:
        self.url = url

    def do(self, service: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def doing() -> Any:
            async with aws.client(service, endpoint_url=self.url, whole=True) as client:
                return await work(client)

        return asyncio.run(doing())

    def stream(self, name: str, *, hours: int = 168) -> None:
        async def make(client: Any) -> None:
            await client.create_stream(StreamName=name, ShardCount=1)
            if hours != 24:
                await client.increase_stream_retention_period(
                    StreamName=name, RetentionPeriodHours=hours
                )
            await client.start_stream_encryption(
                StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis"
            )

        self.do("kinesis", make)

    def queue(self, **attributes: str) -> str:
        async def make(client: Any) -> str:
            answer = await client.create_queue(QueueName="recordings", Attributes=attributes)
            return str(answer["QueueUrl"])

        url: str = self.do("sqs", make)
        return url

    def bucket(self, name: str, notification: dict[str, Any]) -> None:
        async def make(client: Any) -> None:
            region = {"LocationConstraint": "eu-central-1"}
            await client.create_bucket(Bucket=name, CreateBucketConfiguration=region)
            await client.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration=notification
            )

        self.do("s3", make)


@dataclass(frozen=True)
class Served:
    """A sandbox over TLS; ``requests`` are method, path and status of each as it is answered."""

    dataverse: Dataverse
    environment: Mapping[str, str]
    requests: Queue[tuple[str, str, int]]

    @property
    def url(self) -> str:
        return self.environment["CONNECT_DYNAMICS_ENVIRONMENT_URL"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no settings from outside."""
    for name in [name for name in os.environ if name.startswith("CONNECT_DYNAMICS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CONNECT_DYNAMICS_METRICS", "127.0.0.1:0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Command]:
    """Runs ``connect-dynamics`` in this process; an exception that escapes fails the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))

    def run(*arguments: object, answer: str = "") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["connect-dynamics", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfdbinary.readouterr()
        assert b"Traceback" not in err
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, out, err.decode())

    yield run
    structlog.reset_defaults()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``connect-dynamics``; what still runs at the end is ended."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            # As most people's: what a command says while it serves must not lie in a buffer.
            env={**os.environ, "PYTHONUNBUFFERED": "", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A sandbox over TLS in a thread of its own."""
    requests: Queue[tuple[str, str, int]] = Queue()
    dataverse = create_dataverse(listener=lambda *told: requests.put(told))
    ca = tmp_path / "ca.pem"
    listening: Future[str] = Future()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def work() -> None:
        async with serve(dataverse, ca_path=ca) as url:
            listening.set_result(url)
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(work(),))
    thread.start()
    yield Served(dataverse, settings(listening.result(LIMIT_S), ca), requests)
    loop.call_soon_threadsafe(stop.set)
    thread.join(LIMIT_S)
    loop.close()
    dataverse.close()


@pytest.fixture
def reached(served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The same, with the settings that reach it in the environment."""
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)
    return served


@pytest.fixture
def second_user(reached: Served, monkeypatch: pytest.MonkeyPatch) -> str:
    """The client id of a second application user, with the settings that name it."""
    client_id = "22222222-2222-4333-8444-555555555555"
    reached.dataverse.tokens.clients[client_id] = "its secret"
    add_user(reached.dataverse.organisation.records, client_id)
    listed = [{"client_id": client_id, "secret": "env:SECOND_SECRET"}]
    monkeypatch.setenv("CONNECT_DYNAMICS_APPLICATION_USERS", json.dumps(listed))
    monkeypatch.setenv("SECOND_SECRET", "its secret")
    return client_id


@pytest.fixture
def day() -> Path:
    """One invented day: two calls, one answered and recorded, one given up."""
    return SAMPLES / "day.ndjson"


@pytest.fixture
def pipeline(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a pipeline file."""

    def write(text: str, name: str = "mine") -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(f'name = "{name}"\n{text}')
        return path

    return write


@pytest.fixture
def amazon(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Amazon:
    """An empty AWS, with the setting that reaches it, and one good stream."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    monkeypatch.setenv("CONNECT_DYNAMICS_CONTACT_EVENTS", "contact-events")
    found = Amazon(moto_server)
    found.stream("contact-events")
    return found
