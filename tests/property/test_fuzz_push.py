"""Fuzzing the whole of push: templates' results, and every byte that services answer.

The real clients, with the network replaced in this process: whatever comes, a contact's round ends
in a declared outcome, and no fault is noted.
"""

from __future__ import annotations

import asyncio
import io
import logging

from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any, Final, TypeVar

import httpx
import orjson
import pytest
import structlog

from aiobotocore.awsrequest import AioAWSResponse
from botocore.awsrequest import HeadersDict
from hypothesis import strategies as st

from fuzzing import anything, changes, hunt, mutated, places, reshaped
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.lens import said_in
from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from pipelines.source import PipelineError
from worker import aws
from worker.amazon_connect.client import ConnectClient
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.amazon_connect.quota import Quota
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.auth import MsalTokens, StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.errors import DynamicsError
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.dynamics.performer import Performer
from worker.dynamics.transport import Broken
from worker.engine.planner import Planner
from worker.engine.transaction import Transactions
from worker.files import MemoryFiles
from worker.sandbox.amazon.contact_lens import analyses
from worker.sandbox.amazon.moto_server import CREDENTIALS, REGION
from worker.sandbox.oracle.verdict import MADE_BY
from worker.sandbox.traffic import EVENTS, KINDS, RECORDS, History, history
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry


T = TypeVar("T")

NOW: Final = 1_767_402_000.0

#: Rounds of a contact; what is to be tried again is due in each.
ROUNDS: Final = 3
LATER_S: Final = 400.0

USER: Final = "99999999-9999-4999-8999-999999999999"


@cache
def runner() -> asyncio.Runner:
    """One loop for all examples: making one takes longer than an example."""
    return asyncio.Runner()


