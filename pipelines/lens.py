"""What a Contact Lens analysis or a chat's transcript says, as text that fits into a note.

An analysis holds ``ConversationCharacteristics.ContactSummary.PostContactSummary.Content`` where
Contact Lens has summed up; it and a transcript list what was said under ``Transcript`` (Connect
Administrator Guide "example-contact-lens-output-files").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson


#: What a step that reads a file knows of it.
FIELDS = ("summary", "transcript")

#: Longest text that is taken over (characters); of a longer one a note has the link. A note would
#: hold 100,000, but the contact's state keeps what a lookup found.
MOST_CHARACTERS = 20_000


def said_in(body: bytes) -> dict[str, str]:
    """The fields that a file has and that are not too long; none if it is something else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    texts = {"summary": _summary(document), "transcript": "\n".join(_lines(document))}
    return {name: text for name, text in texts.items() if 0 < len(text) <= MOST_CHARACTERS}


def _summary(document: Any) -> str:
    for name in ("ConversationCharacteristics", "ContactSummary", "PostContactSummary", "Content"):
        document = _member(document, name)
    return document.strip() if isinstance(document, str) else ""


def _lines(document: Any) -> Iterator[str]:
    """``AGENT: Good morning``; chats name their participants by id."""
    people = _member(document, "Participants")
    roles = {
        str(_member(one, "ParticipantId")): str(_member(one, "ParticipantRole"))
        for one in (people if isinstance(people, list) else ())
    }
    said = _member(document, "Transcript")
    for entry in said if isinstance(said, list) else ():
        who = str(_member(entry, "ParticipantRole") or _member(entry, "ParticipantId") or "")
        content = _member(entry, "Content")
        if isinstance(content, str) and content.strip():
            yield f"{roles.get(who, who)}: {content.strip()}"


def _member(document: Any, name: str) -> Any:
    return document.get(name) if isinstance(document, dict) else None
