"""Verification: what the facts say against what Dynamics holds, without a write."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from worker.clock import Clock
from worker.commands.replay import Options, replay
from worker.definitions import find
from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.errors import DynamicsError, Unavailable
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.dynamics.metadata import KnownTables
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Request
from worker.errors import ConfigError
from worker.files import MemoryFiles
from worker.operations.read_only import PATIENCE_S, ReadOnly
from worker.operations.verification import Known, Verification, period_of, verify_store
from worker.operations.verified import ALWAYS, Line, Period, Verified
from worker.sandbox.dataverse.organisation import Organisation, create_organisation
from worker.sandbox.dataverse.users import CLIENT_ID, add_user, application_user
from worker.sandbox.demo.scenario import tell
from worker.sandbox.inprocess import InProcessDynamics
from worker.sandbox.oracle.verdict import PIPELINES as DEMO
from worker.sandbox.traffic import history
from worker.settings import Settings
from worker.stores import open_store
from worker.stores.protocol import ContactStore


KINDS = ("voice_inbound", "voice_outbound", "voice_abandoned", "chat", "voice_transfer", "task")
PIPELINES = (find("phonecall"), find("timeline"))
PERSON = "a person"
EARLIER = "the user before a rotation"
NOW = datetime(2026, 1, 2, 15, 0, tzinfo=UTC)


@dataclass
class Place:
    """A state, and the Dynamics that its contacts were written to.

    Attributes:
        calls: Requests of the last verification, by method.
    """

    store: ContactStore
    organisation: Organisation
    pipelines: tuple[Pipeline, ...] = PIPELINES
    users: tuple[str, ...] = (CLIENT_ID,)
    requests: list[Request] = field(default_factory=list)

    def verification(self) -> Verification:
        gate = make_gate()
        inner = Counting(self.organisation, self.requests)
        reading = ReadOnly(inner, gate, inner.user_id, Clock())
        performer = Performer(reading, Clock(), MemoryFiles(), tables=KnownTables({}))
        users = frozenset(map(application_user, self.users))
        return Verification(performer, self.pipelines, Terms(), users, Verified("sandbox", "state"))

    async def verified(self, sample: int | None = None) -> Verified:
        verification = self.verification()
        await verify_store(self.store, verification, sample, ())
        if sample is None:
            await verification.find_unexpected(ALWAYS)
        return verification.result

    async def send(
        self, method: str, path: str, body: Any = None, client: str = CLIENT_ID, **headers: str
    ) -> None:
        dynamics = InProcessDynamics(self.organisation, client)
        headers |= {"If-Match": "*"} if method == "PATCH" else {}
        await dynamics.send(Request(method, path, headers, body), timeout_s=1)

    def keys(self, entity_set: str = "phonecalls") -> list[str]:
        rows = self.organisation.records.dump()[entity_set]
        return [str(row["activityid"]) for row in rows]

    def found(self, result: Verified) -> list[tuple[str, str, tuple[str, ...]]]:
        return sorted((line.finding, line.record, line.columns) for line in result.lines)


class Counting(InProcessDynamics):
    """Notes what it is asked."""

    def __init__(self, organisation: Organisation, requests: list[Request]) -> None:
        super().__init__(organisation)
        self.requests = requests

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        self.requests.append(request)
        return await super().send(request, timeout_s=timeout_s)


async def replayed(folder: Path, sent: list[bytes], *pipelines: Pipeline) -> Place:
    """A place to which these messages were replayed."""
    path, kept = folder / "archive.jsonl", folder / "dynamics.sqlite"
    path.write_bytes(b"\n".join(sent))
    state = f"sqlite:{folder / 'state.sqlite'}"
    options = Options((str(path),), pipelines, state=state, dynamics=f"sandbox:{kept}")
    report = await replay(options, Settings())
    assert not report.parked
    assert not report.unfinished
    store = open_store(state)
    organisation = create_organisation(kept)
    for client in (PERSON, EARLIER):
        add_user(organisation.records, client)
    return Place(store, organisation, pipelines)


@pytest.fixture
async def place(tmp_path: Path) -> Any:
    sent = [m.body for kind in KINDS for m in history(kind, Random(kind)).sent]
    place = await replayed(tmp_path, sent, *PIPELINES)
    yield place
    place.organisation.records.close()
    await place.store.close()


async def test_what_was_replayed_is_verified_as_right_record_by_record(place: Place) -> None:
    result = await place.verified()
    assert result.lines == []
    rows = sum(map(len, (place.organisation.records.dump()[s] for s in ("phonecalls", "tasks"))))
    assert result.counts["right"] == result.expected >= rows
    assert result.clean


async def test_of_the_demo_s_contacts_what_was_changed_deleted_and_added_is_found_and_no_more(
    tmp_path: Path,
) -> None:
    """Three changed, one deleted, one added as our user and one as a person."""
    sent = [message.body for message in tell(40, 7, NOW).sent]
    place = await replayed(tmp_path, sent, *map(find, DEMO))
    whole = await place.verified()
    assert (whole.counts, whole.clean) == ({"right": whole.expected}, True)
    assert whole.expected > 80
    *changed, deleted = place.keys()[:4]
    for key in changed:
        await place.send("PATCH", f"phonecalls({key})", {"category": "x"})
    await place.send("DELETE", f"phonecalls({deleted})", client=PERSON)
    before = set(place.keys())
    await place.send("POST", "phonecalls", {"subject": "ours"})
    (added,) = set(place.keys()) - before
    await place.send("POST", "phonecalls", {"subject": "a person's"}, PERSON)
    result = await place.verified()
    assert place.found(result) == sorted(
        [
            *(("different", f"phonecalls({key})", ("category",)) for key in changed),
            ("deleted", f"phonecalls({deleted})", ()),
            ("unexpected", f"phonecalls({added})", ()),
        ]
    )
    assert result.counts["right"] == whole.expected - 4
    assert not result.clean
    place.organisation.records.close()
    await place.store.close()


async def test_what_a_person_edited_while_the_facts_are_unchanged_is_told_and_no_failure(
    place: Place,
) -> None:
    edited = place.keys()[0]
    await place.send("PATCH", f"phonecalls({edited})", {"category": "x"}, PERSON)
    result = await place.verified()
    assert place.found(result) == [("edited", f"phonecalls({edited})", ("category",))]
    assert result.clean


async def test_a_verification_sends_nothing_that_writes_and_leaves_the_state_as_it_is(
    place: Place,
) -> None:
    ids = await place.store.ids("", 1000)
    before = [entry.version for entry in await place.store.load(ids)]
    rows = place.organisation.records.dump()
    await place.verified()
    assert {request.method for request in place.requests} == {"GET"}
    assert place.organisation.records.dump() == rows
    assert [entry.version for entry in await place.store.load(ids)] == before


async def test_a_request_that_writes_does_not_pass_a_way_for_reading(place: Place) -> None:
    reading = place.verification().performer.dynamics
    with pytest.raises(ValueError, match="POST phonecalls"):
        await reading.send(Request("POST", "phonecalls", {}, {"subject": "x"}), timeout_s=1)
    assert place.requests == []


async def test_a_sample_looks_at_some_contacts_and_says_that_nothing_unexpected_was_looked_for(
    place: Place,
) -> None:
    whole, some = await place.verified(), await place.verified(sample=2)
    assert 0 < some.contacts <= 3 < whole.contacts
    assert whole.document()["period"] == {"since": "", "until": ""}
    assert some.document()["period"] is None
    assert "a sample" in "\n".join(some.texts())


async def test_what_an_application_user_made_before_a_rotation_is_ours(place: Place) -> None:
    changed = place.keys()[0]
    await place.send("PATCH", f"phonecalls({changed})", {"category": "x"}, EARLIER)
    before = set(place.keys())
    await place.send("POST", "phonecalls", {"subject": "of before"}, EARLIER)
    (added,) = set(place.keys()) - before
    as_a_stranger = await place.verified()
    assert place.found(as_a_stranger) == [("edited", f"phonecalls({changed})", ("category",))]
    place.users = (CLIENT_ID, EARLIER)
    result = await place.verified()
    assert place.found(result) == [
        ("different", f"phonecalls({changed})", ("category",)),
        ("unexpected", f"phonecalls({added})", ()),
    ]


async def test_what_we_made_in_somebody_s_name_is_ours(place: Place) -> None:
    person = application_user(PERSON)
    before = set(place.keys())
    await place.send("POST", "phonecalls", {"subject": "on behalf"}, MSCRMCallerID=person)
    (added,) = set(place.keys()) - before
    result = await place.verified()
    assert place.found(result) == [("unexpected", f"phonecalls({added})", ())]


async def test_a_table_that_may_not_be_read_ends_it_without_half_a_truth(place: Place) -> None:
    place.organisation.denied.add((application_user(CLIENT_ID), "prvReadActivity"))
    with pytest.raises(ConfigError, match=r"may not read (phonecalls|tasks) \(403"):
        await place.verified()


async def test_a_table_that_is_not_there_is_no_missing_record(place: Place) -> None:
    reading = place.verification().performer.dynamics
    with pytest.raises(ConfigError, match="no table with the entity set new_calls"):
        await reading.send(Request("GET", "new_calls(1)"), timeout_s=1)


ELASTIC = """
name = "events"

