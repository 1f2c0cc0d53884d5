"""An SQS queue is emptied without losing, holding up or deleting too early."""

from __future__ import annotations

import asyncio

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from botocore.exceptions import ClientError

from worker.clock import Clock
from worker.errors import StoreUnavailable
from worker.faults import Faults
from worker.sources.protocol import Message
from worker.sources.sqs import SqsQueue


URL = "https://sqs.invalid/123456789012/recordings"
TWELVE_HOURS_S = 12 * 3600


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "ReceiveMessage")


@dataclass
class Waiting:
    """A message in the queue: when it is visible again, and how often it was received."""

    body: str
    visible_at: float = 0.0
    count: int = 0
    first_at: float = 0.0


@dataclass
class FakeSqs:
    """A queue that answers like AWS."""

    waiting: dict[str, Waiting] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    failing_deletes: list[str] = field(default_factory=list)  # codes, one for each entry to fail
    requests: list[dict[str, Any]] = field(default_factory=list)
    hidden: list[tuple[float, str, int]] = field(default_factory=list)  # when, message, seconds
    deleted: list[tuple[str, str]] = field(default_factory=list)  # message, receipt

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def put(self, *bodies: str) -> None:
        for body in bodies:
            self.waiting[f"id-{body}"] = Waiting(body)

    def _receive(self, name: str, visibility_s: int) -> dict[str, Any]:
        message = self.waiting[name]
        message.count += 1
        message.visible_at = self.now + visibility_s
        return {
            "MessageId": name,
            "ReceiptHandle": f"{name}#{message.count}",
            "Body": message.body,
            "Attributes": {"ApproximateReceiveCount": str(message.count)},
        }

    async def receive_message(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        if self.faults:
            raise self.faults.pop(0)
        for _ in range(10 * request["WaitTimeSeconds"]):
            names = [name for name in self.waiting if self.waiting[name].visible_at <= self.now]
            if names:
                batch = names[: request["MaxNumberOfMessages"]]
                visibility_s = request["VisibilityTimeout"]
                return {"Messages": [self._receive(name, visibility_s) for name in batch]}
            await asyncio.sleep(0.1)
        return {}

    async def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        failed = []
        for entry in request["Entries"]:
            name = entry["ReceiptHandle"].partition("#")[0]
            if self.failing_deletes:
                code = self.failing_deletes.pop(0)
                failed.append({"Id": entry["Id"], "Code": code, "SenderFault": False})
            else:
                self.deleted.append((name, entry["ReceiptHandle"]))
                self.waiting.pop(name, None)
        return {"Failed": failed} if failed else {}

    async def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        for entry in request["Entries"]:
            name = entry["ReceiptHandle"].partition("#")[0]
            self.hidden.append((self.now, name, entry["VisibilityTimeout"]))
            self.waiting[name].visible_at = self.now + entry["VisibilityTimeout"]
        return {}


class Working:
    """A queue being worked on by a handler that notes what it gets."""

    def __init__(self, queue: FakeSqs, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        self.stop = asyncio.Event()
        self.got: list[str] = []
        self.origins: list[str] = []
        self.troubles: list[str] = []
        self.slow: dict[str, float] = {}
        self.failures: list[Exception] = []
        self.poison: set[str] = set()
        self.source = SqsQueue(
            lambda: nullcontext(queue),
            URL,
            clock=Clock(monotonic=loop.time, chance=lambda: 0.5),
            on_trouble=lambda _, code: self.troubles.append(code),
            **options,
        )

    async def handle(self, batch: Sequence[Message]) -> None:
        for message in batch:
            await asyncio.sleep(self.slow.get(message.body.decode(), 0))
            if self.failures:
                raise self.failures.pop(0)
            if message.body.decode() in self.poison:
                raise TypeError(message.body)
            self.got.append(message.body.decode())
            self.origins.append(message.origin)

    async def during(self, seconds: float) -> Working:
        """Work for so long, then stop and drain."""
        working = asyncio.create_task(self.source.run(self.handle, self.stop))
        await asyncio.wait((working,), timeout=seconds)
        self.stop.set()
        await working
        return self


async def test_every_message_is_handled_then_deleted() -> None:
    queue = FakeSqs()
    queue.put(*(str(n) for n in range(25)))
    working = await Working(queue).during(30)
    assert sorted(working.got, key=int) == [str(n) for n in range(25)]
    assert working.origins[0] == "sqs:recordings/id-0"
    assert queue.waiting == {}


async def test_the_queue_is_polled_long_and_asked_how_often_a_message_was_received() -> None:
    queue = FakeSqs()
    await Working(queue, visibility_s=60).during(90)
    assert len(queue.requests) == 5
    assert queue.requests[0] == {
        "QueueUrl": URL,
        "MaxNumberOfMessages": 10,
        "WaitTimeSeconds": 20,
        "VisibilityTimeout": 60,
        "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
    }


async def test_stop_interrupts_a_long_poll() -> None:
    await Working(FakeSqs()).during(5)
    assert asyncio.get_running_loop().time() == pytest.approx(5)


async def test_after_stop_the_batch_in_hand_is_finished_and_deleted() -> None:
    queue = FakeSqs()
    queue.put("slow")
    working = Working(queue)
    working.slow = {"slow": 60.0}
    asyncio.get_running_loop().call_at(10, queue.put, "late")
    await working.during(20)
    assert working.got == ["slow"]
    assert list(queue.waiting) == ["id-late"]
    assert queue.waiting["id-late"].count == 0


async def test_a_slow_batch_stays_hidden_by_extensions_every_third() -> None:
    queue = FakeSqs()
    queue.put("slow")
    working = Working(queue, visibility_s=30, receivers=2)
    working.slow = {"slow": 95.0}
    await working.during(150)
    assert working.got == ["slow"]
    assert [when for when, _, _ in queue.hidden] == pytest.approx(
        [10, 20, 30, 40, 50, 60, 70, 80, 90]
    )
    assert queue.waiting == {}


async def test_no_extension_reaches_beyond_twelve_hours() -> None:
    queue = FakeSqs()
    queue.put("stuck")
    working = Working(queue, visibility_s=3600)
    working.slow = {"stuck": TWELVE_HOURS_S + 3000}
    await working.during(TWELVE_HOURS_S + 4000)
    assert max(when + seconds for when, _, seconds in queue.hidden) == TWELVE_HOURS_S
    assert set(working.troubles) == {"HeldTooLong"}


async def test_a_message_delivered_again_while_in_hand_is_not_handed_out_twice() -> None:
    queue = FakeSqs()
    queue.put("twice")
    working = Working(queue, receivers=2)
    working.slow = {"twice": 20.0}
    reappear = queue.waiting["id-twice"]
    asyncio.get_running_loop().call_at(5, setattr, reappear, "visible_at", 0.0)
    await working.during(60)
    assert working.got == ["twice"]
    assert queue.deleted == [("id-twice", "id-twice#2")]


async def test_only_the_deletes_that_failed_are_repeated() -> None:
    queue = FakeSqs(failing_deletes=["InternalError", "RequestThrottled"])
    queue.put("1", "2", "3")
    working = await Working(queue).during(30)
    assert working.got == ["1", "2", "3"]
    assert [name for name, _ in queue.deleted] == ["id-3", "id-1", "id-2"]
    assert working.troubles == ["InternalError", "RequestThrottled"]


async def test_a_delete_with_a_receipt_that_no_longer_counts_is_not_repeated() -> None:
    queue = FakeSqs(failing_deletes=["ReceiptHandleIsInvalid"])
    queue.put("1")
    working = await Working(queue).during(30)
    assert working.troubles == ["ReceiptHandleIsInvalid"]
    assert queue.deleted == []


async def test_what_cannot_be_deleted_comes_again() -> None:
    queue = FakeSqs(failing_deletes=["InternalError"] * 5)
    queue.put("1")
    working = await Working(queue, visibility_s=30).during(120)
    assert working.got == ["1", "1"]
    assert queue.waiting == {}


@pytest.mark.parametrize("code", ["RequestThrottled", "QueueDoesNotExist", "KmsDisabled"])
async def test_a_receive_that_fails_is_repeated_and_reported(code: str) -> None:
    queue = FakeSqs(faults=[refusal(code), refusal(code)])
    queue.put("1")
    working = await Working(queue).during(30)
    assert working.got == ["1"]
    assert working.troubles == [code, code]


async def test_a_bug_with_one_message_costs_that_message_alone() -> None:
    queue = FakeSqs()
    queue.put("1", "poison", "2")
    working = Working(queue, faults=(faults := Faults()))
    working.poison = {"poison"}
    await working.during(400)
    assert sorted(name for name, _ in queue.deleted) == ["id-1", "id-2"]
    assert "id-poison" in queue.waiting, "it is never acknowledged"
    released = [seconds for _, name, seconds in queue.hidden if name == "id-poison"]
    assert released[:6] == [5, 10, 20, 40, 80, 160], "so that the dead letters get it"
    assert {boundary for boundary, _ in faults.counts} == {"source"}


async def test_after_a_bug_that_happens_once_every_message_is_handled_at_once() -> None:
    queue = FakeSqs()
    queue.put("1", "2")
    working = Working(queue)
    working.failures = [ValueError("bug")]
    await working.during(3)
    assert sorted(name for name, _ in queue.deleted) == ["id-1", "id-2"]
    assert queue.hidden == []


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize(
    "call",
    ["receive_message", "delete_message_batch", "change_message_visibility_batch"],
)
@pytest.mark.parametrize("odd", [TypeError("bug"), {"Messages": 7, "Failed": 7}])
async def test_whatever_a_call_to_the_queue_ends_in_the_receiver_goes_on(
    call: str, times: int, odd: Any
) -> None:
    queue = FakeSqs()
    queue.put("slow", "2")
    well = getattr(queue, call)
    calls = 0

    async def badly(**request: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > times:
            return await well(**request)
        if isinstance(odd, Exception):
            raise odd
        return odd

    setattr(queue, call, badly)
    working = Working(queue, visibility_s=30)
    working.slow = {"slow": 25.0}
    await working.during(300)
    assert calls > 0
    assert working.troubles
    if times == 1 or call.startswith("change"):
        assert sorted(working.got) == ["2", "slow"]
        assert len(queue.deleted) == 2
    else:
        assert queue.deleted == []
        assert calls < 60, "after growing pauses"


async def test_while_the_store_is_unavailable_messages_are_released_for_longer_and_longer() -> None:
    queue = FakeSqs()
    queue.put("1")
    working = Working(queue)
    working.failures = [StoreUnavailable("locked") for _ in range(4)]
    await working.during(200)
    assert [seconds for _, _, seconds in queue.hidden] == [5, 10, 20, 40]
    assert working.got == ["1"]
    assert working.troubles == ["StoreUnavailable"] * 4


async def test_an_outage_of_the_store_does_not_drive_a_full_queue_into_the_dead_letters() -> None:
    queue = FakeSqs()
    queue.put(*(str(n) for n in range(5000)))
    working = Working(queue)
    working.failures = [StoreUnavailable("locked") for _ in range(10_000)]
    await working.during(600)
    assert sum(message.count for message in queue.waiting.values()) < 400


async def test_no_log_line_holds_what_a_message_says() -> None:
    queue = FakeSqs(faults=[refusal("AccessDenied")], failing_deletes=["InternalError"])
    queue.put("+4915550000001")
    with structlog.testing.capture_logs() as logs:
        await Working(queue).during(30)
    assert [entry["event"] for entry in logs] == ["sqs.trouble", "sqs.trouble"]
    assert "4915550000001" not in str(logs)


async def test_an_extension_that_fails_is_reported_and_tried_again() -> None:
    class Stubborn(FakeSqs):
        async def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
            if self.now < 15:
                raise refusal("RequestThrottled")
            return await super().change_message_visibility_batch(**request)

    queue = Stubborn()
    queue.put("slow")
    working = Working(queue, visibility_s=30)
    working.slow = {"slow": 25.0}
    await working.during(60)
    assert working.troubles == ["RequestThrottled"]
    assert [when for when, _, _ in queue.hidden] == pytest.approx([20])


async def test_a_receiver_with_a_bug_begins_again_after_growing_pauses() -> None:
    queue = FakeSqs()
    queue.put("1")
    working = Working(queue, faults=(faults := Faults()))
    hold, bugs = working.source._hold, [TypeError("bug")] * 3

    def broken(received: Any) -> Any:
        if bugs:
            raise bugs.pop()
        return hold(received)

    working.source._hold = broken  # type: ignore[method-assign]
    await working.during(600)
    assert working.got == ["1"]
    assert list(faults.counts.values()) == [3]


async def test_what_arrives_together_with_stop_is_given_back_at_once() -> None:
    class Stopping(FakeSqs):
        stop: asyncio.Event

        async def receive_message(self, **request: Any) -> dict[str, Any]:
            answer = await super().receive_message(**request)
            self.stop.set()
            return answer

    queue = Stopping()
    queue.put("1")
    working = Working(queue)
    queue.stop = working.stop
    await working.during(60)
    assert working.got == []
    assert queue.hidden == [(0.0, "id-1", 0)]