@pytest.fixture(scope="module", autouse=True)
def _loop() -> Iterator[None]:
    """The loop ends with the module; a hunt says so much that nobody could keep it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
    runner().close()
    runner.cache_clear()


def run(work: Coroutine[Any, Any, T]) -> T:
    return runner().run(work)


async def no_time(_seconds: float) -> None:
    """Sleeping takes none."""


@cache
def stories() -> list[History]:
    """Calls, chats, mails and tasks, each with all its messages."""
    kinds = ("voice_inbound", "chat", "email_inbound", "task", "voice_transfer")
    return [history(kind, Random(f"fuzz {kind}")) for kind in kinds if kind in KINDS]


@cache
def pipelines(channel: str) -> list[Pipeline]:
    """The shipped pipelines that contacts of a channel are for."""
    return [find(name) for name in (MADE_BY[channel][1], "timeline")]


def of(story: History) -> list[Pipeline]:
    return pipelines(story.contacts[0].channel)


def contact_of(bodies: Sequence[bytes]) -> Contact | None:
    """The contact that messages are about."""
    facts = [fact for body in bodies for fact in decode(body) if isinstance(fact, Fact)]
    if not facts:
        return None
    contact = Contact(facts[0].contact_id)
    for fact in facts:
        if fact.contact_id == contact.id:
            contact.observe(fact)
    return contact


# --- Dynamics -----------------------------------------------------------------------------------


class Way(httpx.AsyncBaseTransport):
    """The way to a Dynamics that takes everything; what comes back is spoiled in turn."""

    def __init__(self, spoils: Sequence[Any] = ()) -> None:
        self._spoils = list(spoils)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, headers, body = true_answer(request)
        if self._spoils:
            what, how = self._spoils.pop(0)
            if what == "raise":
                raise how
            if what == "status":
                status = how
            if what == "headers":
                headers = [*headers, *how]
            if what == "body":
                body = mutated(body, how)
            if what == "values":
                body = reshaped(body, how) if body else orjson.dumps([new for _, new in how])
            if what == "bytes":
                body = how
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


def true_answer(request: httpx.Request) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """What Dataverse answers."""
    path = request.url.path.rpartition("/")[2]
    marks = [(b"OData-Version", b"4.0"), (b"x-ms-dop-hint", b"8")]
    if request.method == "GET":
        row = {"contactid": USER, "systemuserid": USER, "fullname": "Kim", "UserId": USER}
        rows = row if path == "WhoAmI" or "(" in path else {"value": [row]}
        return 200, marks, orjson.dumps(rows)
    entity_id = f"https://sandbox.invalid/api/data/v9.2/{path.partition('(')[0]}({USER})"
    marks.append((b"OData-EntityId", entity_id.encode()))
    if b"return=representation" in request.headers.get("prefer", "").encode():
        return 201, marks, orjson.dumps({"activityid": USER, "@odata.etag": "W/1"})
    return 204, marks, b""


ROW: Final = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=12)
HEADERS: Final = st.tuples(
    st.sampled_from(
        [
            *("OData-Version", "x-ms-dop-hint", "Retry-After", "Date", "Content-Encoding"),
            *("Content-Type", "OData-EntityId", "x-ms-ratelimit-burst-remaining-xrm-requests"),
            *("x-ms-ratelimit-time-remaining-xrm-requests", "Location"),
        ]
    ).map(str.encode),
    (
        st.sampled_from(["9" * 5000, "-1", "nan", "1e999", "gzip", "gzip, gzip", "zstd", "0"])
        | st.sampled_from(["Thu, 01 Jan 2026 00:00:01 +99999999999999999999", "x" * 9000])
        | ROW
    ).map(lambda text: text.encode("latin-1")),
)
CHANGED: Final = st.lists(st.tuples(places, anything), min_size=1, max_size=3)
#: What ``worker.dynamics.transport`` makes of everything that breaks off.
FAILURES: Final = st.sampled_from(
    [httpx.ReadError, httpx.DecodingError, httpx.ConnectTimeout, httpx.ConnectError, Broken]
).map(lambda kind: kind("x"))
SPOILS: Final = st.lists(
    st.one_of(
        st.just(("", None)),
        st.tuples(st.just("raise"), FAILURES),
        st.tuples(st.just("status"), st.sampled_from([*range(200, 600), 100, 199, 600, 999])),
        st.tuples(st.just("headers"), st.lists(HEADERS, max_size=3)),
        st.tuples(st.just("body"), changes),
        st.tuples(st.just("values"), CHANGED),
        st.tuples(st.just("bytes"), st.binary(max_size=30) | anything.map(orjson.dumps)),
    ),
    min_size=1,
    max_size=12,
)


async def pushed(
    contact: Contact,
    pipelines: Sequence[Pipeline],
    spoils: Sequence[Any] = (),
    connect: Any = None,
    *,
    live: bool = False,
) -> Entry:
    """What is stored of a contact after some rounds of push."""
    store, now = MemoryStore(), NOW
    (entry,) = await store.load([contact.id])
    entry.contact, entry.due_at = contact, 0.0
    await store.save([entry])

    def clock() -> float:
        return now

    gate = make_gate(Clock(monotonic=clock, sleep=no_time, chance=lambda: 0.5))
    http = make_http(transport=Way(spoils))
    client = DataverseClient(
        "https://sandbox.invalid",
        http,
        StaticTokens("none"),
        gate,
    )
    clocks = Clock(clock, clock, no_time, lambda: 0.5)
    transactions = Transactions(
        store=store,
        performer=Performer(client, clocks, MemoryFiles()),
        gate=gate,
        desktop=MemoryScreenPop(),
        connect=connect or MemoryConnect(),
        planner=Planner(pipelines, Terms(live=live), clocks),
        build="this",
        clock=clocks,
        enrichment=Enrichment(connect, pipelines, 5.0) if connect else None,
    )
    for _ in range(ROUNDS):
        await transactions.run(contact.id)
        now += LATER_S
    (entry,) = await store.load([contact.id])
    return entry


def right(entry: Entry) -> None:
    """Nothing went wrong that nobody declared, and what is kept can be kept."""
    assert entry.fault is None, str(entry.fault)
    again = Contact.from_bytes(entry.contact.id, entry.contact.to_bytes())
    assert again == entry.contact


def test_whatever_dynamics_answers_a_contacts_round_ends_in_a_declared_outcome() -> None:
    def target(story: History, spoils: list[Any], live: bool) -> None:
        contact = contact_of([message.body for message in story.sent])
        assert contact
        right(run(pushed(contact, of(story), spoils, live=live)))

    hunt(target, st.sampled_from(stories()), SPOILS, st.booleans())


# --- templates' results -------------------------------------------------------------------------

PIPELINE: Final = """
name = "fuzz"

[[step]]
name   = "LOOK"
on     = "created"
method = "GET"
entity = "contacts"
query  = "?$filter=lastname eq '{{ %(a)s }}'"

[[step]]
name   = "MAKE"
on     = "created"
method = "POST"
entity = "phonecalls"
body   = '''{
  "subject": "{{ %(b)s }}", "actualdurationminutes": "{{ %(a)s }}", "new_x": {"y": ["{{ %(b)s }}"]}
}'''

