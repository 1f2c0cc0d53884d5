"""What a Contact Lens analysis or a chat's transcript says, as people read it.

An analysis holds what Contact Lens has found out about a conversation: summaries under
``ConversationCharacteristics.ContactSummary`` (of the contact, of its automated part, of a chain of
mails), sentiment, talk time, and the categories of rules that matched. It and a transcript list
what was said under ``Transcript`` (Connect Administrator Guide
"contact-lens-example-output-files", "…-chat", "…-email"; of chats "interactive-messages").
"""

from __future__ import annotations

import json
import re

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from pipelines.text import sound, units


#: What a step that reads a file knows of it. ``…_sentiment`` is from -5 to 5, ``…_s`` in seconds.
FIELDS = (
    "summary",
    "transcript",
    "sentiment",
    "customer_sentiment",
    "agent_sentiment",
    "categories",
    "talk_s",
    "non_talk_s",
)

#: Longest text that is taken over (characters); of a longer one a note has the link. A note would
#: hold 100,000, but the contact's state keeps what a lookup found.
MOST_CHARACTERS = 20_000

#: Summaries in the order in which they are told; any others follow.
_SUMMARIES = ("PostContactSummary", "AutomatedInteractionSummary", "ContactChainSummary")

#: The lowest and the highest sentiment; the longest time there can be (ms).
_SCORES, _LONGEST_MS = (-5, 5), 10**12

#: Participants whose sentiment is told first.
_ROLES = ("CUSTOMER", "AGENT")

#: Where an interactive message keeps what it shows, what of that is its heading, and what is none
#: of it: how it looks, and what is said once somebody has chosen.
_INSIDE = ("data", "content", "reply")
_HEADINGS = ("title", "body", "text", "message", "header", "date", "label", "name")
_UNSEEN = frozenset((*_HEADINGS, "replyMessage", "location", "footer"))

#: Most levels of an interactive message that are looked into.
_MOST_LEVELS = 12

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def said_in(body: bytes) -> dict[str, Any]:
    """The fields that a file has and that are not too long; none if it is something else."""
    document = _document(body)
    traits = _member(document, "ConversationCharacteristics")
    sentiment = _sentiment(traits)
    found = {
        "summary": _summary(
            _member(traits, "ContactSummary") or _member(document, "ContactSummary")
        ),
        "transcript": "\n".join(_lines(document)),
        "sentiment": ", ".join(f"{role} {score:g}" for role, score in sentiment.items()),
        "customer_sentiment": sentiment.get("CUSTOMER"),
        "agent_sentiment": sentiment.get("AGENT"),
        "categories": _categories(document),
        "talk_s": _seconds(_member(traits, "TalkTime")),
        "non_talk_s": _seconds(_member(traits, "NonTalkTime")),
    }
    texts = {n: sound(v) for n, v in found.items() if isinstance(v, str)}
    kept = {n: text for n, text in texts.items() if 0 < units(text) <= MOST_CHARACTERS}
    numbers = {n: v for n, v in found.items() if n not in texts and v is not None}
    return kept | numbers


