"""The client, MSAL and the gate together, against the sandbox over TLS."""

from __future__ import annotations

import asyncio

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from worker.clock import Clock
from worker.dynamics.auth import MsalTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.errors import Exists, Missing, Refused, Throttled, Unauthorized, Unavailable
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import GateState, Reason
from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import CLIENT_SECRET, Dataverse, create_dataverse
from worker.sandbox.dataverse.users import CLIENT_ID, application_user
from worker.sandbox.server import serve


pytestmark = pytest.mark.services

ID = "11111111-2222-4333-8444-555555555555"
CREATE = Request("POST", "phonecalls", body={"activityid": ID, "subject": "one"})
UPDATE = Request("PATCH", f"phonecalls({ID})", {"If-Match": "*"}, {"category": "VOICE"})
READ = Request("GET", f"phonecalls({ID})?$select=subject,category")


class Rig:
    """A served sandbox and a client of it."""

    def __init__(self, dataverse: Dataverse, url: str, ca_file: Path) -> None:
        self.dataverse = dataverse
        self.secret = CLIENT_SECRET
        self.gate = make_gate(Clock(chance=lambda: 0.0))
        self.http = make_http(ca_file)
        self.tokens = MsalTokens(
            f"{url}/tenant", CLIENT_ID, self.read_secret, f"{url}/.default", self.http
        )
        self.client = DataverseClient(url, self.http, self.tokens, self.gate)

    async def read_secret(self) -> str:
        return self.secret


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    dataverse = create_dataverse()
    ca_file = tmp_path / "ca.pem"
    async with serve(dataverse, ca_path=ca_file) as url:
        rig = Rig(dataverse, url, ca_file)
        yield rig
        await rig.tokens.close()
        await rig.http.aclose()
    dataverse.close()


async def test_a_record_is_created_updated_and_read_as_our_user(rig: Rig) -> None:
    client = rig.client
    assert (await client.send(CREATE, timeout_s=20)).status == 204
    await client.send(UPDATE, timeout_s=20)
    body = (await client.send(READ, timeout_s=20)).body
    assert (body["subject"], body["category"]) == ("one", "VOICE")
    assert await client.user_id() == application_user(CLIENT_ID)
    assert rig.gate.slots._shared_limit == 4  # the sandbox's x-ms-dop-hint


async def test_definitive_answers_are_told_apart(rig: Rig) -> None:
    with pytest.raises(Missing):
        await rig.client.send(UPDATE, timeout_s=20)
    await rig.client.send(CREATE, timeout_s=20)
    with pytest.raises(Exists):
        await rig.client.send(CREATE, timeout_s=20)
    too_long = Request("PATCH", UPDATE.path, UPDATE.headers, {"subject": "x" * 201})
    with pytest.raises(Refused, match="PATCH phonecalls answered 400 0x80044331"):
        await rig.client.send(too_long, timeout_s=20)


@pytest.mark.parametrize(
    "fault", [faults.gateway(503), faults.dropped(carried_out=False), faults.deadlock()]
)
async def test_a_write_that_was_not_done_is_done_by_the_next_try(
    rig: Rig, fault: faults.InjectedFault
) -> None:
    rig.dataverse.faults.next(fault)
    await rig.client.send(CREATE, timeout_s=20)
    assert rig.dataverse.writes == 1


@pytest.mark.parametrize("fault", [faults.gateway(502, carried_out=True), faults.dropped()])
async def test_a_create_whose_answer_was_lost_makes_one_record(
    rig: Rig, fault: faults.InjectedFault
) -> None:
    rig.dataverse.faults.next(fault)
    with pytest.raises(Exists):
        await rig.client.send(CREATE, timeout_s=20)
    assert rig.dataverse.writes == 1


async def test_an_answer_that_never_comes_ends_with_the_time(rig: Rig) -> None:
    await rig.client.user_id()  # the connection and the token are there
    rig.dataverse.faults.next(faults.hang())
    with pytest.raises(Unavailable, match="in time"):
        await rig.client.send(CREATE, timeout_s=0.3)
    assert rig.gate.slots.in_flight == 0


async def test_throttling_closes_the_gate_and_one_probe_opens_it(rig: Rig) -> None:
    rig.dataverse.faults.next(faults.throttle(1))
    with pytest.raises(Throttled):
        await rig.client.send(CREATE, timeout_s=20)
    before = rig.dataverse.requests
    await asyncio.gather(*(rig.gate.breaker.reopen(rig.client.probe) for _ in range(5)))
    assert rig.dataverse.requests == before + 1
    await rig.client.send(CREATE, timeout_s=20)


async def test_revoked_tokens_are_replaced_unseen(rig: Rig) -> None:
    await rig.client.send(CREATE, timeout_s=20)
    rig.dataverse.tokens.revoke()
    results = await asyncio.gather(*(rig.client.send(UPDATE, timeout_s=20) for _ in range(5)))
    assert len(results) == 5
    assert rig.gate.breaker.state is GateState.OPEN


async def test_a_wrong_secret_closes_the_gate_and_the_right_one_opens_it(rig: Rig) -> None:
    rig.secret = "wrong"
    with pytest.raises(Unauthorized, match="AADSTS7000215"):
        await rig.client.send(CREATE, timeout_s=20)
    assert rig.gate.breaker.reason is Reason.UNAUTHORIZED
    rig.secret = CLIENT_SECRET
    rig.tokens._not_before = 0.0
    await rig.gate.breaker.reopen(rig.client.probe)
    await rig.client.send(CREATE, timeout_s=20)


async def test_a_hundred_requests_at_once_stay_within_the_hint(rig: Rig) -> None:
    def create(number: int) -> Request:
        key = f"00000000-0000-4000-8000-{number:012}"
        return Request("POST", "phonecalls", body={"activityid": key, "subject": "s"})

    await asyncio.gather(*(rig.client.send(create(n), timeout_s=60) for n in range(100)))
    assert rig.dataverse.writes == 100
    assert rig.gate.slots.limit <= 4
