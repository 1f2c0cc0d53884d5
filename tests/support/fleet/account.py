"""What became of all that was put: compared with the workers' state, and with Dynamics.

What Dynamics should hold comes from what happened, not from the messages (``verdict``); what the
state should hold comes from the messages, read by the product's own ``decode``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final

from fleet.ground import Requests
from fleet.producer import Put
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact, Undecodable
from worker.sandbox.oracle.verdict import OF_CHANNELS, Records, differences, expected
from worker.sandbox.traffic import Leg
from worker.stores.protocol import ContactStore


#: More than are ever quarantined here.
_ALL: Final = 100_000

_CREATED: Final = (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)


async def missing_in_state(store: ContactStore, puts: Iterable[Put]) -> AsyncIterator[str]:
    """What was put and neither kept, nor overtaken by something newer, nor quarantined."""
    told: dict[str, Contact] = {}
    broken: set[bytes] = set()
    for put in puts:
        for found in decode(put.message.body):
            match found:
                case Fact(contact_id=contact_id):
                    told.setdefault(contact_id, Contact(contact_id)).observe(found)
                case Undecodable():
                    broken.add(put.message.body)
    for entry in await store.load(list(told)):
        kept = entry.contact.facts
        for register, fact in told[entry.contact.id].facts.items():
            if register not in kept:
                yield f"lost: {register} of {entry.contact.id}"
            elif fact.exceeds(kept[register]):
                yield f"stale: {register} of {entry.contact.id}"
    quarantined = {item.body for item in await store.quarantined("", _ALL)}
    for _ in broken - quarantined:
        yield "lost: a malformed message that is not in quarantine"


def wrong_in_dynamics(legs: Sequence[Leg], records: Records, requests: Requests) -> Iterator[str]:
    """What Dynamics lacks, holds twice, or holds otherwise than it happened."""
    wanted = expected(legs, OF_CHANNELS)
    yield from differences(wanted, records)
    for entity_set in sorted({one.entity_set for one in wanted}):
        creates = sum(requests["POST", entity_set, status] for status in _CREATED)
        if creates != len(records[entity_set]):
            yield f"{entity_set}: {creates} creates for {len(records[entity_set])} records"


def repeated(requests: Requests) -> int:
    """How many creates came again, after a crash or a race, and found the record there."""
    return sum(
        times
        for (method, _, status), times in requests.items()
        if method == "POST" and status == HTTPStatus.PRECONDITION_FAILED
    )
