"""A Kinesis stream is read whole, in order, once, and whatever happens meanwhile.

Many of these stories are bugs of other consumers: see "What broke elsewhere" in tests/README.md.
"""

from __future__ import annotations

import asyncio

from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from botocore.exceptions import EndpointConnectionError

from twins import kinesis as kinesis_twin
from twins.checkpoints import Checkpoints
from twins.kinesis import refusal
from twins.loop import BEGINNING, clock, wall
from worker import aws
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.sources.budget import ReadBudget
from worker.sources.kinesis import KinesisStream
from worker.sources.positions import SHARD_END
from worker.sources.protocol import Message


STREAM = "contact-events"
SEQUENCE = kinesis_twin.Stream.sequence


class FakeKinesis(kinesis_twin.Stream):
    """A stream whose listing has pages, and each of whose calls can fail."""

    def __init__(
        self,
        *,
        page: int = 1000,
        latency_s: float = 0.01,
        absent_at_end: bool = True,
        trimmed_refused: bool = False,
        iterator_faults: Sequence[Exception] = (),
        list_faults: Sequence[Exception] = (),
    ) -> None:
        super().__init__(0, wall)
        self.page = page
        self.latency_s = latency_s
        self.absent_at_end = absent_at_end
        self.trimmed_refused = trimmed_refused
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, list[Exception]] = defaultdict(list)  # of reads, by shard
        self.iterator_faults = list(iterator_faults)
        self.list_faults = list(list_faults)

    def shard(self, name: str, *bodies: str, parents: Sequence[str] = (), at: float = 0.0) -> str:
        self.open(0, kinesis_twin.HASH_KEYS - 1, parents, name)
        self.put(name, *bodies, at=at)
        return name

    def put(self, shard: str, *bodies: str, at: float = 0.0) -> None:
        self.append(shard, *(body.encode() for body in bodies), at_s=BEGINNING + at)

    def close(self, *shards: str) -> None:
        for shard in shards:
            self.shards[shard].ends = self.sequence

    def asked(self, call: str) -> list[dict[str, Any]]:
        return [request for name, request in self.requests if name == call]

    async def list_shards(self, **request: Any) -> dict[str, Any]:
        self.requests.append(("list_shards", request))
        if self.list_faults:
            raise self.list_faults.pop(0)
        assert ("StreamName" in request) != ("NextToken" in request)
        begin = int(request.get("NextToken", 0))
        more = {"NextToken": str(begin + self.page)} if begin + self.page < len(self.shards) else {}
        return {"Shards": self.listed(list(self.shards)[begin : begin + self.page]), **more}

    async def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        self.requests.append(("get_shard_iterator", request))
        if self.iterator_faults:
            raise self.iterator_faults.pop(0)
        if self.trimmed_refused and request["ShardIteratorType"] == "AT_SEQUENCE_NUMBER":
            oldest = self.shards[request["ShardId"]].records[0]
            if oldest.sequence > int(request["StartingSequenceNumber"]):
                raise refusal("InvalidArgumentException")
        return self.iterator(request)

    async def get_records(self, **request: Any) -> dict[str, Any]:
        self.requests.append(("get_records", request))
        await asyncio.sleep(self.latency_s)
        faults = self.faults[request["ShardIterator"].partition("|")[0]]
        if faults:
            raise faults.pop(0)
        answer = self.get(request)
        return answer if self.absent_at_end else {"NextShardIterator": None, **answer}


