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

#: What a bot and the customer show and send each other in a chat before that: who, what a person
#: sees of it, and the rest of the transcript's entry ("interactive-messages").
_MENU: Final = {
    "templateType": "ListPicker",
    "version": "1.0",
    "data": {
        "replyMessage": {"title": "Thank you."},
        "content": {
            "title": "How can we help?",
            "elements": [{"title": "Bill"}, {"title": "Order", "imageType": "URL"}],
        },
    },
}
_CHOICE: Final = {"templateType": "ListPicker", "data": {"elements": [{"title": "Bill"}]}}
_INTERACTIVE: Final = "application/vnd.amazonaws.connect.message.interactive"
_SHOWN: Final[tuple[tuple[str, str, dict[str, object]], ...]] = (
    (
        "SYSTEM",
        "How can we help? (Bill, Order)",
        {"ContentType": _INTERACTIVE, "Content": orjson.dumps(_MENU).decode()},
    ),
    (
        "CUSTOMER",
        "Bill",
        {"ContentType": f"{_INTERACTIVE}.response", "Content": orjson.dumps(_CHOICE).decode()},
    ),
    (
        "CUSTOMER",
        "sent invoice.pdf",
        {"Attachments": [{"AttachmentName": "invoice.pdf", "Status": "APPROVED"}]},
    ),
)


def analyses(legs: Iterable[Leg]) -> Iterator[tuple[str, bytes]]:
    """The files there are: key and content."""
    for leg in legs:
        key = leg.key_of("analysis")
        if key and _form(leg):
            yield key, orjson.dumps(_document(leg))


def note(leg: Leg) -> str | None:
    """What a note should say of a leg's analysis; None: only where it is."""
    shown = [(who, text) for who, text, _ in _SHOWN] if leg.channel == "CHAT" else []
    lines = "\n".join(f"{who}: {text}" for who, text in (*shown, *_said(leg)))
    return (None, _summary(leg), lines)[_form(leg)]


def _form(leg: Leg) -> int:
    """0: no file, 1: with a summary, 2: a transcript alone."""
    return crc32(leg.id.encode()) % 3


def _summary(leg: Leg) -> str:
    agent = leg.agent.username if leg.agent else "Nobody"
    reason = leg.attributes["CallReason"]
    return _SUMMARY.format(name=leg.customer.name, reason=reason, agent=agent)


def _said(leg: Leg) -> list[tuple[str, str]]:
    return [(who, text.format(reason=leg.attributes["CallReason"])) for who, text in _LINES]


def _entries(leg: Leg) -> list[dict[str, object]]:
    """The transcript; in a chat somebody joins first, which nobody reads later."""
    said: list[dict[str, object]] = [
        {"ParticipantId": who, "Content": text} for who, text in _said(leg)
    ]
    if leg.channel != "CHAT":
        return said
    joined = {"Type": "EVENT", "ContentType": "application/vnd.amazonaws.connect.event.joined"}
    shown = [{"ParticipantId": who, **entry} for who, _, entry in _SHOWN]
    return [{"ParticipantId": "CUSTOMER", **joined}, *shown, *said]


def _kind(leg: Leg) -> str:
    """What is summed up: a chain of mails, a conversation, or what happened without an agent."""
    if leg.channel == "EMAIL":
        return "ContactChainSummary"
    return "PostContactSummary" if leg.agent else "AutomatedInteractionSummary"


def _document(leg: Leg) -> dict[str, object]:
    summary = {_kind(leg): {"Status": "COMPLETED", "Content": _summary(leg)}}
    return {
        "Version": "1.1.0",
        "Channel": leg.channel,
        "CustomerMetadata": {"ContactId": leg.id},
        "ConversationCharacteristics": {"ContactSummary": summary} if _form(leg) == 1 else {},
        "Participants": [{"ParticipantId": who, "ParticipantRole": who} for who, _ in _LINES],
        "Transcript": _entries(leg),
    }