[[step]]
name   = "CHANGE"
on     = "record"
method = "PATCH"
entity = "phonecalls"
query  = "({{MAKE-Response.activityid}})"
body   = '''{"description": "{{ %(a)s }} {{ %(b)s }}", "new_n": "{{ %(b)s }}"}'''

[writeback]
a = "{{ %(a)s }}"
b = "x{{ %(b)s }}"
"""

FILTERS: Final = st.sampled_from(
    [
        *(
            "minutes",
            "plus: 1",
            "plus: 1e308",
            "times: 99999999999",
            "times: -1.5",
            "floor",
            "ceil",
        ),
        *("round: 2", "divided_by: 3", "divided_by: 0.0", "modulo: 7", "abs", "duration", "e164"),
        *(
            "digits",
            "date: '%Y'",
            "seconds_to: InitiationTimestamp",
            "fit",
            "fit: 3",
            "size",
            "first",
        ),
        *("json", "upcase", "split: ''", "escape", "default: 5", "unless: Queue", "slice: 1, 2"),
        *("append: Queue", "sort", "join: ','", "strip_html", "url_encode", "base64_encode"),
    ]
)
EXPRESSIONS: Final = st.builds(
    " | ".join,
    st.builds(
        lambda name, filters: [name, *filters],
        st.sampled_from(
            ["Attributes.n", "Attributes", "Queue", "Agent", "Recordings", "ContactId"]
        ),
        st.lists(FILTERS, max_size=3),
    ),
)
NUMBERS: Final = st.sampled_from(
    ["9" * 22, "9" * 400, "1e999", "-1e308", "nan", "inf", "0x10", "1_000", "٣", "", " 7 ", "-0"]
)
VALUES: Final = NUMBERS | anything


def loaded(text: str) -> Pipeline | None:
    try:
        return load(text, "fuzz.toml")
    except PipelineError:
        return None


def test_whatever_a_template_makes_of_a_value_a_contacts_round_ends_in_a_declared_outcome() -> None:
    def target(story: History, a: str, b: str, value: Any) -> None:
        pipeline = loaded(PIPELINE % {"a": a, "b": b})
        bodies = [message.body for message in story.sent]
        for number, message in enumerate(story.sent):
            if message.stream == RECORDS:
                record = orjson.loads(message.body)
                record["Attributes"] = {"n": value, "CallReason": value}
                bodies[number] = orjson.dumps(record)
        contact = contact_of(bodies)
        if pipeline and contact:
            right(run(pushed(contact, [pipeline, *of(story)])))

    hunt(target, st.sampled_from(stories()), EXPRESSIONS, EXPRESSIONS, VALUES)


def test_a_contact_whose_messages_have_any_values_can_be_pushed() -> None:
    def target(story: History, changed: list[tuple[float, Any]], which: float) -> None:
        bodies = [message.body for message in story.sent]
        at = int(which * len(bodies))
        bodies[at] = reshaped(bodies[at], changed)
        contact = contact_of(bodies)
        if contact:
            right(run(pushed(contact, of(story), live=True)))

    hunt(target, st.sampled_from(stories()), CHANGED, places)


# --- Connect and S3 -----------------------------------------------------------------------------

ANSWERS: Final = {
    "DescribeContact": {"Contact": {"Id": "c", "CustomerEndpoint": {"Type": "X", "Address": "+1"}}},
    "GetContactAttributes": {"Attributes": {"CallReason": "order"}},
    "DescribeUser": {"User": {"Id": "u", "Username": "kim"}},
    "DescribeQueue": {"Queue": {"QueueId": "q", "Name": "Sales"}},
    "UpdateContactAttributes": {},
}


class Raw(io.BytesIO):
    """A body as aiohttp gives it."""

    async def read(self, amount: int = -1) -> bytes:  # type: ignore[override]
        return super().read(amount)


class Amazon:
    """Connect's API behind the real client; what comes back is spoiled in turn."""

    def __init__(self) -> None:
        self.spoils: list[Any] = []
        self._opened: Any = aws.client("connect", endpoint_url="http://127.0.0.1:9", attempts=1)

    async def open(self) -> Any:
        client = await self._opened.__aenter__()
        client.meta.events.register("before-send.connect", self._answer)
        return client

    async def close(self) -> None:
        await self._opened.__aexit__(None, None, None)

    async def _answer(self, request: Any, event_name: str, **_: Any) -> AioAWSResponse:
        call = event_name.rpartition(".")[2]
        status, headers, body = (
            200,
            {"Content-Type": "application/json"},
            orjson.dumps(ANSWERS[call]),
        )
        spoil: tuple[str, Any] = self.spoils.pop(0) if self.spoils else ("", None)
        what, how = spoil
        if what == "status":
            status = how
        if what == "headers":
            headers |= {name.decode("latin-1"): value.decode("latin-1") for name, value in how}
        if what == "body":
            body = mutated(body, how)
        if what == "values":
            body = reshaped(body, how)
        if what == "bytes":
            body = how
        return AioAWSResponse(request.url, status, HeadersDict(headers), Raw(body))


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Amazon, Any]]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", REGION)
    made = Amazon()
    yield made, run(made.open())
    run(made.close())