class Reading:
    """A stream being read by a handler that notes what it gets and when."""

    def __init__(
        self, kinesis: FakeKinesis, store: Checkpoints | None = None, **options: Any
    ) -> None:
        self.store = store or Checkpoints()
        self.stop = asyncio.Event()
        self.got: list[tuple[str, str]] = []  # shard, body
        self.times: dict[str, float] = {}
        self.batches: list[int] = []
        self.lags: list[tuple[str, int | None]] = []
        self.troubles: list[str] = []
        self.slow: dict[str, float] = {}  # body: how long (s) handling it takes
        self.failing: set[str] = set()
        options.setdefault("start", "earliest")
        self.source = KinesisStream(
            lambda: nullcontext(kinesis),
            STREAM,
            self.store,
            clock=clock(),
            on_lag=lambda _, shard, millis: self.lags.append((shard, millis)),
            on_trouble=lambda _, shard, code: self.troubles.append(f"{shard}:{code}"),
            **options,
        )

    async def handle(self, batch: Sequence[Message]) -> None:
        self.batches.append(len(batch))
        for message in batch:
            body = message.body.decode()
            await asyncio.sleep(self.slow.get(body, 0))
            if body in self.failing:
                raise ValueError(message.origin)
            self.got.append((message.origin.split("/")[1], body))
            self.times[body] = asyncio.get_running_loop().time()

    async def during(self, seconds: float) -> Reading:
        """Read for so long, then stop and drain."""
        reading = asyncio.create_task(self.source.run(self.handle, self.stop))
        await asyncio.wait((reading,), timeout=seconds)
        self.stop.set()
        await reading
        return self

    @property
    def bodies(self) -> list[str]:
        return [body for _, body in self.got]


@dataclass
class Bug:
    """A TypeError in calls that name a shard: so many times, once ``after`` calls went well."""

    shard: str
    times: int
    after: int = 0
    happened: int = 0

    def happen(self, *about: object) -> None:
        if self.shard not in str(about):
            return
        self.after -= 1
        if self.after < 0 and self.happened < self.times:
            self.happened += 1
            raise TypeError(about)

    def before(self, call: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        async def called(*arguments: Any, **request: Any) -> Any:
            self.happen(*arguments, *request.values())
            return await call(*arguments, **request)

        return called


class Telling(list[Any]):
    """A list that hands on what is appended."""

    def __init__(self, told: Callable[[Any], object]) -> None:
        super().__init__()
        self.append = told  # type: ignore[assignment]


def numbered(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{n}" for n in range(count)]


async def test_everything_is_delivered_when_one_call_takes_33_s() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", *numbered(60))
    reading = Reading(kinesis, limit=20)
    reading.slow = {"7": 33.0}
    await reading.during(60)
    assert reading.bodies == numbered(60)
    assert reading.store.kept == {"a": str(SEQUENCE + 60)}


async def test_a_batch_whose_handler_fails_comes_again_and_is_not_skipped() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", *numbered(10))
    kinesis.shard("b", "other")
    reading = Reading(kinesis, limit=5)
    reading.failing = {"7"}
    asyncio.get_running_loop().call_at(40.0, reading.failing.clear)
    asyncio.get_running_loop().call_at(39.0, lambda: kept.update(reading.store.kept))
    kept: dict[str, str] = {}
    await reading.during(90)
    assert kept["a"] == str(SEQUENCE + 5), "nothing is acknowledged early"
    assert reading.times["other"] < 1
    assert list(dict.fromkeys(b for b in reading.bodies if b != "other")) == numbered(10)
    assert reading.bodies[-3:] == ["7", "8", "9"]


async def test_a_reader_that_dies_begins_again_and_is_told() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1")
    kinesis.shard("b", "2")
    kinesis.faults["b"] = [refusal("InvalidArgumentException"), TypeError("2")]
    reading = await Reading(kinesis, faults=(faults := Faults())).during(60)
    assert sorted(reading.bodies) == ["1", "2"]
    assert reading.troubles == ["b:InvalidArgumentException", "b:OddAnswer.TypeError"]
    ((boundary, fault),) = faults.counts
    assert (boundary, fault.kind) == ("shard", "ClientError")


async def test_a_slow_shard_does_not_delay_another() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "slow", "late")
    kinesis.shard("b", "quick")
    reading = Reading(kinesis, limit=1)
    reading.slow = {"slow": 100.0}
    await reading.during(200)
    assert reading.times["quick"] < 1
    assert reading.times["late"] > 100


async def test_a_failing_shard_does_not_delay_another() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "held up")
    kinesis.faults["a"] = [refusal("KMSDisabledException") for _ in range(8)]
    kinesis.shard("b", "quick")
    reading = await Reading(kinesis).during(300)
    assert reading.times["quick"] < 1
    assert reading.times["held up"] > 10
    assert reading.troubles == ["a:KMSDisabledException"] * 8


