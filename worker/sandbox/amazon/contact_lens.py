"""What Contact Lens has made of the invented contacts: some summed up, some only written down.

A third of the files are not there at all, as where the worker may not read the bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from zlib import crc32

import orjson

from worker.sandbox.traffic import Leg


_SUMMARY: Final = "{name} asked about {reason}. {agent} took care of it."
_LINES: Final = (("CUSTOMER", "It is about {reason}."), ("AGENT", "I will take care of it."))


def analyses(legs: Iterable[Leg]) -> Iterator[tuple[str, bytes]]:
    """The files there are: key and content."""
    for leg in legs:
        key = leg.key_of("analysis")
        if key and _form(leg):
            yield key, orjson.dumps(_document(leg))


def note(leg: Leg) -> str | None:
    """What a note should say of a leg's analysis; None: only where it is."""
    return (None, _summary(leg), "\n".join(f"{who}: {text}" for who, text in _said(leg)))[
        _form(leg)
    ]


def _form(leg: Leg) -> int:
    """0: no file, 1: with a summary, 2: a transcript alone."""
    return crc32(leg.id.encode()) % 3


def _summary(leg: Leg) -> str:
    agent = leg.agent.username if leg.agent else "Nobody"
    reason = leg.attributes["CallReason"]
    return _SUMMARY.format(name=leg.customer.name, reason=reason, agent=agent)


def _said(leg: Leg) -> list[tuple[str, str]]:
    return [(who, text.format(reason=leg.attributes["CallReason"])) for who, text in _LINES]


def _document(leg: Leg) -> dict[str, object]:
    summary = {"PostContactSummary": {"Status": "COMPLETED", "Content": _summary(leg)}}
    return {
        "Version": "1.1.0",
        "Channel": leg.channel,
        "CustomerMetadata": {"ContactId": leg.id},
        "ConversationCharacteristics": {"ContactSummary": summary} if _form(leg) == 1 else {},
        "Participants": [{"ParticipantId": who, "ParticipantRole": who} for who, _ in _LINES],
        "Transcript": [{"ParticipantId": who, "Content": text} for who, text in _said(leg)],
    }