def test_whatever_connect_answers_a_contacts_round_ends_in_a_declared_outcome(
    amazon: tuple[Amazon, Any],
) -> None:
    made, client = amazon

    def target(story: History, spoils: list[Any], known: int) -> None:
        made.spoils = list(spoils)
        connect = ConnectClient(
            client, Quota(1.0, clock=Clock(monotonic=lambda: 0.0, sleep=no_time)), 100.0
        )
        events = [message.body for message in story.sent if message.stream == EVENTS]
        contact = contact_of(events[: known + 1])
        assert contact
        right(run(pushed(contact, of(story), (), connect, live=True)))

    spoils = st.lists(
        st.one_of(
            st.tuples(st.just("status"), st.sampled_from([200, 204, 302, 400, 403, 429, 500, 999])),
            st.tuples(st.just("headers"), st.lists(HEADERS, max_size=2)),
            st.tuples(st.just("body"), changes),
            st.tuples(st.just("values"), CHANGED),
            st.tuples(st.just("bytes"), st.binary(max_size=30) | anything.map(orjson.dumps)),
        ),
        min_size=1,
        max_size=8,
    )
    hunt(target, st.sampled_from(stories()), spoils, st.integers(0, 3))


def test_whatever_a_file_of_an_analysis_holds_its_text_is_read_or_not() -> None:
    many = (history("voice_inbound", Random(seed)) for seed in range(20))
    files = [content for story in many for _, content in analyses(story.contacts)]
    whole = st.sampled_from(files)

    def target(content: bytes) -> None:
        said = said_in(content)
        assert all(isinstance(value, str | int | float) for value in said.values())
        assert orjson.dumps(said)

    hunt(
        target,
        st.builds(mutated, whole, changes)
        | st.builds(reshaped, whole, CHANGED)
        | anything.map(orjson.dumps)
        | st.binary(),
    )


# --- Entra --------------------------------------------------------------------------------------

DISCOVERY: Final = orjson.dumps(
    {
        "issuer": "https://entra.invalid/t/v2.0",
        "authorization_endpoint": "https://entra.invalid/t/authorize",
        "token_endpoint": "https://entra.invalid/t/token",
        "device_authorization_endpoint": "https://entra.invalid/t/device",
    }
)
TOKEN: Final = orjson.dumps({"token_type": "Bearer", "expires_in": 3600, "access_token": "t"})


def test_whatever_entra_answers_there_is_a_token_or_a_declared_error() -> None:
    answers: list[tuple[int, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        true = TOKEN if request.url.path.endswith("token") else DISCOVERY
        status, body = answers.pop(0) if answers else (200, true)
        return httpx.Response(status, content=body, headers={"Content-Type": "application/json"})

    async def secret() -> str:
        return "secret"

    async def token() -> str:
        async with make_http(transport=httpx.MockTransport(answer)) as http:
            tokens = MsalTokens("https://entra.invalid/t", "client", secret, "scope/.default", http)
            return await tokens.token()

    def target(given: list[tuple[int, bytes]]) -> None:
        answers[:] = given
        with suppress(DynamicsError):
            found = run(token())
            assert isinstance(found, str)
            assert httpx.Headers({"Authorization": f"Bearer {found}"})

    bodies = st.one_of(
        st.builds(mutated, st.sampled_from([DISCOVERY, TOKEN]), changes),
        st.builds(reshaped, st.sampled_from([DISCOVERY, TOKEN]), CHANGED),
        anything.map(orjson.dumps),
        st.binary(max_size=20),
        st.just(TOKEN.replace(b"3600", b"1e999")),
        st.just(TOKEN.replace(b"3600", b"9" * 5000)),
        st.just(DISCOVERY),
    )
    statuses = st.sampled_from([200, 200, 200, 204, 302, 400, 401, 500, 503])
    hunt(target, st.lists(st.tuples(statuses, bodies), min_size=1, max_size=3))
