"""A real worker among hostile services: whatever they spoil, what happened comes to Dynamics."""

from __future__ import annotations

import asyncio
import signal
import ssl
import time

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

import trustme

from fleet.crew import Crew, Worker, crew
from fleet.ground import inherited, local_client
from hostile.behaviours import Behaviour
from hostile.middle import HOST, Middle
from worker.definitions import SHIPPED
from worker.operations.parked import parked_writes, retry_parked
from worker.sandbox.amazon.connect_api import AmazonConnect
from worker.sandbox.amazon.contact_lens import analyses
from worker.sandbox.amazon.moto_server import Cloud, embedded_aws
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.oracle.customers import employ, introduce
from worker.sandbox.oracle.verdict import differences, expected
from worker.sandbox.server import serve, serve_plainly
from worker.sandbox.traffic import EVENTS, History, Leg, SentMessage, history
from worker.stores import open_store
from worker.stores.dynamodb import DynamoStore
from worker.stores.protocol import ContactStore
from worker.stores.tables import create_tables


#: Settings with a service's address in them, by service.
ADDRESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "dynamics": ("CONNECT_DYNAMICS_ENVIRONMENT_URL",),
    "entra": ("CONNECT_DYNAMICS_AUTHORITY",),
    "connect": ("AWS_ENDPOINT_URL_CONNECT",),
    "s3": ("AWS_ENDPOINT_URL_S3",),
    "sqs": ("AWS_ENDPOINT_URL_SQS", "CONNECT_DYNAMICS_RECORDINGS"),
    "kinesis": ("AWS_ENDPOINT_URL_KINESIS",),
    "dynamodb": ("AWS_ENDPOINT_URL_DYNAMODB",),
}

#: The pipelines of the calls that are told.
PIPELINES: Final = ("phonecall", "timeline")

#: What pipelines wait for a recording.
WITHIN, SHORT_WITHIN = "15m", "3s"

#: How long (s) anything here may take to happen, and how often we look.
LIMIT_S: Final = 60.0
LOOK_S: Final = 0.05