async def test_latency_does_not_grow_with_idle_shards() -> None:
    kinesis = FakeKinesis()
    for n in range(17):
        kinesis.shard(f"s{n:02}")
    reading = Reading(kinesis)
    asyncio.get_running_loop().call_at(20.0, kinesis.put, "s16", "hello")
    await reading.during(30)
    assert reading.times["hello"] - 20.0 < 1.1


async def test_all_of_150_shards_are_seen_over_several_pages_of_listings() -> None:
    kinesis = FakeKinesis(page=100)
    for n in range(150):
        kinesis.shard(f"s{n:03}", f"m{n}")
    reading = await Reading(kinesis).during(5)
    assert sorted(reading.bodies) == sorted(numbered(150, "m"))


async def test_a_restart_reads_nothing_again_and_goes_on_after_idling() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1", "2")
    first = await Reading(kinesis).during(600)
    kinesis.put("a", "3")
    reading = Reading(kinesis, first.store)
    asyncio.get_running_loop().call_later(500, kinesis.put, "a", "4")
    await reading.during(600)
    assert first.bodies == ["1", "2"]
    assert reading.bodies == ["3", "4"]
    assert reading.troubles == []


@pytest.mark.parametrize(
    "failure",
    [
        refusal("InternalFailure", 500),
        refusal("503", 503),
        refusal("ProvisionedThroughputExceededException"),
        refusal("KMSThrottlingException"),
        refusal("KMSAccessDeniedException"),
        refusal("AccessDeniedException"),
        EndpointConnectionError(endpoint_url="http://kinesis.invalid"),
    ],
    ids=lambda failure: getattr(failure, "response", {}).get("Error", {}).get("Code", "network"),
)
async def test_a_failed_read_is_repeated_with_the_same_iterator(failure: Exception) -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1", "2")
    kinesis.faults["a"] = [failure, failure]
    reading = await Reading(kinesis).during(30)
    assert reading.bodies == ["1", "2"]
    assert len(reading.troubles) == 2
    assert len(kinesis.asked("get_shard_iterator")) == 1


async def test_failures_back_off_up_to_half_a_minute_for_ever() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1")
    kinesis.faults["a"] = [refusal("KMSDisabledException") for _ in range(200)]
    reading = await Reading(kinesis).during(3600)
    assert reading.bodies == []
    assert 100 < len(reading.troubles) < 200


async def test_an_expired_iterator_goes_on_after_the_last_record() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1", "2", "3")
    reading = Reading(kinesis, limit=2)
    asyncio.get_running_loop().call_at(
        0.1, kinesis.faults["a"].append, refusal("ExpiredIteratorException")
    )
    await reading.during(30)
    assert reading.bodies == ["1", "2", "3"]
    assert reading.troubles == ["a:ExpiredIteratorException"]


@pytest.mark.parametrize("absent", [True, False])
async def test_a_missing_or_null_iterator_is_the_end_and_children_follow(*, absent: bool) -> None:
    kinesis = FakeKinesis(absent_at_end=absent)
    kinesis.shard("a", "1")
    kinesis.close("a")
    kinesis.shard("b", "2", parents=["a"])
    kinesis.shard("c", "3", parents=["a"])
    reading = await Reading(kinesis).during(5)
    assert reading.bodies[0] == "1"
    assert sorted(reading.bodies[1:]) == ["2", "3"]
    assert reading.store.kept["a"] == SHARD_END


async def test_children_wait_for_both_parents_and_for_grandparents() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("z1", "first")
    kinesis.shard("y1", "second", parents=["z1"])
    kinesis.shard("y2", "other")
    kinesis.shard("x1", "third", parents=["y1", "y2"])
    kinesis.close("z1", "y1", "y2")
    reading = Reading(kinesis)
    reading.slow = {"first": 10.0, "other": 50.0}
    await reading.during(100)
    assert reading.bodies == ["first", "second", "other", "third"]


