"""What a voice contact costs in DynamoDB: calls, saves, write and read units.

``python tests/benchmarks/write_units.py`` prints it. The real ingest, transactions and store work
in virtual time on a table in this process that counts units as AWS's guide says ("Read and write
operations"): of a write the larger of the item before and after, in KB; the indexes apart. Looking
for what is due, and workers' beats, are not counted: they depend on how long a worker runs, not on
how many contacts there are.
"""

from __future__ import annotations

import asyncio
import math
import sys

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import structlog

from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table

from pipelines.plan import Terms
from worker.amazon_connect.enrichment import Enrichment
from worker.amazon_connect.memory import MemoryConnect, MemoryScreenPop
from worker.clock import Clock
from worker.definitions import find
from worker.dynamics.gate import make_gate
from worker.dynamics.performer import Performer
from worker.engine.ingest import Ingest
from worker.engine.interests import Interests
from worker.engine.planner import Planner
from worker.engine.transaction import Transactions
from worker.files import MemoryFiles
from worker.sandbox import traffic
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.inprocess import InProcessDynamics
from worker.sources.protocol import Message
from worker.stores.connection import CONDITION_FAILED
from worker.stores.dynamodb import DynamoStore
from worker.stores.layout import Item
from worker.stores.memory import MemoryStore
from worker.stores.tables import DEFINITION


#: Answered calls: 7.7 messages each.
CALLS: Final = 20

#: Write units of the table that a call told message by message may cost.
MOST_WRITE_UNITS: Final = 27.5

#: How long (s) after its last message a call is followed: until nothing waits any more.
FOLLOWED_S: Final = 1800.0

#: Bytes of a unit, and of a read unit.
WRITE_UNIT: Final = 1024
READ_UNIT: Final = 4096

#: The index's key: a call gets labels of its day, number, agent and record.
KEY: Final = b"the key of the benchmark's index."

_Key = tuple[str, str]


def size(item: Item) -> int:
    """Bytes of an item: its names and values ("Item sizes and formats" in the same guide)."""
    return sum(len(name.encode()) + _size(*value.items()) for name, value in item.items())


def _size(typed: tuple[str, Any]) -> int:
    kind, value = typed
    if kind == "N":  # two digits a byte, and one more; one for a minus
        digits = value.lstrip("-0").replace(".", "").strip("0")
        return 1 + math.ceil(len(digits) / 2) + int(value.startswith("-"))
    data: bytes = value.encode() if isinstance(value, str) else value
    return len(data)


@dataclass
class Units:
    """A DynamoDB client on a table in this process, which counts what its requests cost.

    Attributes:
        calls: Requests by operation.
        wcu: Write units of the table.
        index_wcu: Write units of its indexes.
        rcu: Read units.
        saved: Sizes of the contacts that were written (bytes).
    """

    calls: Counter[str] = field(default_factory=Counter)
    wcu: float = 0
    index_wcu: float = 0
    rcu: float = 0
    saved: list[int] = field(default_factory=list)
    _items: dict[_Key, Item] = field(default_factory=dict)

    async def put_item(self, **request: Any) -> Any:
        """Write an item."""
        self.calls["put_item"] += 1
        self._check(request)
        self._put(request["Item"])
        return _answer()

    async def delete_item(self, **request: Any) -> Any:
        """Remove an item; what is not there costs a unit too."""
        self.calls["delete_item"] += 1
        old = self._items.pop(_key(request["Key"]), {})
        self.wcu += max(1, math.ceil(size(old) / WRITE_UNIT))
        return _answer()

    async def batch_get_item(self, **request: Any) -> Any:
        """Read items."""
        self.calls["batch_get_item"] += 1
        ((table, wanted),) = request["RequestItems"].items()
        found = [self._items.get(_key(key)) for key in wanted["Keys"]]
        self.rcu += sum(max(1, math.ceil(size(item or {}) / READ_UNIT)) for item in found)
        there = [dict(item) for item in found if item]
        return {"Responses": {table: there}, "UnprocessedKeys": {}} | _answer()

    def due_at(self, contact_id: str) -> float:
        """When (s since 1970) a contact is to be looked at; infinite: never."""
        item = self._items.get((f"contact#{contact_id}", "head"), {})
        return float(item["ready_at"]["N"]) if "ready_at" in item else math.inf

    def _check(self, request: Mapping[str, Any]) -> None:
        there = self._items.get(_key(request.get("Item") or request["Key"]))
        values = request.get("ExpressionAttributeValues", {})
        for part in request.get("ConditionExpression", "").split(" AND "):
            match part.split():
                case []:
                    right = True
                case ["version", "=", name]:
                    right = there is not None and there["version"] == values[name]
                case ["#value", "=", name]:
                    right = there is not None and there["value"] == values[name]
                case ["attribute_not_exists(pk)"]:
                    right = there is None
                case ["attribute_not_exists(chunks)"]:
                    right = "chunks" not in (there or {})
                case _:
                    raise NotImplementedError(part)
            if not right:
                self.wcu += math.ceil(size(there or {}) / WRITE_UNIT)
                answer: Any = {"Error": {"Code": CONDITION_FAILED}, "Item": there}
                raise ClientError(answer, "PutItem")

    def _put(self, item: Item) -> None:
        old = self._items.get(_key(item), {})
        self._items[_key(item)] = dict(item)
        self.wcu += math.ceil(max(size(old), size(item)) / WRITE_UNIT)
        if item["pk"]["S"].startswith("contact#"):
            self.saved.append(size(item))
        for index in DEFINITION["GlobalSecondaryIndexes"]:
            before, after = (_projected(index, one) for one in (old, item))
            keys = [key["AttributeName"] for key in index["KeySchema"]]
            moved = [before.get(key) for key in keys] != [after.get(key) for key in keys]
            writes = (bool(before) + bool(after)) if moved else int(before != after)
            self.index_wcu += writes