#: To the worker, its pipelines are this old: what it is told of began before it did.
_AGE: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was answered, recorded and analysed, and what is told about it."""

    leg: Leg
    sent: Sequence[SentMessage]

    def until_the_answer(self) -> list[SentMessage]:
        """The events of a call that is on."""
        return [
            message
            for message in self.sent
            if message.stream == EVENTS and b'"DISCONNECTED"' not in message.body
        ][:3]


@dataclass(slots=True)
class World:
    """What runs.

    Attributes:
        cloud: Where messages are put.
        amazon: Connect's API.
        dataverse: The sandbox.
        middles: Who spoils what the worker asks of it, by service.
        store: The worker's state.
        crew: The worker's processes; of several, one runs.
        environment: Its settings.
        folder: Where its files are.
        told: All calls told.
    """

    cloud: Cloud
    amazon: AmazonConnect
    dataverse: Dataverse
    middles: Mapping[str, Middle]
    store: ContactStore
    crew: Crew
    environment: Mapping[str, str]
    folder: Path
    told: list[Call] = field(default_factory=list)
    _seeds: Iterator[int] = field(default_factory=count)

    async def worker(self) -> Worker:
        """The one that runs, or a new one in its place, once it is at work."""
        for worker in self.crew.running:
            return worker
        worker = await self.crew.start()
        await until(lambda: bool(worker.said("service.started")), worker)
        return worker

    async def calls(self, number: int) -> list[Call]:
        """New calls, which Connect, Dynamics and S3 know of; nothing is told yet."""
        calls = [self._call() for _ in range(number)]
        for call in calls:
            self.amazon.meet(call.leg)
        introduce(self.dataverse, [call.leg.customer for call in calls])
        await self.cloud.keep(analyses(call.leg for call in calls))
        self.told += calls
        return calls

    def _call(self) -> Call:
        begin = datetime.now(UTC) - timedelta(seconds=1)
        for seed in self._seeds:
            story = history("voice_inbound", Random(seed), begin)
            if _is_whole(story):
                return Call(story.contacts[0], story.sent)
        raise AssertionError

    async def tell(self, calls: Iterable[Call]) -> None:
        """All about these calls at once."""
        await self.cloud.put([message for call in calls for message in call.sent])

    async def retry_parked(self, worker: Worker) -> None:
        """Wait until something is parked, and have all that is tried again, as an operator has."""
        await until(lambda: bool(worker.said("push.parked")), worker)
        async for write in parked_writes(self.store):
            await retry_parked(self.store, write)

    async def unread(self) -> int:
        """How many messages of the queue were not acknowledged."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await self.cloud.sqs.get_queue_attributes(
            QueueUrl=self.cloud.queue_url, AttributeNames=names
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    def wrong(self, calls: Sequence[Call], *, notes: bool = True) -> list[str]:
        """What Dynamics does not hold of these calls as it happened; ``notes``: their texts too."""
        wanted = expected([call.leg for call in calls], PIPELINES)
        keys = {one.key for one in wanted}
        if not notes:
            for one in wanted:
                one.columns.pop("notetext", None)
        rows = self.dataverse.dump()
        records = {
            name: [row for row in rows.get(name, []) if _key(row) in keys]
            for name in {one.entity_set for one in wanted}
        }
        return list(differences(wanted, records))

    def activities(self, call: Call) -> list[str]:
        """The keys of what Dynamics holds of a call, right or not."""
        wanted = {one.key for one in expected([call.leg], PIPELINES)}
        return [key for row in self.dataverse.dump()["phonecalls"] if (key := _key(row)) in wanted]

    async def written(self, calls: Sequence[Call], worker: Worker, *, notes: bool = True) -> None:
        """Wait until Dynamics holds these calls as they happened."""
        wrong: list[str] = []

        def right() -> bool:
            wrong[:] = self.wrong(calls, notes=notes)
            return not wrong

        try:
            await until(right, worker)
        except AssertionError as error:
            raise AssertionError(f"{error}: {wrong[:3]}") from None

    @asynccontextmanager
    async def spoiled(
        self, service: str, behaviour: Behaviour, times: float
    ) -> AsyncIterator[Middle]:
        """Let a service behave so, for as long as the block lasts."""
        middle = self.middles[service]
        middle.spoiled.clear()
        await middle.spoil([behaviour], times)
        try:
            yield middle
        finally:
            middle.mend()


async def ended(worker: Worker) -> int | None:
    """Ask a worker to end; its status, None if it does not in time."""
    worker.send(signal.SIGTERM)
    try:
        async with asyncio.timeout(LIMIT_S):
            return await worker.process.wait()
    except TimeoutError:
        worker.send(signal.SIGKILL)
        await worker.process.wait()
        return None


async def until(holds: Callable[[], bool], worker: Worker, limit_s: float = LIMIT_S) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: It does not in time, or the worker has ended.
    """
    deadline = time.monotonic() + limit_s
    while not holds():
        assert worker.running, (
            f"the worker ended with {worker.process.returncode}: {last_words(worker)}"
        )
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s"
        await asyncio.sleep(LOOK_S)


def last_words(worker: Worker) -> str:
    """The end of its log."""
    return worker.log.read_text(encoding="utf-8")[-1500:]


def indiscretions(worker: Worker, calls: Iterable[Call]) -> list[str]:
    """Personal data and tracebacks in a worker's log."""
    log = worker.log.read_text(encoding="utf-8")
    secrets = {
        value
        for call in calls
        for value in (call.leg.customer.number, call.leg.customer.name, call.leg.customer.email)
    }
    found = [
        f"personal data, in {log[max(0, log.find(s) - 200) :][:300]}"
        for s in secrets
        if s and s in log
    ]
    return [*found, *(word for word in ("Traceback", "never retrieved") if word in log)]


