"""Tables that the program does not know: what Dataverse's metadata says of them."""

from __future__ import annotations

import asyncio

from typing import Any

import orjson
import pytest
import structlog

from pipelines import outcome
from pipelines.action import Change, Lookup, Verb
from pipelines.entity import entity
from pipelines.lookup import Search, Way
from pipelines.template import Template
from twins.clock import Turned
from worker.clock import Clock
from worker.dynamics.errors import DynamicsError, Forbidden, Refused, Unavailable
from worker.dynamics.metadata import GUESSED_S, KNOWN_S, UNKNOWN_NAME, KnownTables, Metadata
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Request
from worker.files import MemoryFiles
from worker.stores.memory import MemoryStore


SET = "cr8a1_smsmessages"
KEY = "11111111-2222-5333-8444-555555555555"
RECORD = f"{SET}({KEY})"


class Organisation:
    """Answers metadata of one table, and takes writes that have its key.

    Attributes:
        row: The table's metadata; None: there is no such table.
        error: What metadata questions end in; None: they are answered.
        requests: What was asked, without the metadata.
        asked: How often metadata was.
    """

    def __init__(self, key: str = "activityid") -> None:
        self.row: dict[str, Any] | None = {
            "LogicalName": "cr8a1_smsmessage",
            "EntitySetName": SET,
            "PrimaryIdAttribute": key,
            "PrimaryNameAttribute": "subject",
            "Attributes": [
                {"LogicalName": "cr8a1_number", "AttributeType": "Integer"},
                {"LogicalName": "cr8a1_customer", "AttributeType": "Lookup"},
                {"LogicalName": "subject", "AttributeType": "String"},
            ],
        }
        self.error: DynamicsError | None = None
        self.requests: list[Request] = []
        self.asked = 0

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        assert timeout_s > 0
        if request.path.startswith("EntityDefinitions?"):
            self.asked += 1
            assert f"$filter=EntitySetName%20eq%20'{SET}'" in request.path
            if self.error is not None:
                raise self.error
            return Answer(200, {}, {"value": [self.row] if self.row else []})
        self.requests.append(request)
        if request.method == "GET":
            return Answer(200, {}, {"value": []})
        if self.row and self.row["PrimaryIdAttribute"] not in (request.body or {}):
            raise Refused("400", status=400, code="0x80048d19")
        return Answer(204, {}, {})

    async def user_id(self) -> str:
        return KEY


def performer(dynamics: Organisation, **more: Any) -> Performer:
    return Performer(dynamics, Clock(lambda: 0.0), MemoryFiles(), **more)


def change(verb: Verb = Verb.CREATE, **more: Any) -> Change:
    return Change(verb, ("p/SMS",), RECORD, {"subject": "x"}, **more)


async def test_a_record_of_an_unknown_table_is_made_with_the_key_that_metadata_says() -> None:
    dynamics = Organisation()
    one = performer(dynamics, tables=Metadata(dynamics))
    for _ in range(3):
        assert isinstance(await one.perform(change(), timeout_s=1), outcome.Done)
    assert {tuple(request.body or ()) for request in dynamics.requests} == {
        ("activityid", "subject")
    }
    assert dynamics.asked == 1


async def test_the_key_that_the_pipeline_names_is_used_without_asking() -> None:
    dynamics = Organisation()
    one = performer(dynamics, tables=Metadata(dynamics))
    await one.perform(change(key_column="activityid"), timeout_s=1)
    assert dynamics.requests[0].body == {"activityid": KEY, "subject": "x"}
    assert dynamics.asked == 0


async def test_a_note_on_a_record_of_an_unknown_table_is_bound_by_its_logical_name() -> None:
    dynamics = Organisation("annotationid")
    assert dynamics.row
    dynamics.row["LogicalName"] = "cr8a1_sms"
    one = performer(dynamics, tables=Metadata(dynamics))
    await one.perform(change(Verb.NOTE, key_column="activityid"), timeout_s=1)
    body = dynamics.requests[0].body or {}
    assert body["objectid_cr8a1_sms@odata.bind"] == f"/{RECORD}"


async def test_updates_of_an_unknown_table_ask_for_no_metadata() -> None:
    dynamics = Organisation("subject")
    one = performer(dynamics, tables=Metadata(dynamics))
    await one.perform(change(Verb.UPDATE), timeout_s=1)
    assert dynamics.asked == 0


async def test_a_table_is_asked_for_by_one_of_many() -> None:
    dynamics = Organisation()
    tables = Metadata(dynamics)
    found = await asyncio.gather(*(tables.learn(SET) for _ in range(5)))
    assert {table.key for table in found} == {"activityid"}
    assert dynamics.asked == 1


async def test_what_a_table_is_is_kept_in_the_state() -> None:
    dynamics, store = Organisation(), MemoryStore()
    first = await Metadata(dynamics, store).learn(SET)
    second = await Metadata(dynamics, store).learn(SET)
    assert dynamics.asked == 1
    assert (second.key, second.logical, second.title, second.known) == (
        "activityid",
        "cr8a1_smsmessage",
        "subject",
        True,
    )
    assert second.links == first.links == frozenset(("cr8a1_customer",))
    assert [second.holds(n) for n in ("cr8a1_number", "cr8a1_customer")] == ["integer", "guid"]


