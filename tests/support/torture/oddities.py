"""Odd values and messages among the traffic: they change nothing that is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from random import Random
from typing import Any, Final

import orjson

from torture.versions import tell_in_versions
from worker.sandbox.demo.scenario import LATEST_S, Scenario
from worker.sandbox.traffic import EVENTS, RECORDS, SentMessage


#: How many of the contacts are odd.
SHARE: Final = 0.4

#: Attributes beside a contact's own, that no shipped pipeline reads.
ATTRIBUTES: Final[tuple[Mapping[str, Any], ...]] = (
    {"n": "9" * 22},
    {"n": 2**64 - 1},
    {"Reason": {}},
    {"Reason": [None, {"a": [[]]}]},
    {"ms_customer_name": {"not": "a text"}},
    {"control": "\x1b]0;title\x07\u202e", "": "no name"},
    {"large": "x" * 30_000},
)

#: Messages that are none, of all kinds.
MESSAGES: Final = (
    b" ",
    b"{" * 50_000,
    b"[[[[" * 500,
    b"\x00\xff\xfe" * 300,
    b'{"detail": {"contactId": 5}}',
    b'{"ContactId": {}, "LastUpdateTimestamp": []}',
)


def _with_attributes(record: dict[str, Any], rng: Random) -> None:
    record["Attributes"] = {**record["Attributes"], **rng.choice(ATTRIBUTES)}


def _without_instance(event: dict[str, Any], _: Random) -> None:
    event["detail"].pop("instanceArn", None)


_CHANGES: Final[Mapping[str, Callable[[dict[str, Any], Random], None]]] = {
    RECORDS: _with_attributes,
    EVENTS: _without_instance,
}


def tell_oddly(contacts: int, seed: int, now: datetime) -> Scenario:
    """As ``tell_in_versions`` has it, with odd contacts and one message that is none."""
    scenario, rng = tell_in_versions(contacts, seed, now), Random(seed)
    odd = {leg.id for leg in scenario.legs if rng.random() < SHARE}
    sent = [
        _oddly(message, rng) if message.contact_id in odd else message for message in scenario.sent
    ]
    none = SentMessage(rng.random() * LATEST_S, EVENTS, "", rng.choice(MESSAGES))
    return replace(scenario, sent=sorted([*sent, none], key=attrgetter("at_s")))


def _oddly(message: SentMessage, rng: Random) -> SentMessage:
    change = _CHANGES.get(message.stream)
    if change is None:
        return message
    value = orjson.loads(message.body)
    change(value, rng)
    return message._replace(body=orjson.dumps(value))