@asynccontextmanager
async def world(
    folder: Path, *, state: str = "sqlite", also: str = "", **more: str
) -> AsyncIterator[World]:
    """A world without a worker yet.

    Args:
        folder: An empty folder for all files.
        state: ``sqlite`` or ``dynamodb``.
        also: Paths of pipelines beside the shipped ones, separated by commas.
        more: Other settings.
    """
    ca = folder / "ca.pem"
    dataverse, amazon = create_dataverse(), AmazonConnect()
    employ(dataverse)
    async with AsyncExitStack() as stack:
        stack.callback(dataverse.close)
        cloud = await stack.enter_async_context(embedded_aws())
        url = await stack.enter_async_context(serve(dataverse, ca_path=ca))
        connect_url = await stack.enter_async_context(serve_plainly(amazon.app))
        aws_url = cloud.environment["AWS_ENDPOINT_URL"]
        if state == "dynamodb":
            spec, store = "dynamodb:state", await _dynamo(stack, aws_url)
        else:
            spec = f"sqlite:{folder / 'state.sqlite'}"
            store = open_store(spec)
        stack.push_async_callback(store.close)
        files = ",".join(filter(None, (pipelines(folder), also)))
        await age(store, (Path(path).stem for path in files.split(",")))
        environment = {
            **inherited(),
            **cloud.environment,
            **settings(url, ca),
            "AWS_ENDPOINT_URL_CONNECT": connect_url,
            "AWS_MAX_ATTEMPTS": "2",
            "CONNECT_DYNAMICS_CONNECT_SHARE": "1",
            "CONNECT_DYNAMICS_POLL_S": "0.2",
            "CONNECT_DYNAMICS_VISIBILITY_S": "4",  # a message whose receipt was lost comes again
            "CONNECT_DYNAMICS_STATE": spec,
            "CONNECT_DYNAMICS_METRICS": "127.0.0.1:0",
            "CONNECT_DYNAMICS_PIPELINES": files,
            **more,
        }
        middles, environment = await stack.enter_async_context(between(environment, aws_url, ca))
        workers = await stack.enter_async_context(crew(environment, folder))
        yield World(cloud, amazon, dataverse, middles, store, workers, environment, folder)


@asynccontextmanager
async def between(
    environment: Mapping[str, str], aws_url: str, ca: Path
) -> AsyncIterator[tuple[dict[str, Middle], dict[str, str]]]:
    """Men in the middle of all services that are named, and the settings that lead through them.

    All speak TLS, by an authority that is added to the file ``ca``.
    """
    authority = trustme.CA()
    near = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost").configure_cert(near)
    far = ssl.create_default_context(cafile=str(ca))
    with ca.open("ab") as bundle:
        bundle.write(authority.cert_pem.bytes())
    changed = {**environment, "AWS_CA_BUNDLE": str(ca)}
    middles = {}
    async with AsyncExitStack() as stack:
        for service, names in ADDRESSES.items():
            address = urlsplit(environment.get(names[0], aws_url))
            assert address.port is not None
            middle = Middle(address.port, near, far if address.scheme == "https" else None)
            await stack.enter_async_context(middle.listening())
            middles[service] = middle
            for name in names:
                path = urlsplit(environment.get(name, aws_url)).path
                changed[name] = f"https://{HOST}:{middle.port}{path}"
        yield middles, changed


def pipelines(folder: Path, names: Iterable[str] = PIPELINES) -> str:
    """Shipped pipelines with a shorter wait, as files; the setting that names them."""
    paths = [folder / f"{name}.toml" for name in names]
    for path in paths:
        text = (SHIPPED / path.name).read_text(encoding="utf-8")
        path.write_text(text.replace(f'"{WITHIN}"', f'"{SHORT_WITHIN}"'), encoding="utf-8")
    return ",".join(map(str, paths))


async def age(store: ContactStore, names: Iterable[str]) -> None:
    """Let the worker believe that it has known these pipelines for longer."""
    since = (datetime.now(UTC) - _AGE).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in names:
        await store.remember(f"pipeline/{name}", since)


async def _dynamo(stack: AsyncExitStack, aws_url: str) -> ContactStore:
    client = partial(local_client, "dynamodb", aws_url)
    await create_tables(await stack.enter_async_context(client()), "state")
    return DynamoStore("state", connect=client)


def _is_whole(story: History) -> bool:
    (leg, *others) = story.contacts
    return bool(not others and leg.answered and leg.key_of("recording") and leg.key_of("analysis"))


def _key(row: Mapping[str, Any]) -> str:
    return str(row.get("activityid") or row.get("annotationid") or "")