async def test_a_shard_closed_while_nobody_read_is_read_to_its_end() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1")
    first = await Reading(kinesis).during(5)
    kinesis.put("a", "2")
    kinesis.close("a")
    kinesis.shard("b", "3", parents=["a"])
    second = await Reading(kinesis, first.store).during(5)
    assert second.bodies == ["2", "3"]


async def test_a_finished_shard_is_never_asked_for_again() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1")
    kinesis.close("a")
    first = await Reading(kinesis).during(100)
    assert first.bodies == ["1"]
    assert len(kinesis.asked("get_records")) == 1
    await Reading(kinesis, first.store).during(100)
    assert len(kinesis.asked("get_records")) == 1


async def test_a_store_that_answers_late_does_not_make_a_shard_read_twice() -> None:
    class Late(Checkpoints):
        async def positions(self, stream: str) -> dict[str, str]:
            await super().positions(stream)
            return {}

    kinesis = FakeKinesis()
    kinesis.shard("a", "1")
    kinesis.close("a")
    reading = await Reading(kinesis, Late()).during(100)
    assert reading.bodies == ["1"]
    assert reading.store.kept == {"a": SHARD_END}


async def test_a_reshard_in_mid_flight_is_followed_at_once() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1")

    def split() -> None:
        kinesis.close("a")
        kinesis.shard("b", "2", parents=["a"])

    asyncio.get_running_loop().call_at(10.0, split)
    reading = await Reading(kinesis).during(20)
    assert reading.bodies == ["1", "2"]
    assert reading.times["2"] < 12


async def test_started_now_it_skips_the_past_even_of_closed_shards() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "old", at=-500)
    kinesis.close("a")
    kinesis.shard("b", "older than now", parents=["a"], at=-100)
    asyncio.get_running_loop().call_at(5.0, lambda: kinesis.put("b", "new", at=5))
    reading = await Reading(kinesis, start="now").during(10)
    assert reading.bodies == ["new"]


async def test_a_restart_before_the_first_checkpoint_loses_nothing_although_started_now() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a")
    first = await Reading(kinesis, start="now").during(5)
    kinesis.put("a", "while we were away", at=100)
    await asyncio.sleep(200)
    second = await Reading(kinesis, first.store, start="now").during(5)
    assert second.bodies == ["while we were away"]


async def test_children_born_while_we_were_away_are_read_from_their_first_record() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a")
    first = await Reading(kinesis, start="now").during(5)
    kinesis.put("a", "1", at=100)
    kinesis.close("a")
    kinesis.shard("b", "2", parents=["a"], at=101)
    await asyncio.sleep(200)
    second = await Reading(kinesis, first.store, start="now").during(5)
    assert second.bodies == ["1", "2"]


async def test_what_start_was_the_first_time_stays() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a")
    first = await Reading(kinesis, start="2026-01-02T03:04:05Z").during(5)
    await Reading(kinesis, first.store, start="now").during(5)
    asked = kinesis.asked("get_shard_iterator")
    assert [request["Timestamp"] for request in asked] == [
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    ] * 2


async def test_a_clock_ahead_of_amazons_only_delays_the_start() -> None:
    kinesis = FakeKinesis(iterator_faults=[refusal("InvalidArgumentException")])
    kinesis.shard("a", "1", at=1)
    reading = await Reading(kinesis, start="now").during(5)
    assert reading.bodies == ["1"]
    assert reading.troubles == ["a:InvalidArgumentException"]


async def test_a_checkpoint_is_written_only_after_its_batch_is_handled() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", *numbered(4))
    reading = Reading(kinesis, limit=2)
    seen: list[tuple[int, int]] = []

    async def handle(batch: Sequence[Message]) -> None:
        seen.append((len(reading.store.writes), len(batch)))
        await asyncio.sleep(1)

    asyncio.get_running_loop().call_at(10, reading.stop.set)
    await reading.source.run(handle, reading.stop)
    assert seen == [(0, 2), (1, 2)]
    assert reading.store.writes == [("a", str(SEQUENCE + 2)), ("a", str(SEQUENCE + 4))]


