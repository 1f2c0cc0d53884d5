"""Amazon's services answer badly on purpose, at the level of bytes: nothing else suffers."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from pipelines.action import LiveAction, OpenPage, WriteBack
from pipelines.contact import Contact
from pipelines.enrichment import Question
from pipelines.loader import load
from pipelines.outcome import Delayed, Shown
from worker import aws
from worker.amazon_connect import live
from worker.amazon_connect.client import ConnectClient
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.errors import Busy, ConnectError, ConnectRefused
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.amazon_connect.quota import Quota
from worker.clock import Clock
from worker.errors import ConfigError
from worker.faults import Faults
from worker.files import MOST_BYTES, S3Files
from worker.leases.dynamodb import DynamoLeases
from worker.leases.lease import Lease
from worker.leases.position import Position
from worker.leases.protocol import LeasesUnavailable
from worker.sandbox.amazon.moto_server import CREDENTIALS
from worker.sources.positions import begin_at_horizon
from worker.sources.protocol import Message
from worker.sources.shard_reader import Place, ShardReader
from worker.sources.shards import Shard
from worker.sources.sqs import SqsQueue
from worker.sources.stream_context import StreamContext


CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
INSTANCE = "11111111-2222-3333-4444-555555555555"


def answer(body: bytes, kind: str = "application/json", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n"
    return f"{head}x-amzn-RequestId: invented\r\nConnection: close\r\n\r\n".encode() + body


def page(body: bytes) -> bytes:
    """A proxy's answer, with nothing in it that is AWS's."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body


RESET = b""

#: What a server does with a connection, however well it was asked.
BADLY = {
    "closes without a word": b"\0",
    "resets": RESET,
    "cuts its answer": answer(b'{"Contact": {"Id": "c"', length=100),
    "cuts its head": b"HTTP/1.1 200 OK\r\nContent-",
    "speaks no HTTP": b"SSH-2.0-hello\r\n\r\n",
    "is a proxy's page": page(b"<html>Sign in</html>"),
    "is a proxy's page that calls itself AWS's": answer(b"<html>Sign in</html>"),
    "is empty": answer(b""),
    "is a list": answer(b"[]"),
    "is null": answer(b"null"),
    "is a text": answer(b'"Contact"'),
    "has lists for structures": answer(
        b'{"Contact": [], "Attributes": [], "User": [], "Queue": []}'
    ),
    "has texts for structures": answer(
        b'{"Contact": "", "Attributes": "x", "User": "", "Queue": 7}'
    ),
    "has no member": answer(b"{}"),
    "has times that are none": answer(b'{"Contact": {"InitiationTimestamp": "x"}, "User": 1}'),
}


