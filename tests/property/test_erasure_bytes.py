"""After a contact is forgotten, no byte that tells of it is left where SQLite keeps its data."""

from __future__ import annotations

import asyncio
import tempfile

from collections.abc import Iterator
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.contact import Contact, Parked
from pipelines.fact import Fact
from worker.operations.erasure import erase
from worker.stores.protocol import Entry, Quarantined, Saved
from worker.stores.sqlite import SqliteStore


#: What everything told of the one to be forgotten holds, and of the other.
SECRET, OTHER = b"SeCrEt", b"OtHeR"

GONE = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
KEPT = "00000000-0000-4000-8000-000000000001"

#: Sizes below, about and above SQLite's page (bytes), so that contacts move and overflow.
sizes = st.sampled_from([10, 3_000, 16_000, 40_000])

steps = st.lists(
    st.tuples(st.sampled_from(["save", "quarantine", "reopen"]), sizes), min_size=1, max_size=12
)


def told(mark: bytes, size: int, random: Random) -> bytes:
    """Bytes that say the mark again and again, and look different each time."""
    return b" ".join(mark + random.randbytes(8).hex().encode() for _ in range(size // 24 + 1))


async def grow(store: SqliteStore, contact_id: str, text: bytes) -> None:
    """One more fact and a parked write for a contact."""
    [entry] = await store.load([contact_id])
    body = b'{"text":"%b"}' % text
    entry.contact.observe(Fact(contact_id, "record", f"{entry.version:09}", body, ""))
    answer = text.decode()
    entry.contact.labels[f"phone {answer[:20]}"] = entry.version
    entry.contact.parked["tasks(1)"] = Parked(["p/s"], 1.0, 400, "", {"body": answer}, answer)
    assert await store.save([entry]) == [Saved.SAVED]


async def live(path: Path, lived: list[tuple[str, int]], random: Random) -> None:
    """Let both contacts live, then forget one while another process has the file open."""
    store, worker = SqliteStore(path), SqliteStore(path)
    await grow(store, KEPT, told(OTHER, 10, random))
    for number, (what, size) in enumerate(lived):
        text = told(SECRET, size, random)
        if what == "save":
            await grow(store, GONE, text)
            await grow(worker, KEPT, told(OTHER, size, random))
        elif what == "quarantine":
            body = GONE.encode() + text
            await store.quarantine([Quarantined(str(number), 1.0, "sqs:q/1", "not JSON", body)])
        else:
            await store.close()
            store = SqliteStore(path)
    [in_hand] = await worker.load([GONE])
    await erase(store, GONE)
    assert SECRET not in b"".join(files(path))  # although the worker has the file open
    in_hand.contact.tries = 1
    assert await worker.save([in_hand]) != [Saved.SAVED]
    assert await worker.load([GONE, KEPT]) == [Entry(Contact(GONE)), *(await store.load([KEPT]))]
    await worker.close()
    await store.close()


def files(path: Path) -> Iterator[bytes]:
    """The file, its log and whatever else lies beside it."""
    return (found.read_bytes() for found in path.parent.iterdir())


@settings(deadline=None, max_examples=25)
@given(steps, st.integers(0, 9))
def test_nothing_of_a_forgotten_contact_is_left_in_the_file_or_its_log(
    lived: list[tuple[str, int]], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "contacts.sqlite"
        asyncio.run(live(path, lived, Random(seed)))
        everything = b"".join(files(path))
        assert SECRET not in everything
        assert GONE.encode() not in everything
        assert OTHER in everything