async def test_a_checkpoint_never_moves_back_though_its_digits_grow() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", *numbered(12))
    first = Reading(kinesis, limit=1)
    asyncio.get_running_loop().call_at(
        1.0, kinesis.faults["a"].append, refusal("ExpiredIteratorException")
    )
    await first.during(20)
    written = [int(position) for _, position in first.store.writes]
    assert written == sorted(set(written))
    assert len(str(written[0])) < len(str(written[-1]))


@pytest.mark.parametrize("refused", [True, False])
async def test_records_trimmed_behind_the_checkpoint_are_reported_and_reading_goes_on(
    *, refused: bool
) -> None:
    kinesis = FakeKinesis(trimmed_refused=refused)
    kinesis.shard("a", *numbered(5))
    first = await Reading(kinesis).during(5)
    kinesis.put("a", "lost", "kept")
    del kinesis.shards["a"].records[:6]
    second = Reading(kinesis, first.store)
    with structlog.testing.capture_logs() as logs:
        await second.during(5)
    assert second.bodies == ["kept"]
    assert second.troubles == ["a:RecordsTrimmed"]
    errors = [entry for entry in logs if entry["log_level"] == "error"]
    assert errors == [
        {
            "event": "kinesis.records_trimmed",
            "log_level": "error",
            "stream": STREAM,
            "shard": "a",
        }
    ]


async def test_a_big_answer_is_handed_on_in_slices_each_with_its_checkpoint() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", *["x" * 100] * 2500)
    kinesis.shard("b", *["y" * 40_000] * 5)
    reading = await Reading(kinesis, slice_bytes=100_000).during(5)
    assert sorted(reading.batches) == [1, 2, 2, 500, 1000, 1000]
    assert len(reading.store.writes) == 6


async def test_a_record_larger_than_a_slice_is_handed_on_alone() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "s", "x" * 500, "t")
    reading = await Reading(kinesis, slice_bytes=100).during(5)
    assert reading.batches == [1, 1, 1]


async def test_bytes_in_hand_stay_within_the_budget_whatever_the_backlog() -> None:
    kinesis = FakeKinesis()
    for n in range(12):
        kinesis.shard(f"s{n}", *["x" * 1_000_000] * 20)
    budget = ReadBudget(24 * 1024 * 1024)
    taken: list[int] = []
    reading = Reading(kinesis, limit=10, budget=budget)

    async def handle(_: Sequence[Message]) -> None:
        await asyncio.sleep(1)
        taken.append(budget.taken)

    asyncio.get_running_loop().call_at(60, reading.stop.set)
    await reading.source.run(handle, reading.stop)
    assert all(position == max(positions) for _, position, positions in _ends(reading, kinesis))
    assert max(taken) <= budget.total
    assert budget.taken == 0


async def test_a_small_answer_holds_only_its_own_bytes_while_it_is_handled() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "four")
    budget = ReadBudget(64 * 1024 * 1024)
    taken: list[int] = []
    reading = Reading(kinesis, budget=budget)

    async def handle(_: Sequence[Message]) -> None:
        taken.append(budget.taken)
        reading.stop.set()

    await reading.source.run(handle, reading.stop)
    assert taken == [len("four")]


def _ends(reading: Reading, kinesis: FakeKinesis) -> list[tuple[str, int, list[int]]]:
    return [
        (name, int(reading.store.kept[name]), [record.sequence for record in shard.records])
        for name, shard in kinesis.shards.items()
    ]


async def test_empty_answers_while_behind_are_followed_at_once_but_five_a_second_at_most() -> None:
    class Sparse(FakeKinesis):
        async def get_records(self, **request: Any) -> dict[str, Any]:
            answer = await super().get_records(**request)
            return {**answer, "Records": [], "MillisBehindLatest": 60_000}

    kinesis = Sparse()
    kinesis.shard("a")
    await Reading(kinesis).during(10)
    assert 45 <= len(kinesis.asked("get_records")) <= 51


