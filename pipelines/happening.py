"""Happenings: what the history says of an action and its outcome, and of what else is done.

The words, beside the verbs of changes (``create``, ``adopt``, ``reopen``, ``update``, ``parties``,
``note``, ``close``), which say that it was tried, and done unless there is a reason why not:

look_up, read_file, open, logged (a page that only the log has), write_back;
took_over: a record is kept up to date that somebody else has made or changed.
deleted: a person has deleted the record.
parked: an operator must look at it. retried, dropped: one did, or it was tried again by itself.
gave_up: Connect or the desktop will not take it. expired: it was too late for it.
resumed: what was sent last got no answer before its worker ended. late: the claim had lapsed.
restored: the state was restored. fault: rounds ended in a bug of ours.
rebound: what Dynamics had acknowledged was given up, for another organization's sake.
untold: what it knew of another contact, which was forgotten, is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from pipelines.action import Action, Change, Lookup, OpenPage, ReadFile, Verb, WriteBack
from pipelines.contact import Contact
from pipelines.effect import Effect
from pipelines.history import Happening
from pipelines.ledger import ATTRIBUTES
from pipelines.odata import GUID
from pipelines.outcome import (
    Delayed,
    Logged,
    Missing,
    Outcome,
    Refusal,
    Undeliverable,
)


#: All the words.
WORDS: Final = frozenset(
    (
        *(verb.value for verb in Verb),
        *("look_up", "read_file", "open", "logged", "write_back", "took_over", "deleted"),
        *("parked", "retried", "dropped", "gave_up", "expired", "resumed", "late", "restored"),
        *("fault", "untold", "rebound"),
    )
)

#: Why columns are sent again whose intent was saved.
NOT_TOLD: Final = "a worker ended before it said what came of it"


def tried(action: Action, at: float, why: str = "") -> Happening:
    """An action was carried out; or was not, for this reason, and is tried again."""
    return Happening(
        at=at,
        what=_what(action),
        place=place_of(action.record) if isinstance(action, Change) else "",
        steps=action.steps,
        columns=_columns(action),
        why=why,
    )


def settled(
    contact: Contact, action: Action, outcome: Outcome, at: float, *, done: bool
) -> Happening:
    """What the outcome of an action came to.

    Args:
        contact: Its contact, which has settled it.
        action: The action.
        outcome: What came of it.
        at: When (s since 1970).
        done: It is as it was to be, though Dynamics may have refused the request.
    """
    told = tried(action, at)
    match outcome:
        case Delayed(reason):
            return replace(told, why=f"not now: {reason}")
        case Undeliverable(reason):
            return replace(told, what="gave_up", why=reason)
        case Logged():
            return replace(told, what="logged")
        case Refusal():
            return told if done else _refused(contact, action, outcome, told)
    if told.what == Verb.ADOPT.value and not contact.ledger[action.place].ours:
        return replace(told, what="took_over")
    return told


def _refused(contact: Contact, action: Action, refused: Refusal, told: Happening) -> Happening:
    answered = replace(told, status=refused.parked.status or 0, code=refused.parked.code)
    if contact.parked.get(action.place) is refused.parked:
        return replace(answered, what="parked", why=refused.reason or refused.says)
    known = contact.ledger.get(action.place)
    if isinstance(refused, Missing) and known is not None and known.state in ("gone", "unsent"):
        then = "no more is written" if known.state == "gone" else "it is made again"
        return replace(answered, what="deleted", why=f"it is not there any more: {then}")
    return replace(answered, why=refused.reason or refused.says)


def resumed(contact: Contact, at: float) -> Iterator[Happening]:
    """What an intent says that was saved and got no outcome; before the ledger takes it up."""
    for name, columns in contact.intent.items():
        sent = tuple(column for column in columns if column)
        step = (columns[""],) if "/" in columns.get("", "") else ()
        place = "" if name.startswith(ATTRIBUTES) else place_of(name)
        yield Happening(at=at, what="resumed", place=place, steps=step, columns=sent, why=NOT_TOLD)


def expired(step: str, effect: Effect, at: float) -> Happening:
    """It was too late for a page or a write-back."""
    return Happening(at=at, what="expired", steps=(step,), code=effect.outcome, why=effect.why)


def by_operator(
    what: str, place: str, steps: Iterable[str], at: float, *, by: str = "", why: str = ""
) -> Happening:
    """What was parked was retried or dropped.

    Args:
        what: ``retried`` or ``dropped``.
        place: The record, or the step of a lookup.
        steps: The steps it comes from.
        at: When (s since 1970).
        by: The operator's system user; "": the worker itself.
        why: The reason given.
    """
    about = place_of(place) if "(" in place else ""
    return Happening(at=at, what=what, place=about, steps=tuple(steps), by=by, why=why)


def place_of(record: str) -> str:
    """A record's address for the history: a key that is no id may be a person's number."""
    table, _, key = record.partition("(")
    return record if GUID.fullmatch(key.removesuffix(")")) else f"{table}(…)"


def _what(action: Action) -> str:
    match action:
        case Lookup():
            return "look_up"
        case ReadFile():
            return "read_file"
        case WriteBack():
            return "write_back"
        case OpenPage():
            return "open"
        case Change(verb=verb):
            return verb.value


def _columns(action: Action) -> tuple[str, ...]:
    """The names of what is sent."""
    match action:
        case WriteBack(attributes=sent):
            return tuple(sent)
        case Change(verb=verb, columns=columns) if verb is not Verb.ADOPT:
            return tuple(columns)
    return ()
