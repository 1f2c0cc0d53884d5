"""I8: no secret and no personal data in a log line, an exception's text or a history."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import orjson
import pytest
import structlog

from pipelines.loader import load
from pipelines.outcome import Shown
from privacy import repeated
from twins.dynamics import Failure, Script, ScriptedDynamics
from worker.amazon_connect.protocol import Page, ScreenPopError
from worker.cli import main
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics import errors
from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.dynamics.protocol import Request
from worker.engine.ingest import Ingest
from worker.errors import ConfigError, WorkerError
from worker.sandbox.dataverse import faults, rules
from worker.sandbox.dataverse.odata.wire import Reply
from worker.sandbox.traffic import KINDS, history
from worker.settings import Settings, load_settings
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore


if TYPE_CHECKING:
    from tests.property.conftest import World


OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]

#: What every marked value holds: whoever says it says something it should not.
CANARY = "CaNaRy"

#: Names whose values are marked.
PERSONAL = frozenset(
    ["Address", "Username", "Name", "Attributes", "DisplayName", "crm-account", "address", "name"]
)


def marked(value: Any, *, personal: bool = False) -> Any:
    """The same message with everything personal marked."""
    if isinstance(value, dict):
        said = {k: marked(v, personal=personal or k in PERSONAL) for k, v in value.items()}
        return said | {f"key {CANARY}": CANARY} if personal else said
    if isinstance(value, list):
        return [marked(member, personal=personal) for member in value]
    return f"{value} {CANARY}" if personal and isinstance(value, str) else value


def messages(kind: str = "voice_inbound") -> list[bytes]:
    return [
        message.body
        if message.stream == "recordings"
        else orjson.dumps(marked(orjson.loads(message.body)))
        for message in history(kind, Random(kind)).sent
    ]


def error(kind: type[errors.DynamicsError]) -> errors.DynamicsError:
    """An error of this kind as the client would raise it, its detail marked."""
    if issubclass(kind, errors.Busy):
        return kind("POST phonecalls answered 429", retry_after_s=1.0)
    return kind("POST phonecalls answered 400", status=400, code="0x0", detail=f"no {CANARY}")


#: Looks for and writes records whose keys are people's numbers and names.
BY_PERSONS_KEYS = """
name = "keys"
[[step]]
name   = "BY"
on     = "created"
method = "GET"
entity = "contacts"
query  = "?$filter=telephone1 eq '{{CustomerEndpoint}}'"
[[step]]
name   = "BY_KEY"
on     = "created"
method = "PATCH"
entity = "contacts"
query  = "(telephone1='{{CustomerEndpoint}}')"
body   = '{"description": "{{Agent}}"}'
[[step]]
name   = "SHOWN"
on     = "answered"
open   = "main.aspx"
query  = '{"phone": "{{CustomerEndpoint}}"}'
[writeback]
ms_name = "{{CustomerEndpoint}}"
"""

ERRORS: list[type[errors.DynamicsError]] = [
    errors.Unavailable,
    errors.Busy,
    errors.Throttled,
    errors.Unauthorized,
    errors.Forbidden,
    errors.Refused,
    errors.Missing,
    errors.Exists,
    errors.Closed,
]


@pytest.fixture
async def said(caplog: pytest.LogCaptureFixture) -> AsyncIterator[list[Any]]:
    """Everything logged, by whomever, at any level; checked when the test is over."""
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as lines:
        yield lines
    assert CANARY not in str(lines)
    ours = [record for record in caplog.records if not record.name.startswith("asyncio")]
    assert CANARY not in str([record.getMessage() for record in ours])


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("which", ["first", "later"])
async def test_i8_no_failure_of_dynamics_puts_personal_data_into_a_log_line(
    open_world: OpenWorld, said: list[Any], kind: type[errors.DynamicsError], which: str
) -> None:
    async with open_world("memory post refuse") as world:
        fails = iter([*([None] if which == "later" else []), *[Failure(error(kind))] * 3])
        world.memory.script = lambda _request: next(fails, None)
        await world.tell(messages())
        assert CANARY in str(world.memory.requests)  # it was there to be told
    assert said


def seldom(chance: Random, memory: ScriptedDynamics) -> Script:
    """Fails now and then in any way, deletes records by hand, and leaves crashes to be resumed."""

    def fail(_request: Request) -> Failure | None:
        if chance.random() < 0.1 and memory.records:
            del memory.records[chance.choice([*memory.records])]
        if chance.random() < 0.6:
            return None
        return Failure(error(chance.choice(ERRORS)), committed=chance.random() < 0.3)

    return fail


@pytest.mark.parametrize("kind", KINDS)
async def test_i8_no_history_of_a_contact_holds_a_value_of_a_person(
    open_world: OpenWorld, said: list[Any], kind: str
) -> None:
    """Whatever Dynamics answers, with its own words, to whatever any pipeline sends."""
    shipped = [find(name) for name in ("phonecall", "chat", "task", "email", "timeline")]
    pipelines = [*shipped, load(BY_PERSONS_KEYS, "keys")]
    for seed in range(3):
        async with open_world("memory post refuse", live=seed == 0, pipelines=pipelines) as world:
            world.memory.script = seldom(Random(seed), world.memory)
            await world.tell(*([body] for body in messages(kind)), push=True)
            entries = await world.store.load(await world.store.ids("", 100))
        assert CANARY in str([entry.contact.facts for entry in entries])
        histories = [entry.contact.history for entry in entries]
        assert any(histories)
        assert CANARY not in str(histories)
        assert not [entry for entry in entries if repeated(entry.contact)]
    assert said is not None


async def test_i8_what_is_parked_is_logged_without_its_request_and_answer(
    open_world: OpenWorld, said: list[Any]
) -> None:
    async with open_world("sandbox post allow") as world:
        assert world.dataverse is not None
        world.dataverse.faults.next(faults.plugin(f"no {CANARY}"))
        await world.tell(messages())
        (contact_id,) = await world.parked()
        (entry,) = await world.store.load([contact_id])
        assert CANARY in str(entry.contact.parked)
    assert "push.parked" in [line["event"] for line in said]


async def test_i8_what_is_quarantined_is_logged_without_its_bytes(said: list[Any]) -> None:
    bad = [
        f'{{"ContactId": "{CANARY}"'.encode(),
        f'{{"AWSContactTraceRecordFormatVersion": "{CANARY}", "ContactId": ["{CANARY}"]}}'.encode(),
        f'{{"source": "aws.connect", "detail-type": "{CANARY} {CANARY}"}}'.encode(),
        f'{{"source": "{CANARY}", "detail-type": "{CANARY}", "detail": {{}}}}'.encode(),
        CANARY.encode(),
    ]
    small = MemoryStore(limit_bytes=100)
    ingest = Ingest(small)
    await ingest.handle(
        [Message(body, f"memory:{n}") for n, body in enumerate([*bad, *messages()])]
    )
    kept = await small.quarantined("", 100)
    assert CANARY in str([item.body for item in kept])
    assert CANARY not in str([(item.origin, item.reason) for item in kept])
    assert {line["event"] for line in said} == {"ingest.quarantined", "ingest.contact_refused"}


async def test_i8_a_desktop_that_fails_is_logged_without_the_page(
    open_world: OpenWorld, said: list[Any]
) -> None:
    class Broken:
        no_page: ClassVar[dict[str, str]] = {}

        async def open(self, page: Page) -> Shown:
            raise ScreenPopError(f"{type(page).__name__} was not taken")

    async with open_world("memory post allow", live=True) as world:
        world.desktop = Broken()  # type: ignore[assignment] # another twin of the same protocol
        told = history("voice_inbound", Random("voice_inbound"))
        answered_at = (told.contacts[0].answered_ms or 0) / 1000
        for body in messages()[:4]:
            world.clock.now = answered_at  # each is heard of in time, however long is waited
            await world.tell([body], push=True)
    assert "push.open_failed" in [line["event"] for line in said]


@dataclass(frozen=True)
class Answered(faults.InjectedFault):
    """Anything at all is answered, also what a rule cannot say."""

    reply: Reply | None = None
    carried_out: bool | None = False

    @property
    def answer(self) -> Reply | None:
        return self.reply


def answered(status: int, body: str, *headers: tuple[str, str]) -> faults.InjectedFault:
    return Answered(reply=Reply(status, list(headers), body.encode()))


ANSWERS = {
    "a plug-in's message": faults.plugin(f"no {CANARY}"),
    "a code": answered(403, f'{{"error":{{"code":"{CANARY}","message":"{CANARY}"}}}}'),
    "a gateway's page": answered(502, CANARY),
    "no JSON": answered(200, CANARY),
    "a redirect": answered(302, "", ("location", f"https://{CANARY}/")),
    "no answer": faults.dropped(),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_i8_the_text_of_no_error_of_the_client_says_what_was_sent_or_answered(
    open_world: OpenWorld, said: list[Any], answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world("sandbox post allow") as world:
        assert world.dataverse is not None
        assert isinstance(world.dynamics, DataverseClient)
        monkeypatch.setattr(rules.InjectedFaults, "take", lambda *_: ANSWERS[answer])
        request = Request("POST", f"phonecalls?x={CANARY}", body={"subject": CANARY})
        with pytest.raises(WorkerError) as caught:
            await world.dynamics.send(request, timeout_s=20)
    assert_silent(caught.value)
    assert said is not None


async def test_i8_an_error_of_the_network_does_not_say_what_was_sent(said: list[Any]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError(f"illegal header {CANARY}", request=request)

    async with make_http(transport=httpx.MockTransport(fail)) as http:
        tokens, no_time = StaticTokens(f"token {CANARY}"), partial(asyncio.sleep, 0)
        client = DataverseClient(
            "https://org.test", http, tokens, make_gate(Clock(sleep=lambda _seconds: no_time()))
        )
        with pytest.raises(errors.Unavailable) as caught:
            await client.send(Request("GET", f"contacts('{CANARY}')"), timeout_s=20)
    assert_silent(caught.value)
    assert said == []


def test_i8_settings_that_do_not_fit_are_named_without_their_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"CONNECT_DYNAMICS_{name.upper()}", CANARY)
    with pytest.raises(ConfigError) as caught:
        load_settings(None)
    assert "ENVIRONMENT_URL" in str(caught.value)
    assert_silent(caught.value)


@pytest.fixture
def logs_reset() -> Iterator[None]:
    """The command sends log lines to a stream that ends with its test."""
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("logs_reset")
def test_i8_the_replay_command_tells_of_trouble_without_personal_data(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call's subject is too long, a line is no message, and logging is at its most."""
    archive = tmp_path / "archive.jsonl"
    shout = orjson.dumps(CANARY * 100)[1:-1]
    bodies = [body.replace(b'"Username":"', b'"Username":"' + shout) for body in messages()]
    archive.write_bytes(b"\n".join([*bodies, f"no {CANARY}".encode()]))
    monkeypatch.setenv("CONNECT_DYNAMICS_LOG_LEVEL", "debug")
    monkeypatch.setattr(
        sys, "argv", ["connect-dynamics", "replay", str(archive), "--dynamics", "sandbox"]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    told = capfd.readouterr()
    assert ended.value.code not in {0, 1}  # something was left aside
    assert "push.parked" in told.err
    assert CANARY not in told.out + told.err


def assert_silent(error: BaseException) -> None:
    """Neither its text nor what a traceback would show of it says anything marked."""
    shown = "".join(traceback.format_exception_only(error))
    causes = [cause for cause in (error.__cause__,) if cause is not None]
    assert CANARY not in f"{error} {error!r} {error.args} {shown} {[str(c) for c in causes]}"