async def test_an_idle_shard_is_read_once_a_poll_interval() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a")
    await Reading(kinesis, poll_s=2.0).during(19)
    assert len(kinesis.asked("get_records")) == 10


async def test_after_stop_the_batch_in_hand_is_acknowledged_and_no_other_begun() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1", "2", "3")
    reading = Reading(kinesis, slice_bytes=1)
    reading.slow = {"2": 10.0}
    await reading.during(5)
    assert reading.bodies == ["1", "2"]
    assert reading.store.kept == {"a": str(SEQUENCE + 2)}


async def test_stop_cuts_every_wait_short() -> None:
    kinesis = FakeKinesis(latency_s=25.0)
    kinesis.shard("a")
    kinesis.shard("b")
    kinesis.faults["b"] = [refusal("KMSDisabledException") for _ in range(100)]
    await Reading(kinesis).during(310)
    assert asyncio.get_running_loop().time() == pytest.approx(310)


async def test_a_store_that_fails_holds_the_shard_until_it_is_back() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1", "2")
    reading = Reading(kinesis, limit=1)
    reading.store.faults = [StoreUnavailable("locked")] * 3
    await reading.during(30)
    assert reading.bodies == ["1", "2"]
    assert reading.troubles == ["a:StoreUnavailable"] * 3
    assert reading.store.kept == {"a": str(SEQUENCE + 2)}


async def test_a_listing_that_fails_is_repeated_and_reported() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1")
    kinesis.list_faults = [
        refusal("ExpiredNextTokenException"),
        refusal("ResourceNotFoundException"),
    ]
    reading = await Reading(kinesis).during(30)
    assert reading.bodies == ["1"]
    assert reading.troubles == [":ExpiredNextTokenException", ":ResourceNotFoundException"]


async def test_a_shard_past_its_retention_is_let_go_and_its_children_are_read() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a")
    kinesis.faults["a"] = [refusal("ResourceNotFoundException") for _ in range(100)]
    kinesis.shard("b", "2", parents=["a"])
    asyncio.get_running_loop().call_at(100, kinesis.shards.pop, "a")
    reading = await Reading(kinesis).during(300)
    assert reading.bodies == ["2"]
    assert 100 < reading.times["2"] < 140
    assert "a" not in reading.store.kept
    assert [millis for shard, millis in reading.lags if shard == "a"][-1] is None


async def test_lag_is_reported_at_each_read_and_grows_while_a_shard_is_stuck() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1", "2", "3")
    reading = Reading(kinesis, limit=1)
    reading.slow = {"2": 100.0}
    await reading.during(80)
    assert reading.lags[:2] == [("a", 2000), ("a", 1000)]
    stuck = [millis or 0 for _, millis in reading.lags[2:4]]
    assert stuck[0] > 25_000
    assert stuck[1] > 55_000


async def test_a_stream_given_by_arn_is_addressed_by_it_in_every_call() -> None:
    arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/contact-events"

    class ByArn(FakeKinesis):
        async def list_shards(self, **request: Any) -> dict[str, Any]:
            assert request.pop("StreamARN") == arn
            if "NextToken" not in request:
                request["StreamName"] = STREAM
            return await super().list_shards(**request)

    class AnyStore(Checkpoints):
        async def positions(self, stream: str) -> dict[str, str]:
            assert stream == arn
            return {}

    kinesis = ByArn(page=1)
    kinesis.shard("a")
    kinesis.shard("b")
    stop = asyncio.Event()
    source = KinesisStream(lambda: nullcontext(kinesis), arn, AnyStore(), clock=clock())
    asyncio.get_running_loop().call_at(3, stop.set)
    await source.run(Reading(kinesis).handle, stop)
    asked = kinesis.asked("get_records") + kinesis.asked("get_shard_iterator")
    assert {request["StreamARN"] for request in asked} == {arn}
    assert not any("StreamName" in request for request in asked)


