"""Facts to tell stories with (one answered call from 03:00:00 to 03:04:05), and twins."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from hypothesis import settings

from pipelines.action import Action, OpenPage
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.loader import load
from pipelines.outcome import Done, Shown
from pipelines.pipeline import Pipeline
from pipelines.settle import settle
from rawserver import Server
from twins.calls import Call
from twins.calls import calls as some_calls
from twins.loop import VirtualLoop, run
from twins.rig import Rig


# The machine may be busy; what hypothesis would call slow is judged by benchmarks.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")

CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
INSTANCE = "arn:aws:connect:eu-central-1:111122223333:instance/1a2b"
QUEUED = {"queueArn": f"{INSTANCE}/queue/77", "enqueueTimestamp": "2026-01-02T03:00:05.036Z"}
ANSWERED = {
    "agentArn": f"{INSTANCE}/agent/88",
    "connectedToAgentTimestamp": "2026-01-02T03:00:20.768Z",
}
RECORDING = f"connect/acme/CallRecordings/2026/01/02/{CONTACT}_20260102T03:00_UTC.wav"

#: What each event says of itself beside what all say.
SAID: dict[str, dict[str, Any]] = {
    "QUEUED": {"queueInfo": QUEUED},
    "CONNECTED_TO_AGENT": {"queueInfo": QUEUED, "agentInfo": ANSWERED},
    "DISCONNECTED": {"disconnectTimestamp": "2026-01-02T03:04:05.154Z"},
}


def only(message: dict[str, Any]) -> Fact:
    (fact,) = decode(orjson.dumps(message))
    assert isinstance(fact, Fact)
    return fact


def spoken(kind: str, time: str = "2026-01-02T03:04:40Z", **detail: Any) -> Fact:
    said = {
        "eventType": kind,
        "contactId": CONTACT,
        "channel": "VOICE",
        "initiationMethod": "INBOUND",
        "instanceArn": INSTANCE,
        "initiationTimestamp": "2026-01-02T03:00:00.403Z",
        **SAID.get(kind, {}),
        **detail,
    }
    envelope = {"detail-type": "Amazon Connect Contact Event", "source": "aws.connect"}
    return only({**envelope, "time": time, "detail": said})


def written(**fields: Any) -> Fact:
    record = {
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "ContactId": CONTACT,
        "InstanceARN": INSTANCE,
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-01-02T03:00:00Z",
        "DisconnectTimestamp": "2026-01-02T03:04:05Z",
        "LastUpdateTimestamp": "2026-01-02T03:05:30Z",
        "CustomerEndpoint": {"Address": "+4930901820", "Type": "TELEPHONE_NUMBER"},
        "Queue": {
            "ARN": f"{INSTANCE}/queue/77",
            "Name": "Support",
            "EnqueueTimestamp": "2026-01-02T03:00:05Z",
        },
        "Agent": {
            "ARN": f"{INSTANCE}/agent/88",
            "Username": "ada",
            "ConnectedToAgentTimestamp": "2026-01-02T03:00:20Z",
        },
        "Attributes": {"CallReason": "invoice"},
    }
    return only(record | fields)


def kept(
    key: str = RECORDING,
    bucket: str = "recordings",
    region: str | None = "eu-central-1",
    sequencer: str = "0061A",
) -> Fact:
    return only(
        {
            "detail-type": "Object Created",
            "source": "aws.s3",
            "time": "2026-01-02T03:06:00Z",
            "region": region,
            "detail": {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": sequencer}},
        }
    )


def heard(*facts: Fact) -> Contact:
    contact = Contact(CONTACT)
    for fact in facts:
        contact.observe(fact)
    return contact


def carried_out(contact: Contact, writes: Iterable[Action], answer: dict[str, Any]) -> None:
    for write in writes:
        settle(contact, write, Shown() if isinstance(write, OpenPage) else Done(answer))


@pytest.fixture(scope="session")
def event() -> Callable[..., Fact]:
    """``event("QUEUED", channel="CHAT")``: a contact event, changed as the keywords say."""
    return spoken


@pytest.fixture(scope="session")
def record() -> Callable[..., Fact]:
    """``record(Agent=None)``: the contact record of an answered call, changed likewise."""
    return written


@pytest.fixture(scope="session")
def stored() -> Callable[..., Fact]:
    """``stored(key, bucket, region)``: S3 tells of a file, a voice recording by default."""
    return kept


@pytest.fixture(scope="session")
def told() -> Callable[..., Contact]:
    """``told(*facts)``: the contact they make."""
    return heard


@pytest.fixture(scope="session")
def carry_out() -> Callable[[Contact, Iterable[Action], dict[str, Any]], None]:
    """Dynamics acknowledges writes, each with this answer."""
    return carried_out


# --- virtual time ---

#: Rooms and modules all of whose tests run in virtual time.
VIRTUAL = (
    "tests/unit/engine/",
    "tests/unit/amazon_connect/",
    "tests/unit/operations/test_erasure.py",
    "tests/unit/operations/test_progress.py",
    "tests/unit/operations/test_rebinding.py",
    "tests/unit/leases/",
    "tests/unit/regressions/test_breakage_pipelines.py",
    "tests/unit/regressions/test_breakage_pressure.py",
    "tests/unit/regressions/test_peers_",
    "tests/unit/sources/test_kinesis_budget.py",
    "tests/unit/sources/test_kinesis_stream.py",
    "tests/unit/sources/test_sqs_queue.py",
    "tests/unit/test_service.py",
)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.nodeid.startswith(VIRTUAL):
        return {"virtual time": VirtualLoop}
    return {"real time": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def virtually() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine to its end in virtual time, which starts at 0."""
    return run


# --- a worker's parts, or whole workers, on twins ---


@pytest.fixture
async def rig() -> Rig:
    return Rig()


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    return Rig


@pytest.fixture
def pipeline() -> Callable[[str], list[Pipeline]]:
    """Loads a pipeline from the steps' TOML."""
    return lambda steps: [load(f'name = "p"\n{steps}')]


@pytest.fixture
def calls() -> Callable[[int], list[Call]]:
    """So many calls."""
    return some_calls


@pytest.fixture
def call() -> Call:
    return Call()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture
def server(certificates: Path) -> Server:
    """A TLS server that does as it is told."""
    return Server(certificates)
