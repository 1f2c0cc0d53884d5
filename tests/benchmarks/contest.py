"""One run of one contender: calls told at a pace on new streams, and what came of them."""

from __future__ import annotations

import asyncio
import tempfile
import time

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from stub_dynamics import Seen, StubDynamics, stub
from tests.benchmarks import way
from tests.benchmarks.contenders import Contender
from worker.sandbox import traffic
from worker.sandbox.children import child


SECONDS: Final = 30.0

#: From the last message, for those who have not kept up (s); who is done so soon has kept up.
DRAIN_S: Final = 40.0
KEPT_UP_S: Final = 5.0

#: Characters of a time, up to its second: events tell milliseconds, contact records do not.
SECOND: Final = len("2026-01-02T00:00:00")


@dataclass(frozen=True, slots=True)
class Load:
    """What all of them are given.

    Attributes:
        name: As the table has it.
        rate: Messages a second.
        lost: Part of the writes that get no answer; half of them are carried out.
    """

    name: str
    rate: float
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run.

    Attributes:
        contacts: How many there were.
        over: Whether nothing was left to do at its end.
        kept_up: Whether that was so ``KEPT_UP_S`` after the last message.
        rate: Messages a second that were dealt with.
        late_s: How late messages were put at most: the machine may have been too busy to put them.
        first_s: From each contact's first message to the first request about it.
        last_s: From its last message to the last request about it; of those whose last message
            changes nothing there is none. What had not come by the end waited at least so long.
        requests: Per contact.
        cpu_s: Per 1000 contacts.
        resident: Bytes, at the end.
        doubled: Rows beyond one a contact.
        lost: Contacts without a row.
        wrong: Rows whose number or end is not the call's.
    """

    contacts: int
    over: bool
    kept_up: bool
    rate: float
    late_s: float
    first_s: list[float]
    last_s: list[float]
    requests: float
    cpu_s: float
    resident: int
    doubled: int
    lost: int
    wrong: int


async def run(contender: Contender, kinesis_url: str, load: Load, seconds: float = SECONDS) -> Run:
    """Give one of them a load, on new streams."""
    async with (
        way.streams_on(kinesis_url) as (kinesis, streams),
        stub(delay_ms=way.DELAY_MS, lost=load.lost) as dynamics,
    ):
        with tempfile.TemporaryDirectory(prefix="side-by-side-") as folder:
            environment = contender.environment(dynamics, kinesis_url, streams, Path(folder))
            command = contender.command(kinesis_url, dynamics, streams)
            with tempfile.TemporaryFile() as log:
                async with child(command, environment, stderr=log) as process:
                    await way._begun(kinesis, streams, dynamics)
                    before_s = way.cpu_s(process.pid)
                    sent = way.paced(load.rate, seconds, datetime.now(UTC))
                    puts = await way.put_paced(kinesis, streams, sent)
                    over = await _drained(dynamics)
                    spent_s = way.cpu_s(process.pid) - before_s
                    resident = way.resident(process.pid)
        seen, rows = await dynamics.requests(), await dynamics.rows()
    told = _by_contact(puts, seen, contender.key)
    late = [one for one in told if not over and not one.done(each=contender.each)]
    end = seen[-1].at if seen else time.monotonic()
    share = 1 - sum(one.open(each=contender.each) for one in late) / len(puts)
    contacts = max(1.0, share * len(told))
    return Run(
        contacts=len(told),
        over=over,
        kept_up=over and end - puts[-1].at <= KEPT_UP_S,
        rate=share * len(puts) / (end - puts[0].at),
        late_s=max(
            put.at - puts[0].at - (one.at_s - sent[0].at_s)
            for put, one in zip(puts, sent, strict=True)
        ),
        first_s=[(one.seen[0].at if one.seen else end) - one.puts[0] for one in told],
        last_s=[end - one.puts[-1] for one in late]
        + [
            one.seen[-1].at - one.puts[-1]
            for one in told
            if one not in late and one.seen and one.seen[-1].at >= one.puts[-1]
        ],
        requests=len(seen) / contacts,
        cpu_s=spent_s / contacts * 1000,
        resident=resident,
        doubled=max(0, len(rows) - len(told)),
        lost=sum(not any(seen.done for seen in one.seen) for one in told) if over else 0,
        wrong=_wrong(sent, rows, contender.key) if over else 0,
    )


async def _drained(dynamics: StubDynamics) -> bool:
    """Wait until Dynamics hears nothing any more; whether it came to that."""
    try:
        async with asyncio.timeout(DRAIN_S):
            await way.quiet(dynamics)
    except TimeoutError:
        return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """When something was put about a contact, and what was asked of Dynamics."""

    puts: list[float] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def done(self, *, each: bool) -> bool:
        """Whether what was told last has been dealt with."""
        return self.open(each=each) == 0

    def open(self, *, each: bool) -> int:
        """How many messages have not been dealt with, as far as requests show it."""
        if each:
            return max(0, len(self.puts) - sum(one.done for one in self.seen))
        last = self.seen[-1].at if self.seen else 0.0
        return sum(at > last for at in self.puts)


def _by_contact(
    puts: Sequence[way.Put], seen: Sequence[Seen], key: Callable[[str], str]
) -> list[_Told]:
    told: defaultdict[str, _Told] = defaultdict(_Told)
    for put in puts:
        told[key(put.contact_id).lower()].puts.append(put.at)
    for one in seen:
        if one.key in told:
            told[one.key].seen.append(one)
    return list(told.values())


def _wrong(
    sent: Sequence[traffic.SentMessage],
    rows: Mapping[str, Mapping[str, Any]],
    key: Callable[[str], str],
) -> int:
    """How many rows have not the number and the end that the contact record tells."""
    wrong = 0
    for message in sent:
        if message.stream == traffic.RECORDS:
            record = orjson.loads(message.body)
            row = rows.get(f"phonecalls({key(message.contact_id).lower()})", {})
            asked = record["CustomerEndpoint"]["Address"], record["DisconnectTimestamp"][:SECOND]
            wrong += asked != (row.get("phonenumber"), str(row.get("actualend"))[:SECOND])
    return wrong