async def test_no_log_line_holds_what_a_record_says() -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "+4915550000001")
    kinesis.faults["a"] = [refusal("AccessDeniedException")]
    kinesis.close("a")
    with structlog.testing.capture_logs() as logs:
        await Reading(kinesis).during(10)
    events = [entry["event"] for entry in logs]
    assert events == ["kinesis.shard_begun", "kinesis.trouble", "kinesis.shard_left"]
    assert "4915550000001" not in str(logs)


async def test_a_request_that_is_wrong_is_made_ever_more_rarely_and_told() -> None:
    wrong = refusal("InvalidArgumentException")
    listing = FakeKinesis(list_faults=[wrong] * 200)
    horizon = FakeKinesis(iterator_faults=[wrong] * 200)
    horizon.shard("a")
    for kinesis, call in ((listing, "list_shards"), (horizon, "get_shard_iterator")):
        reading = await Reading(kinesis).during(600)
        assert 20 < len(kinesis.asked(call)) < 40
        assert {code.partition(":")[2] for code in reading.troubles} == {aws.code(wrong)}


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("call", ["get_shard_iterator", "get_records", "set_position", "lag"])
async def test_a_bug_in_one_shards_reader_begins_it_again_and_touches_no_other(
    call: str, times: int
) -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", *numbered(10, "a"))
    kinesis.shard("b", *numbered(10, "b"))
    bug = Bug("b", times)
    store = Checkpoints()
    if call == "set_position":
        store.set_position = bug.before(store.set_position)  # type: ignore[method-assign]
    elif call != "lag":
        setattr(kinesis, call, bug.before(getattr(kinesis, call)))
    reading = Reading(kinesis, store, limit=3, faults=(faults := Faults()))
    if call == "lag":
        reading.lags = Telling(lambda lag: bug.happen(lag[0]))
    await reading.during(300)
    ours = [body for body in reading.bodies if body.startswith("a")]
    assert ours == numbered(10, "a")
    assert store.kept["a"] == str(SEQUENCE + 10)
    others = list(dict.fromkeys(b for b in reading.bodies if b.startswith("b")))
    assert others == numbered(10, "b")[: len(others)], "nothing is skipped"
    if times == 1:
        assert store.kept["b"] == str(SEQUENCE + 20)
    else:
        assert "b" not in store.kept, "nothing is acknowledged early"
        assert 10 < bug.happened < 60, "after growing pauses"
    assert bug.happened > 0
    assert all(boundary == "shard" for boundary, _ in faults.counts)


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("call", ["list_shards", "positions"])
async def test_a_bug_in_looking_for_shards_leaves_those_alone_that_are_read(
    call: str, times: int
) -> None:
    kinesis = FakeKinesis()
    kinesis.shard("a", "1")
    store = Checkpoints()
    bug = Bug("", times, after=1)
    owner: Any = kinesis if call == "list_shards" else store
    setattr(owner, call, bug.before(getattr(owner, call)))
    reading = Reading(kinesis, store)
    asyncio.get_running_loop().call_at(200.0, kinesis.put, "a", "2")
    asyncio.get_running_loop().call_at(200.0, kinesis.shard, "b", "3")
    await reading.during(300)
    assert bug.happened > 0
    assert reading.times["2"] < 202
    assert ("3" in reading.bodies) == (times == 1)


async def test_stop_ends_run_although_stream_and_store_are_out() -> None:
    class NoStore(Checkpoints):
        async def remember(self, name: str, value: str) -> str:
            raise StoreUnavailable(f"{name} {value}")

    no_stream = FakeKinesis(list_faults=[refusal("ServiceUnavailable", 503) for _ in range(99)])
    assert (await Reading(no_stream).during(60)).bodies == []
    kinesis = FakeKinesis()
    kinesis.shard("a", "1")
    assert (await Reading(kinesis, NoStore()).during(60)).bodies == []
    reading = Reading(kinesis)
    reading.store.faults = [StoreUnavailable("disk full") for _ in range(99)]
    await reading.during(60)
    assert reading.bodies == ["1"]
    assert reading.store.kept == {}
