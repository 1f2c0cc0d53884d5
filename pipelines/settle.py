"""Settling: what the ledger learns from the outcome of an action.

This is the life of a record in Dynamics, as one table: what a 412 says about a create, a 404 about
an update, a refusal about a closed record. ``connect-dynamics states`` draws it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pipelines import ledger
from pipelines.action import Action, Change, Lookup, OpenPage, ReadFile, Verb, WriteBack
from pipelines.adoption import adopt
from pipelines.contact import Contact, State
from pipelines.outcome import (
    REFUSALS,
    Closed,
    Delayed,
    Done,
    Exists,
    Found,
    Logged,
    Missing,
    Outcome,
    Refused,
    Shown,
    Undeliverable,
)


#: An action and its outcome, as they are looked up: verb or class, class.
Case = tuple[Verb | type[Action], type[Outcome]]

Learn = Callable[[Contact, Any, Any], None]


@dataclass(frozen=True, slots=True)
class Line:
    """What is learnt in one case.

    Attributes:
        learn: Writes it into the ledger.
        after: The state the record is in then; None: the one it was in.
        before: The states of the record that the line is for; none: all.
        if_missing: What of the pipeline's choices on a 404 the line is for; "": all.
        holds: What was planned after the action still holds; otherwise the plan is made anew.
        means: More about it, for the diagram.
    """

    learn: Learn
    after: State | None = None
    before: tuple[State, ...] = ()
    if_missing: str = ""
    holds: bool = False
    means: str = ""


# --- the table ---

_PARK = Line(ledger.park)
_ACKNOWLEDGE = Line(ledger.acknowledge, holds=True)
_TOLD = Line(ledger.acknowledge_open, holds=True)
_NOT_NOW = Line(ledger.delay, holds=True)
_GIVEN_UP = Line(ledger.give_up, holds=True)
_CLOSED = Line(ledger.refused_as_closed, means="reopened first, noted if that does not help")

#: What a 404 says about a record that was there. The first line that fits counts, as everywhere.
_GONE = (
    Line(ledger.forget_columns, after="unsent", if_missing="recreate"),
    Line(ledger.learn_nothing, after="gone", if_missing="skip"),
    Line(ledger.park, if_missing="park"),
)

#: The life of a Dynamics record, and of what else is done for a contact.
SETTLE: Mapping[Case, tuple[Line, ...]] = {
    # Whatever is refused is parked for an operator, unless a line below says otherwise.
    **{(what, refusal): (_PARK,) for what in (*Verb, Lookup) for refusal in REFUSALS},
    (Verb.CREATE, Done): (Line(ledger.acknowledge_create, after="there", holds=True),),
    (Verb.CREATE, Exists): (Line(ledger.create_conflicted, after="found"),),
    (Verb.ADOPT, Found): (Line(adopt, after="there"),),
    (Verb.ADOPT, Missing): (
        # The 412 was about another record: an alternate key is taken.
        Line(ledger.park, after="unsent", before=("found",)),
        Line(ledger.forget_columns, after="unsent", before=("doubted",), if_missing="recreate"),
        Line(ledger.learn_nothing, after="gone", before=("doubted",)),
        Line(ledger.learn_nothing, after="absent"),
    ),
    (Verb.REOPEN, Done): (_ACKNOWLEDGE,),
    (Verb.REOPEN, Missing): _GONE,
    **{(Verb.REOPEN, refusal): (_CLOSED,) for refusal in (Closed, Exists, Refused)},
    (Verb.UPDATE, Done): (_ACKNOWLEDGE,),
    (Verb.UPDATE, Missing): _GONE,
    (Verb.UPDATE, Closed): (_CLOSED,),
    (Verb.PARTIES, Done): (_ACKNOWLEDGE,),
    (Verb.PARTIES, Missing): _GONE,
    (Verb.PARTIES, Closed): (_CLOSED,),
    (Verb.NOTE, Done): (_ACKNOWLEDGE,),
    # A note's id is derived from its content, so it is this very note.
    (Verb.NOTE, Exists): (_ACKNOWLEDGE,),
    (Verb.CLOSE, Done): (_ACKNOWLEDGE,),
    (Verb.CLOSE, Missing): _GONE,
    (Verb.CLOSE, Closed): (Line(ledger.acknowledge, holds=True, means="somebody else closed it"),),
    # Actions that are about no record.
    (Lookup, Done): (Line(ledger.remember, holds=True),),
    (Lookup, Missing): (Line(ledger.remember_no_match, holds=True),),
    (ReadFile, Done): (Line(ledger.remember, holds=True),),
    (WriteBack, Done): (Line(ledger.acknowledge_attributes, holds=True),),
    (OpenPage, Shown): (_TOLD,),
    (OpenPage, Logged): (_TOLD,),
    (WriteBack, Delayed): (_NOT_NOW,),
    (OpenPage, Delayed): (_NOT_NOW,),
    (WriteBack, Undeliverable): (_GIVEN_UP,),
    (OpenPage, Undeliverable): (_GIVEN_UP,),
}


def settle(contact: Contact, action: Action, outcome: Outcome) -> bool:
    """Write the outcome of an action into the ledger, as the table says.

    Returns:
        Whether what was planned after it still holds; otherwise the plan is to be made anew.
    """
    line = line_for(contact, action, outcome)
    line.learn(contact, action, outcome)
    if line.after is not None and isinstance(action, Change):
        ledger.record_of(contact, action).state = line.after
    return line.holds


def line_for(contact: Contact, action: Action, outcome: Outcome) -> Line:
    """The line of the table for an action's outcome, as the contact is before it is settled."""
    if not isinstance(action, Change):
        return SETTLE[type(action), type(outcome)][0]
    state = ledger.state_of(contact, action)
    lines = _fitting(SETTLE[action.verb, type(outcome)], state)
    return next(line for line in lines if line.if_missing in ("", action.if_missing))