[[step]]
name = "EVENT"
on = "created"
method = "POST"
entity = "cr8a1_callevents"
key = "cr8a1_calleventid"
body = '{"cr8a1_payload": "{{Channel}}"%s}'
"""


@pytest.mark.parametrize("partition", ["", ', "partitionid": "{{Channel}}"'])
async def test_records_of_an_elastic_table_are_found_in_their_partition_or_without_one(
    tmp_path: Path, partition: str
) -> None:
    path = tmp_path / "events.toml"
    path.write_text(ELASTIC % partition)
    sent = [m.body for n in range(3) for m in history("voice_inbound", Random(n)).sent]
    place = await replayed(tmp_path, sent, find(str(path)))
    result = await place.verified()
    assert (result.counts, result.expected) == ({"right": 3}, 3)
    place.organisation.records.close()
    await place.store.close()


def test_a_record_in_one_line_names_its_contact_its_columns_and_why() -> None:
    line = Line("different", "phonecalls(1)", "c", ("subject", "category"), "parked")
    assert str(line) == "different phonecalls(1) of contact c: subject, category, parked"


def test_the_result_is_a_json_object_without_a_value_of_a_record() -> None:
    result = Verified("https://org", "sqlite:state", 2, 3, Period("2026-01-01T00:00:00Z"))
    result.counts["right"] = 2
    result.add(Line("different", "phonecalls(1)", "c", ("subject",)))
    assert result.document() == {
        "target": "https://org",
        "state": "sqlite:state",
        "contacts": 2,
        "expected": 3,
        "period": {"since": "2026-01-01T00:00:00Z", "until": ""},
        "counts": {"right": 2, "different": 1},
        "lines": [
            {
                "finding": "different",
                "record": "phonecalls(1)",
                "contact_id": "c",
                "columns": ("subject",),
                "why": "",
            }
        ],
        "clean": False,
    }


def test_records_that_a_contact_calls_for_are_known_again_among_many() -> None:
    known = Known()
    for n in range(0, 10_000, 100):
        known.add(f"phonecalls({m})" for m in range(n, n + 100))
    assert all(f"phonecalls({n})" in known for n in range(10_000))
    assert not any(f"tasks({n})" in known for n in range(10_000))


def test_a_state_says_nothing_of_what_was_made_before_its_oldest_contacts_expired() -> None:
    seen = Period("2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z")
    now = datetime(2026, 6, 2, tzinfo=UTC).timestamp()
    assert period_of(ALWAYS, seen, now, archived=True) == seen
    kept = period_of(ALWAYS, seen, now, archived=False)
    assert (kept.since[:10], kept.until[:10]) == ("2026-05-03", "2026-06-02")
    asked = Period("2026-02-01T00:00:00Z")
    assert period_of(asked, seen, now, archived=False).since == asked.since


# --- a Dynamics that does not answer as it should ---


def served(*statuses: int) -> tuple[DataverseClient, list[float], Any]:
    """A client whose requests are answered with these in turn, then well; when it slept."""
    left, slept = list(statuses), list[float]()

    def answer(_request: httpx.Request) -> httpx.Response:
        status = left.pop(0) if left else 200
        code = {429: "0x80072322"}.get(status, "0x80040216")
        headers = {"OData-Version": "4.0"} | ({"Retry-After": "300"} if status == 429 else {})
        body: dict[str, Any] = {"value": [], "UserId": application_user(CLIENT_ID)}
        if status != 200:
            body = {"error": {"code": code, "message": "no"}}
        return httpx.Response(status, headers=headers, json=body)

    clock = Turning(slept)
    http = make_http(transport=httpx.MockTransport(answer))
    gate = make_gate(Clock(monotonic=clock, sleep=clock.sleep))
    return DataverseClient("https://org.test", http, StaticTokens("none"), gate), slept, http


class Turning:
    """A clock that sleeping turns."""

    def __init__(self, slept: list[float]) -> None:
        self.now, self.slept = 0.0, slept

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


async def test_while_dynamics_throttles_a_verification_waits_and_goes_on() -> None:
    client, slept, http = served(429)
    async with http:
        reading = ReadOnly(client, client.gate, client.probe, client.gate.clock)
        answer = await reading.send(Request("GET", "phonecalls"), timeout_s=60)
    assert answer.body["value"] == []
    assert 300 <= sum(slept) < PATIENCE_S


async def test_a_dynamics_that_is_away_ends_a_verification() -> None:
    client, _, http = served(*[503] * 100)
    async with http:
        reading = ReadOnly(client, client.gate, client.probe, client.gate.clock)
        with pytest.raises(Unavailable):
            await reading.send(Request("GET", "phonecalls"), timeout_s=60)


async def test_the_first_error_of_many_requests_side_by_side_is_the_one_that_is_told(
    place: Place,
) -> None:
    async def away(_request: Request, **_more: Any) -> Answer:
        raise Unavailable("GET phonecalls got no answer")

    verification = place.verification()
    verification.performer.dynamics.inner.send = away  # type: ignore[attr-defined]
    with pytest.raises(DynamicsError, match="got no answer"):
        await verify_store(place.store, verification)