@pytest.mark.parametrize("kept", ["{", "[]", '{"form": 99}', '{"form": 1, "set": 7}'])
async def test_what_cannot_be_read_in_the_state_is_asked_for_and_replaced(kept: str) -> None:
    dynamics, store = Organisation(), MemoryStore()
    await store.remember(f"table/{SET}", kept)
    assert (await Metadata(dynamics, store).learn(SET)).key == "activityid"
    assert orjson.loads(await store.recall(f"table/{SET}") or "")["PrimaryIdAttribute"]


async def test_a_table_is_read_again_after_a_day() -> None:
    time, dynamics = Turned(), Organisation()
    tables = Metadata(dynamics, clock=time.clock())
    await tables.learn(SET)
    time.now = KNOWN_S - 1
    await tables.learn(SET)
    assert dynamics.asked == 1
    time.now = KNOWN_S
    await tables.learn(SET)
    assert dynamics.asked == 2


@pytest.mark.parametrize("code", sorted(UNKNOWN_NAME))
async def test_a_table_whose_key_is_refused_is_read_again_and_the_write_repeated(code: str) -> None:
    dynamics, store = Organisation(), MemoryStore()
    await Metadata(dynamics, store).learn(SET)
    assert dynamics.row
    dynamics.row["PrimaryIdAttribute"] = "cr8a1_smsid"
    real = dynamics.send

    async def send(request: Request, *, timeout_s: float) -> Answer:
        try:
            return await real(request, timeout_s=timeout_s)
        except Refused as error:
            error.code = code
            raise

    dynamics.send = send  # type: ignore[method-assign]
    one = performer(dynamics, tables=Metadata(dynamics, store))
    assert isinstance(await one.perform(change(), timeout_s=1), outcome.Done)
    assert [next(iter(r.body or {})) for r in dynamics.requests] == ["activityid", "cr8a1_smsid"]
    assert (await Metadata(dynamics, store).learn(SET)).key == "cr8a1_smsid"


async def test_a_refusal_that_metadata_does_not_explain_is_one_with_the_request_that_was_sent() -> (
    None
):
    dynamics = Organisation()
    one = performer(dynamics, tables=Metadata(dynamics))
    real = dynamics.send

    async def send(request: Request, *, timeout_s: float) -> Answer:
        answer = await real(request, timeout_s=timeout_s)
        if request.method == "POST":
            raise Refused("400", status=400, code="0x80048d19")
        return answer

    dynamics.send = send  # type: ignore[method-assign]
    for _ in range(3):
        refused = await one.perform(change(), timeout_s=1)
        assert isinstance(refused, outcome.Refused)
        assert refused.parked.request["body"] == {"activityid": KEY, "subject": "x"}
    assert len(dynamics.requests) == 3
    assert dynamics.asked == 2


@pytest.mark.parametrize("error", [None, Forbidden("403", status=403), Refused("400", status=400)])
async def test_a_guess_is_said_out_loud_and_another_try_made_later(
    error: DynamicsError | None,
) -> None:
    time, dynamics = Turned(), Organisation()
    row, dynamics.row, dynamics.error = dynamics.row, None, error
    tables = Metadata(dynamics, MemoryStore(), time.clock())
    with structlog.testing.capture_logs() as logs:
        assert (await tables.learn(SET)).key == "cr8a1_smsmessageid"
    guessed = {"event": "dynamics.table_guessed", "log_level": "error", "table": SET}
    assert guessed | {"key": "cr8a1_smsmessageid"} in logs
    dynamics.row, dynamics.error, time.now = row, None, GUESSED_S
    assert (await tables.learn(SET)).key == "activityid"


async def test_nothing_is_guessed_while_dynamics_does_not_answer() -> None:
    dynamics = Organisation()
    dynamics.error = Unavailable("no answer")
    with pytest.raises(Unavailable):
        await performer(dynamics, tables=Metadata(dynamics)).perform(change(), timeout_s=1)
    assert dynamics.requests == []


async def test_the_twin_tells_what_it_was_told_and_guesses_out_loud() -> None:
    sms = entity("phonecalls")
    assert await KnownTables({SET: sms}).learn(SET) is sms
    with structlog.testing.capture_logs() as logs:
        assert not (await KnownTables().learn(SET)).known
    assert [entry["event"] for entry in logs] == ["dynamics.table_guessed"]


@pytest.mark.parametrize(
    ("column", "value", "term"),
    [
        ("cr8a1_number", "7", "cr8a1_number%20eq%207"),
        ("cr8a1_customer", KEY, f"_cr8a1_customer_value%20eq%20{KEY}"),
        ("subject", "7", "subject%20eq%20'7'"),
    ],
)
async def test_an_attribute_is_asked_for_as_metadata_types_its_column(
    column: str, value: str, term: str
) -> None:
    dynamics = Organisation()
    search = Search(entity(SET), Way("attribute", Template("{{Attributes.x}}"), (column,)), value)
    one = performer(dynamics, tables=Metadata(dynamics))
    await one.perform(Lookup("p/WHO", search.queries()[0], search=search), timeout_s=1)
    assert dynamics.requests[0].path.startswith(f"{SET}?$select=activityid,")
    assert f"$filter={term}&" in dynamics.requests[0].path


# --- elastic tables -------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.ADOPT, Verb.CLOSE])
async def test_a_record_in_a_partition_is_addressed_with_it(verb: Verb) -> None:
    dynamics = Organisation("subject")
    assert dynamics.row
    one = performer(dynamics, tables=Metadata(dynamics))
    await one.perform(change(verb, partition="O'Hara / 1"), timeout_s=1)
    address = f"{SET}(subject={KEY},partitionid='O%27%27Hara%20%2F%201')"
    assert dynamics.requests[0].path == address