# --- the diagram ---

#: Verb -> the states of a record in which a plan may contain it.
SENT_IN: Mapping[Verb, tuple[State, ...]] = {
    **dict.fromkeys(Verb, ("there",)),
    Verb.CREATE: ("unsent", "sent", "absent"),
    Verb.ADOPT: ("unsent", "sent", "found", "doubted"),
}

#: How a record enters another state without an outcome: from, to, why.
BESIDES = (
    ("[*]", "unsent", "a step of ours creates it"),
    ("[*]", "there", "no step of ours creates it"),
    ("unsent", "sent", "what came of a create is not known"),
    ("absent", "sent", "what came of a create is not known"),
    ("sent", "unsent", "the state was restored"),
    ("there", "doubted", "the state was restored"),
    ("parked", "gone", "an operator drops it"),
    ("gone", "[*]", "nothing is sent any more"),
)


def mermaid() -> str:
    """The table's part about records as a Mermaid state diagram.

    An operator takes a record out of ``parked``: a retry leads back to where it was.
    """
    arrows: dict[tuple[str, str, str], list[str]] = {}
    for verb, outcome, state, line in _ways():
        target = "parked" if line.learn is ledger.park else line.after or state
        verbs = arrows.setdefault((state, target, _label(outcome, line)), [])
        if verb.value not in verbs:
            verbs.append(verb.value)
    lines = [f"    {start} --> {end} : {why}" for start, end, why in BESIDES]
    for (start, end, why), verbs in sorted(arrows.items(), key=lambda one: _rank(*one[0])):
        lines.append(f"    {start} --> {end} : {', '.join(verbs)}. {why}")
    return "\n".join(["stateDiagram-v2", *lines])


def _ways() -> Iterator[tuple[Verb, type[Outcome], State, Line]]:
    """Every line of the table that is about records, with each state it may apply in."""
    for (verb, outcome), lines in SETTLE.items():
        if isinstance(verb, Verb):
            for state in SENT_IN[verb]:
                yield from ((verb, outcome, state, line) for line in _fitting(lines, state))


def _fitting(lines: Iterable[Line], state: State) -> Iterator[Line]:
    """The lines that can apply in a state, whatever the pipeline says of a 404."""
    for line in lines:
        if not line.before or state in line.before:
            yield line
            if not line.if_missing:
                return  # the lines after it are for other states


def _label(outcome: type[Outcome], line: Line) -> str:
    says = "whatever else is refused" if line is _PARK else outcome.says
    parts = [says, line.if_missing and f"on_missing {line.if_missing}", line.means]
    return ", ".join(part for part in parts if part)


def _rank(start: str, end: str, why: str) -> tuple[int, bool, str, str]:
    states = [*get_args(State)]
    return states.index(start), end == "parked", end, why