@asynccontextmanager
async def answering(said: bytes) -> AsyncIterator[str]:
    """A server that always says this; gives its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        if said == RESET:
            writer.transport.abort()
        elif said != b"\0":
            writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def amazon(said: bytes) -> AsyncIterator[ConnectClient]:
    async with (
        answering(said) as url,
        aws.client("connect", endpoint_url=url, attempts=1) as connect,
    ):
        yield ConnectClient(connect, Quota(1.0), patience_s=5.0)


@pytest.mark.parametrize("said", BADLY.values(), ids=BADLY)
async def test_whatever_connect_answers_a_question_ends_in_an_answer_or_a_declared_error(
    said: bytes,
) -> None:
    async with amazon(said) as client:
        for ask in (client.contact, client.attributes, client.agent, client.queue):
            with pytest.raises(ConnectError):
                await ask(INSTANCE, CONTACT)


@pytest.mark.parametrize("said", [v for k, v in BADLY.items() if "AWS" not in k][:6])
async def test_attributes_are_not_written_unless_connect_itself_says_so(said: bytes) -> None:
    async with amazon(said) as client:
        with pytest.raises(Busy):
            await client.update_attributes(INSTANCE, CONTACT, {"ms_id": "x"})


async def test_an_empty_answer_of_connects_own_means_that_attributes_were_written() -> None:
    async with amazon(answer(b"")) as client:
        await client.update_attributes(INSTANCE, CONTACT, {"ms_id": "x"})


async def test_what_may_not_even_be_asked_is_refused_for_good_and_not_told() -> None:
    async with amazon(answer(b"{}")) as client:
        with pytest.raises(ConnectRefused) as refused:
            await client.attributes("", CONTACT)
    assert str(refused.value) == "GetContactAttributes answered ParamValidationError"


@pytest.mark.parametrize("said", BADLY.values(), ids=BADLY)
async def test_enrichment_goes_on_without_what_connect_answers_badly(said: bytes) -> None:
    async with amazon(said) as client:
        enrichment = Enrichment(client, [], patience_s=5.0)
        contact = Contact(CONTACT)
        await enrichment.complete(contact, [Question("contact", INSTANCE, CONTACT)])
    assert not contact.facts, "an answer that is none is no fact: it is asked again"


@pytest.mark.parametrize("error", [TypeError("+4930"), KeyError("+4930"), AttributeError("x")])
async def test_a_bug_in_one_question_leaves_the_others_their_answers(error: Exception) -> None:
    def script(call: str) -> None:
        if call == "DescribeUser":
            raise error

    connect = MemoryConnect(queues={"q": "Support"}, script=script)
    faults = Faults()
    enrichment = Enrichment(connect, [], patience_s=5.0, faults=faults)
    contact = Contact(CONTACT)
    questions = [Question("agent", INSTANCE, "a"), Question("queue", INSTANCE, "q")]
    with structlog.testing.capture_logs() as logs:
        await enrichment.complete(contact, questions)
    assert list(contact.enrichment) == ["queue"]
    ((boundary, fault),) = faults.counts
    assert (boundary, fault.kind) == ("enrichment", type(error).__name__)
    assert "+4930" not in str(logs)


@pytest.mark.parametrize("odd", [7, "text", ["list"], None, {"Address": {"x": 1}}])
async def test_answers_of_any_other_form_leave_a_contact_that_can_be_read(odd: Any) -> None:
    connect = MemoryConnect(
        contacts={CONTACT: {"CustomerEndpoint": odd, "SystemEndpoint": odd}},
        shared={CONTACT: odd if isinstance(odd, dict) else {"x": odd}},
    )
    body = '{"subject":"{{CustomerEndpoint}} {{Attributes.x}}"}'
    steps = f'on = "created"\nmethod = "POST"\nentity = "phonecalls"\nbody = \'{body}\''
    pipeline = load(f'name = "p"\n[[step]]\nname = "A"\n{steps}')
    enrichment = Enrichment(connect, [pipeline], patience_s=5.0)
    contact = Contact(CONTACT)
    asked = [
        Question("contact", INSTANCE, CONTACT),
        Question("attributes", INSTANCE, CONTACT, (("AskedOn", "created"),)),
    ]
    await enrichment.complete(contact, asked)
    enrichment.questions(contact)


@pytest.mark.parametrize(
    "action",
    [
        WriteBack("p/writeback", "attributes(x)", "i", CONTACT, CONTACT, {"ms_id": "x"}),
        OpenPage("p/S", "i", CONTACT, CONTACT, "https://x"),
    ],
    ids=lambda action: action.kind,
)
async def test_a_bug_in_telling_the_desktop_is_a_declared_outcome_that_tells_no_value(
    action: LiveAction,
) -> None:
    def script(_call: str) -> None:
        raise TypeError("+4930")

    class Broken(MemoryScreenPop):
        async def open(self, _opening: object) -> Shown:
            raise TypeError("+4930")

    faults = Faults()
    connect = MemoryConnect(script=script)
    outcome = await live.perform(action, connect, Broken(), faults)
    assert isinstance(outcome, Delayed)
    assert "our bug: TypeError at " in outcome.reason
    assert "+4930" not in outcome.reason
    assert [boundary for boundary, _ in faults.counts] == ["desktop"]


#: What S3 does with a file beside all that.
FILES = {
    "cuts the file": answer(b"half", "application/octet-stream", 100),
    "cuts a chunked file": b"HTTP/1.1 200 OK\r\nx-amz-request-id: i\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhal",
    "sends a broken chunk": b"HTTP/1.1 200 OK\r\nx-amz-request-id: i\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf",
    "resets": RESET,
    "closes without a word": b"\0",
    "cuts its head": b"HTTP/1.1 200 OK\r\nContent-",
    "is a proxy's page": page(b"<html>Sign in</html>"),
}


def s3_at(url: str) -> Callable[[], Any]:
    return partial(aws.client, "s3", endpoint_url=url, region="eu-central-1", attempts=1)


@pytest.mark.parametrize("said", FILES.values(), ids=FILES)
async def test_a_file_that_s3_hands_over_badly_is_not_read_and_not_named(said: bytes) -> None:
    faults = Faults()
    async with answering(said) as url:
        with structlog.testing.capture_logs() as logs:
            assert await S3Files(s3_at(url), faults).read("mueller-bucket", "a/Mueller.json") == b""
    assert [line["event"] for line in logs] == ["files.not_read"]
    assert "ueller" not in str(logs)
    assert not faults.counts


async def test_a_file_without_a_length_is_read_to_its_end_but_no_further_than_allowed() -> None:
    head = b"HTTP/1.1 200 OK\r\nx-amz-request-id: i\r\nConnection: close\r\n\r\n"
    async with answering(head + b"{}") as url:
        assert await S3Files(s3_at(url)).read("b", "k") == b"{}"
    async with answering(head + b"x" * (MOST_BYTES + 1)) as url:
        assert await S3Files(s3_at(url)).read("b", "k") == b""


@pytest.mark.parametrize("bucket", ["our bucket Müller", "", "a/b", "\ud800", "x" * 300])
async def test_a_bucket_that_can_be_none_is_not_read_and_not_named(bucket: str) -> None:
    with structlog.testing.capture_logs() as logs:
        assert await S3Files(s3_at("http://127.0.0.1:9")).read(bucket, "k") == b""
    assert [line["event"] for line in logs] == ["files.not_read"]
    assert not bucket or bucket not in str(logs)


async def test_a_bug_in_reading_a_file_costs_that_file_alone() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[Any]:
        raise TypeError("a/Mueller.json")
        yield

    faults = Faults()
    with structlog.testing.capture_logs() as logs:
        assert await S3Files(broken, faults).read("b", "a/Mueller.json") == b""
    assert [boundary for boundary, _ in faults.counts] == ["file"]
    assert "Mueller" not in str(logs)


# --- Kinesis, SQS and DynamoDB, and how AWS is set up ---

#: What any of these services may answer in AWS's stead, or from an AWS that has changed.
ODDLY = {
    **{name: said for name, said in BADLY.items() if "structures" not in name},
    "has members of other types": answer(
        b'{"Shards": 7, "ShardIterator": [], "Records": {}, "Messages": "x", "Failed": 1,'
        b' "Items": 7, "Item": "x", "Attributes": []}'
    ),
    "has rows of other types": answer(
        b'{"Shards": [{"ShardId": []}, 7], "Records": [{"Data": "%%"}], "Messages": [{"Body": 7}],'
        b' "Failed": [7], "Items": [{"leaseKey": {"N": "x"}}], "Item": {"leaseKey": {}},'
        b' "Attributes": {"leaseKey": {"S": "a"}, "leaseCounter": {"N": "x"}}}'
    ),
    "refuses without saying why": page(b"").replace(b"200 OK", b"400 No"),
}


@pytest.mark.parametrize("said", ODDLY.values(), ids=ODDLY)
async def test_whatever_kinesis_answers_passes_and_is_told_by_its_code(said: bytes) -> None:
    async with (
        answering(said) as url,
        aws.client("kinesis", endpoint_url=url, attempts=1) as kinesis,
    ):
        told = await troubles(StreamContext(kinesis, "stream").shards)
        feed = StreamContext(kinesis, "stream", poll_s=0.0)
        place = Place(begin_at_horizon(), done=None)
        reader = ShardReader(feed, "shardId-0", place, Unmoved())
        told += await troubles(reader._read)
    assert told == [True, True]


@pytest.mark.parametrize("said", ODDLY.values(), ids=ODDLY)
async def test_whatever_dynamodb_answers_of_leases_passes(said: bytes) -> None:
    lease = Lease("shardId-0", Position("1"), "me")
    async with (
        answering(said) as url,
        aws.client("dynamodb", endpoint_url=url, attempts=1) as dynamodb,
    ):
        leases = DynamoLeases(dynamodb, "leases")
        for call in (leases.scan, partial(leases.renew, lease), partial(leases.take, lease, "me")):
            with pytest.raises(LeasesUnavailable):
                await call()


@pytest.mark.parametrize(
    "name", ["is a proxy's page", "closes without a word", "refuses without saying why"]
)
async def test_no_lease_counts_as_written_because_of_an_answer_in_dynamodbs_stead(
    name: str,
) -> None:
    lease = Lease("shardId-0", Position("1"), "me")
    async with (
        answering(ODDLY[name]) as url,
        aws.client("dynamodb", endpoint_url=url, attempts=1) as dynamodb,
    ):
        leases = DynamoLeases(dynamodb, "leases")
        for call in (leases.create, leases.delete):
            with pytest.raises(LeasesUnavailable):
                await call(lease)


@pytest.mark.parametrize("said", ODDLY.values(), ids=ODDLY)
async def test_whatever_sqs_answers_the_receiver_goes_on(said: bytes) -> None:
    stop = asyncio.Event()
    codes: list[str] = []
    handled: list[Message] = []

    async def handle(batch: Sequence[Message]) -> None:
        handled.extend(batch)

    def troubled(_queue: str, code: str) -> None:
        codes.append(code)
        stop.set()

    # An answer of AWS's own without messages is good: there are none.
    good = said.startswith(answer(b"")[:60])
    async with answering(said) as url:
        connect = partial(aws.client, "sqs", endpoint_url=url, attempts=1)
        slowly = Clock(sleep=lambda _: asyncio.sleep(0.01))
        faults = Faults()
        queue = SqsQueue(
            connect,
            f"{url}/1/q",
            clock=slowly,
            on_trouble=troubled,
            faults=faults,
        )
        asyncio.get_running_loop().call_later(0.3 if good else 20, stop.set)
        async with asyncio.timeout(30):
            await queue.run(handle, stop)
    assert not handled
    assert not faults.counts
    assert codes or good


class Unmoved:
    """A bookmark that nothing is written to."""

    async def move(self, sequence: int) -> None:
        raise AssertionError(sequence)

    async def end(self, children: Sequence[Shard]) -> None:
        raise AssertionError(children)


async def troubles(call: Callable[[], Awaitable[Any]]) -> list[bool]:
    """Whether a call ends in what passes."""
    try:
        await call()
    except aws.FAILURES as failure:
        return [aws.may_pass(failure)]
    return []


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"AWS_PROFILE": "müller"}, "AWS_PROFILE names a profile"),
        ({"AWS_ENDPOINT_URL": "junk"}, "check AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "http://["}, "check AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL_SQS": "ftp//x"}, "check AWS_ENDPOINT_URL"),
        ({"AWS_CONFIG_FILE": "/dev/null/x", "AWS_PROFILE": "x"}, "AWS_PROFILE names"),
        ({"AWS_DEFAULT_REGION": "eu central"}, "no AWS client can be made"),
    ],
)
async def test_how_aws_is_set_up_wrongly_is_one_line_without_the_value(
    monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], named: str
) -> None:
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=named) as wrong:
        async with aws.client("sqs"):
            pass
    assert not any(value in str(wrong.value) for value in setting.values())


async def test_a_configuration_file_that_is_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_bytes(b"\0\xff[broken\n= x")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(ConfigError, match="no AWS client can be made"):
        async with aws.client("sqs"):
            pass
