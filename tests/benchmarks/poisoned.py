"""A replay in which Dynamics refuses one contact in a hundred in each of many ways: it ends.

``make poisoned`` runs it: the real ``replay``, state and client, against a sandbox in this process.
Exit status 1: it wrote or parked anything else than it should have.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import pytest
import structlog

from pipelines.identity import record_id
from twins.calls import Call
from worker.commands import replay as command
from worker.commands.replay import Options
from worker.commands.replay_report import Report
from worker.commands.target import Target, Way
from worker.definitions import find
from worker.dynamics.auth import StaticTokens
from worker.dynamics.client import DataverseClient
from worker.dynamics.gate import make_gate
from worker.dynamics.http import make_http
from worker.files import MemoryFiles
from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.faults import InjectedFault
from worker.sandbox.traffic import EVENTS, RECORDS, SentMessage, write_archive
from worker.settings import Settings


CONTACTS: Final = 20_000

#: The ways in which a record is refused for good, each about one in a hundred.
WAYS: Final[Mapping[str, InjectedFault]] = {
    "400 of a plug-in": faults.plugin("no"),
    "403": faults.forbidden(),
    "429 of a plug-in": InjectedFault(status=429, code="0x80040265", retry_after_s=1),
    "500 of a plug-in": InjectedFault(status=500, code="0x80040265", message="ISV code"),
    "500 without a code": InjectedFault(status=500, code=""),
    "503 of a gateway": faults.gateway(503),
    "no answer": faults.dropped(carried_out=False),
    "502 after the commit": faults.gateway(502, carried_out=True),
}

#: The second digit of what is refused in a way; the first says in which: 3 of 256.
SHARE: Final = "[0-2]"

ENDED: Final = 1  # statecode


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a replay.

    Attributes:
        report: As the command says it.
        requests: How many came to Dynamics.
        refused: How many records were to be refused, by the way.
        wrong: What is not as it should be, one line each.
    """

    report: Report
    requests: int
    refused: Mapping[str, int]
    wrong: list[str]


def ids(contacts: int) -> Iterator[str]:
    """The contacts' ids."""
    return (f"00000000-0000-4000-8000-{number:012}" for number in range(contacts))


def way_of(contact_id: str) -> str:
    """In which way its record is refused; "" if it is not."""
    key = record_id(contact_id, "phonecall", "STEP2")
    number = int(key[0], 16)
    return list(WAYS)[number] if number < len(WAYS) and key[1] in "012" else ""


async def measure(folder: Path, contacts: int) -> Measured:
    """Replay so many contacts."""
    archive = folder / "archive.ndjson.gz"
    write_archive(archive, _sent(contacts))
    dataverse = create_dataverse(auth=False)
    for number, fault in enumerate(WAYS.values()):
        dataverse.faults.always(fault, record=f"{number:x}{SHARE}.*", action="write")
    options = Options((str(archive),), (find("phonecall"),), dynamics="https://sandbox.invalid")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "opened", partial(_in_process, dataverse))
        report = await command.replay(options, Settings(connect_share=0))
    try:
        refused = Counter(filter(None, map(way_of, ids(contacts))))
        wrong = list(_wrong(contacts, dataverse, report, sum(refused.values())))
        return Measured(report, dataverse.requests, refused, wrong)
    finally:
        dataverse.close()


def _sent(contacts: int) -> Iterator[SentMessage]:
    for contact_id in ids(contacts):
        call = Call(contact_id)
        for stream, body in (
            (EVENTS, call.begun()),
            (EVENTS, call.ended()),
            (RECORDS, call.record()),
        ):
            yield SentMessage(0.0, stream, contact_id, body)


@asynccontextmanager
async def _in_process(dataverse: Dataverse, url: str, *_: object) -> AsyncIterator[Target]:
    gate = make_gate()
    async with make_http(transport=httpx.ASGITransport(app=dataverse.app)) as http:
        client = DataverseClient(url, http, StaticTokens("none"), gate)
        yield Target([Way(client, gate, client.probe)], MemoryFiles())


def _wrong(contacts: int, dataverse: Dataverse, report: Report, refused: int) -> Iterator[str]:
    rows = {row["activityid"]: row for row in dataverse.dump()["phonecalls"]}
    for contact_id in ids(contacts):
        row = rows.get(record_id(contact_id, "phonecall", "STEP2"))
        if not way_of(contact_id) and (row is None or row["statecode"] != ENDED):
            yield f"{contact_id} is not written"
    if report.parked != refused:
        yield f"{report.parked} contacts are parked, should be {refused}"


def main() -> int:
    """Run it, and tell; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=CONTACTS)
    contacts = parser.parse_args().contacts
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), contacts))
    for way, number in found.refused.items():
        print(f"{number:6} {way}")
    refused, report = sum(found.refused.values()), found.report
    print(f"{contacts} contacts, {refused} of them refused for good: {report.parked} parked")
    print(f"{found.requests} requests in {report.seconds:.0f} s")
    print("\n".join(found.wrong[:20]))
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
