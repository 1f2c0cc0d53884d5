"""States as older releases left them: what is in ``samples/state``, form by form.

The first form is from before faults and form numbers (48f169a), the second from before the rooms
(3c001d5). It runs in those releases too, and they wrote the samples::

    git archive 3c001d5 | tar -x -C OLD
    PYTHONPATH=OLD:tests/support python -m kept_states second tests/samples/state/second
"""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
import tempfile

from base64 import b64encode
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import orjson

from pipelines import contact as contacts
from pipelines.contact import Contact, Parked
from pipelines.fact import Fact
from worker import aws
from worker.stores import contents, protocol
from worker.stores.dynamodb import DynamoStore
from worker.stores.protocol import ContactStore, Entry, Quarantined
from worker.stores.sqlite import SqliteStore
from worker.stores.tables import create_tables


#: So that a contact in chunks is small.
PART_BYTES = 1_000

#: Releases wrote these, the last one the present form.
FORMS = ("first", "second")

#: In those releases it was ``Record``.
RecordLedger: Any = getattr(contacts, "RecordLedger", None) or vars(contacts)["Record"]

GONE = "0f000000-0000-4000-8000-000000000000"
MESSAGE = Quarantined("q1", 7.5, "sqs:recordings/1", "no JSON", b"\x00\xff{")


def _contact(contact_id: str) -> Contact:
    contact = Contact(
        contact_id,
        ledger={
            "phonecalls(1)": RecordLedger(
                "phonecalls", "1", "there", {"subject": "ab", "statecode": "?"}, answer={"x": 1}
            )
        },
        lookups={"p/WHO": {"asked": "cd", "answer": {"contactid": "é"}}},
        effects={"p/OPEN": "done"},
        intent={"phonecalls(1)": {"subject": "ef"}},
        tries=2,
    )
    for register in ("record", "event/INITIATED"):
        at = "2026-01-02T03:04:05.678Z"
        contact.observe(Fact(contact_id, register, at, b'{"Channel":"VOICE"}', at))
    return contact


def entries(form: str) -> list[Entry]:
    """Contacts that are due, claimed, parked, large, and done with."""
    found = _of_first_form()
    return found if form == "first" else [_as_of_second(entry) for entry in found]


def _as_of_second(entry: Entry) -> Entry:
    """It with all that the second form knows beside the first."""
    contact = entry.contact
    contact.arrived = 1_767_323_045.5 if contact.facts else None
    contact.restored = 2
    contact.extra["of_a_newer_release"] = {"kept": True}
    for record in contact.ledger.values():
        record.state = "doubted"
        record.by = "p/S"
        record.extra["of_a_newer_release"] = 1
        contact.ledger["tasks(2)"] = RecordLedger("tasks", "2", "absent")
        contact.intent["tasks(2)"] = {"": "p/T", "subject": "ef"}
        break
    if contact.parked:
        what = "our bug: KeyError at worker.push:1"
        return replace(entry, fault=protocol.FaultNote(what, 3, 12.5, ("1.0/ab",), parked=False))
    return entry


def _of_first_form() -> list[Entry]:
    due = _contact("1a000000-0000-4000-8000-000000000000")
    claimed = _contact("2b000000-0000-4000-8000-000000000000")
    parked = _contact("3c000000-0000-4000-8000-000000000000")
    parked.parked["phonecalls(1)"] = Parked(["p/S"], 12.5, 400, "0x0", {"body": None}, "no")
    large = _contact("9d000000-0000-4000-8000-000000000000")
    large.lookups["p/LONG"] = {"asked": "x", "answer": {"text": Random(1).randbytes(1_500).hex()}}
    done = Contact("ce000000-0000-4000-8000-000000000000", replayed=True)
    done.extra["update_only"] = True  # the argument ``update_only`` there: only kept by now
    return [
        Entry(due, 0, 100.25, 1),
        Entry(claimed, 0, 90.5, 0, "w", 300.0),
        Entry(parked, expires_at=50.0),
        Entry(large, 0, 110.0, 0, "w", 200.0, 60.0),
        Entry(done, expires_at=70.0),
    ]


async def fill(store: ContactStore, form: str) -> None:
    """Bring all of it into an empty store."""
    await store.save([*entries(form), Entry(Contact(GONE))])
    await store.forget([GONE])
    await store.quarantine([MESSAGE])
    await store.set_position("events", "shard-0", "42")
    await store.remember("start", "now")


async def _items(url: str, form: str) -> list[dict[str, Any]]:
    """The items of the table that was filled."""
    connect = partial(aws.client, "dynamodb", endpoint_url=url, region="eu-central-1")
    contents.PART_BYTES = PART_BYTES  # type: ignore[misc] # of this process alone
    async with connect() as client:
        await create_tables(client, "state")
        store = DynamoStore("state", connect=connect)
        await fill(store, form)
        await store.close()
        answer = await client.scan(TableName="state")
    items: list[dict[str, Any]] = answer["Items"]
    return items


async def _main(form: str, folder: Path) -> None:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - slow, and not for who only reads

    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "state.sqlite"
        store = SqliteStore(file)
        await fill(store, form)
        await store.close()
        (folder / "state.sqlite.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    items = await _items(f"http://{host}:{port}", form)
    server.stop()
    data = orjson.dumps(items, lambda value: b64encode(value).decode(), orjson.OPT_INDENT_2)
    (folder / "items.json").write_bytes(data + b"\n")


if __name__ == "__main__":
    os.environ |= {"AWS_ACCESS_KEY_ID": "invented", "AWS_SECRET_ACCESS_KEY": "invented"}
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2])))