def _projected(index: Mapping[str, Any], item: Item) -> Item:
    """What an index has of an item: nothing, if the item lacks one of its keys."""
    keys = [key["AttributeName"] for key in index["KeySchema"]]
    if not all(key in item for key in keys):
        return {}
    names = {"pk", "sk", *keys, *index["Projection"].get("NonKeyAttributes", ())}
    return {name: value for name, value in item.items() if name in names}


def _key(item: Item) -> _Key:
    return item["pk"]["S"], item["sk"]["S"]


def _answer() -> dict[str, Any]:
    return {"ResponseMetadata": {"RequestId": "A", "HTTPStatusCode": 200}}


@dataclass
class Worker:
    """The parts of a worker on such a table.

    Attributes:
        table: Where it keeps contacts.
        now: The time (s since 1970).
        enriches: Whether Connect is asked for what events leave out.
        index_key: Makes labels of people; None: contacts get none.
        work: Carries out what is due.
        ingest: Takes messages in.
    """

    enriches: bool
    pipeline: str = "phonecall"
    index_key: bytes | None = KEY
    table: Units = field(default_factory=Units)
    now: float = 0.0
    work: Transactions = field(init=False)
    ingest: Ingest = field(init=False)

    def __post_init__(self) -> None:
        clock = Clock(lambda: self.now, lambda: self.now, chance=lambda: 0.5)
        store = DynamoStore("table", connect=lambda: nullcontext(self.table), clock=clock)
        dynamics, connect = InProcessDynamics(create_organisation()), MemoryConnect()
        pipelines = [find(self.pipeline)]
        self.work = Transactions(
            store=store,
            performer=Performer(dynamics, clock, MemoryFiles()),
            gate=make_gate(clock),
            desktop=MemoryScreenPop(),
            connect=connect,
            planner=Planner(pipelines, Terms({"AppId": "app"}, live=True, files="original"), clock),
            build="bench",
            clock=clock,
            index_key=self.index_key,
            enrichment=Enrichment(connect, pipelines, 1.0, clock) if self.enriches else None,
        )
        interests = Interests(MemoryStore(), pipelines, "bench", clock)
        self.ingest = Ingest(store, interest=interests.read, clock=clock, index_key=self.index_key)

    async def follow(self, call: traffic.History, at_once: Callable[[int], int]) -> None:
        """Tell a call, so many messages at once, and do what becomes due in between and after."""
        ids = [leg.id for leg in call.contacts]
        for told in _groups(call.sent, at_once(len(call.sent))):
            await self._until(traffic.START.timestamp() + told[-1].at_s, ids)
            await self.ingest.handle([Message(one.body, "x", arrived=self.now) for one in told])
            await self._until(self.now + 0.1, ids)
        await self._until(self.now + FOLLOWED_S, ids)

    async def _until(self, then: float, ids: list[str]) -> None:
        while (following := min(map(self.table.due_at, ids))) <= then:
            self.now = max(self.now, following)
            for contact_id in ids:
                if self.table.due_at(contact_id) <= self.now:
                    await self.work.run(contact_id)
        self.now = then


def _groups(sent: list[traffic.SentMessage], at_once: int) -> Iterator[list[traffic.SentMessage]]:
    for at in range(0, len(sent), at_once):
        yield sent[at : at + at_once]


#: How many messages of so many are told at once.
TELLINGS: Final[dict[str, Callable[[int], int]]] = {
    "each message by itself": lambda _count: 1,
    "two by two": lambda _count: 2,
    "all together": lambda count: count,
}


def measure(
    told: str, *, calls: int = CALLS, enriches: bool = False, key: bytes | None = KEY
) -> Worker:
    """A worker that was told so many calls in this way."""
    worker = Worker(enriches, index_key=key)
    for seed in range(calls):
        call = traffic.history("voice_inbound", Random(seed))
        worker.now = 0.0
        asyncio.run(worker.follow(call, TELLINGS[told]))
    return worker


def report(workers: Mapping[str, Worker], calls: int = CALLS) -> Table:
    """What each worker spent for a call."""
    table = Table(title=f"DynamoDB per voice contact, {calls} calls", title_justify="left")
    columns = ("", "calls", "saves", "WCU", "of indexes", "RCU", "bytes an item", "Dynamics writes")
    for column in columns:
        table.add_column(column)
    for name, worker in workers.items():
        units = worker.table
        figures = [sum(units.calls.values()), len(units.saved), units.wcu, units.index_wcu]
        row = [f"{one / calls:.1f}" for one in [*figures, units.rcu]]
        mean = sum(units.saved) / len(units.saved)
        table.add_row(name, *row, f"{mean:.0f}", f"{worker.work.reports.sent.writes / calls:.1f}")
    return table


def main() -> int:
    """Measure and print; exit status 1: a call costs more than is asked for."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    workers = {told: measure(told) for told in TELLINGS}
    asked = "each by itself, Connect is asked"
    workers[asked] = measure("each message by itself", enriches=True)
    workers["each by itself, without a key"] = measure("each message by itself", key=None)
    Console(width=110).print(report(workers))
    spent = workers["each message by itself"].table.wcu / CALLS
    return int(spent > MOST_WRITE_UNITS)


if __name__ == "__main__":
    sys.exit(main())