def _document(body: bytes) -> Any:
    """The file's JSON, read generously: half an emoji in a chat is no reason to lose the rest."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.loads(body.decode("utf-8-sig", "replace"), strict=False)
        except (ValueError, RecursionError):
            return None


# --- the analysis -------------------------------------------------------------------------------


def _summary(summaries: Any) -> str:
    """The summaries there are, each under its kind if they are several."""
    kinds = dict.fromkeys(_SUMMARIES) | (summaries if isinstance(summaries, dict) else {})
    texts: dict[str, str] = {}
    for kind, held in kinds.items():
        if text := _content(held):
            texts.setdefault(text, kind)
    if len(texts) == 1:
        return next(iter(texts))
    told = ""
    for text, kind in texts.items():
        words = _WORDS.sub(" ", kind.removesuffix("Summary")).capitalize()
        longer = f"{told}\n\n{words}: {text}".lstrip()
        told = longer if units(longer) <= MOST_CHARACTERS else told
    return told


def _content(held: Any) -> str:
    parts = (_member(one, "Content") or one for one in (held if isinstance(held, list) else [held]))
    return "\n".join(_readable(text) for text in parts if isinstance(text, str)).strip()


def _sentiment(traits: Any) -> dict[str, float]:
    """The overall sentiment of each participant; chats keep it one level deeper than calls."""
    overall = _member(_member(traits, "Sentiment"), "OverallSentiment")
    by_role = _member(overall, "DetailsByParticipantRole") or overall
    scores = {
        str(role).upper(): round(score, 1)
        for role, score in (by_role.items() if isinstance(by_role, dict) else ())
        if isinstance(score, int | float)
        and not isinstance(score, bool)
        and _SCORES[0] <= score <= _SCORES[1]
    }
    first = {role: scores[role] for role in _ROLES if role in scores}
    return first | scores


def _categories(document: Any) -> str:
    matched = _member(_member(document, "Categories"), "MatchedCategories")
    names = matched if isinstance(matched, list) else ()
    return ", ".join(name for name in names if isinstance(name, str))


def _seconds(time: Any) -> int | None:
    ms = _member(time, "TotalTimeMillis")
    known = isinstance(ms, int | float) and not isinstance(ms, bool) and 0 <= ms <= _LONGEST_MS
    return int((ms + 500) // 1000) if known else None


# --- what was said ------------------------------------------------------------------------------


def _lines(document: Any) -> Iterator[str]:
    """``AGENT: Good morning``; chats name their participants by id."""
    people = _member(document, "Participants")
    roles = {
        str(_member(one, "ParticipantId")): str(_member(one, "ParticipantRole"))
        for one in (people if isinstance(people, list) else ())
        if _member(one, "ParticipantRole")
    }
    said = _member(document, "Transcript")
    for entry in said if isinstance(said, list) else ():
        who = str(_member(entry, "ParticipantRole") or _member(entry, "ParticipantId") or "")
        if text := _said(entry):
            yield f"{roles.get(who, who)}: {text}"


def _said(entry: Any) -> str:
    """What one entry says and sends; that somebody joined, left or types says nothing."""
    kind = str(_member(entry, "ContentType") or "").lower()
    if _member(entry, "Type") == "EVENT" or ".connect.event." in kind:
        return ""
    content = _member(entry, "Content")
    text = content.strip() if isinstance(content, str) else ""
    if ".interactive" in kind or "json" in kind:
        text = _readable(text)
    return "; ".join(filter(None, (text, _files(_member(entry, "Attachments")))))


def _files(attachments: Any) -> str:
    names = []
    for one in attachments if isinstance(attachments, list) else ():
        name = _member(one, "AttachmentName")
        status = str(_member(one, "Status") or "APPROVED")
        words = "" if status == "APPROVED" else f" ({status.replace('_', ' ').lower()})"
        names.append(f"{name if isinstance(name, str) and name else 'a file'}{words}")
    return f"sent {', '.join(names)}" if names else ""


def _readable(text: str) -> str:
    """JSON as what a person sees of it; any other text, Markdown too, as it is."""
    try:
        thing = orjson.loads(text) if text.lstrip()[:1] in ("{", "[", '"') else None
    except orjson.JSONDecodeError:
        thing = None
    if thing is None:
        return text.strip()
    shown = _shown(thing)
    named = (_member(thing, name) for name in ("action", "templateType"))
    return shown or next((one for one in named if isinstance(one, str) and one), text.strip())


def _shown(thing: Any, levels: int = _MOST_LEVELS) -> str:
    """A heading and, in brackets, what there is to choose: ``How can we help? (Bill, Order)``."""
    if isinstance(thing, str):
        return " ".join(thing.split())
    if not levels:
        return ""
    if isinstance(thing, list):
        return _listed(_shown(one, levels - 1) for one in thing)
    if not isinstance(thing, dict):
        return ""
    for name in _INSIDE:
        if isinstance(inside := thing.get(name), str | dict | list):
            return _shown(inside, levels - 1)
    headings = (_shown(thing.get(name), levels - 1) for name in _HEADINGS)
    heading = next(filter(None, headings), "")
    below = (v for n, v in thing.items() if n not in _UNSEEN and isinstance(v, dict | list))
    choices = _listed(_shown(one, levels - 1) for one in below)
    return f"{heading} ({choices})" if heading and choices else heading or choices


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(filter(None, texts))


def _member(document: Any, name: str) -> Any:
    """A member whatever its case."""
    if not isinstance(document, dict) or name in document:
        return document.get(name) if isinstance(document, dict) else None
    folded = name.lower()
    return next((v for n, v in document.items() if str(n).lower() == folded), None)
