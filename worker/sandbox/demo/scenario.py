"""A scenario: an invented contact centre, live, in contacts that last seconds.

Whatever happens on a contact is told at the moment it happens: agents answer, and see the record,
while the contact is on. Only what comes minutes after a contact's end in truth (its record, its
recording) comes at once, and one call is of the night before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from random import Random
from typing import Final

from worker.sandbox.traffic import (
    EVENTS,
    KINDS,
    History,
    Leg,
    SentMessage,
    disturb,
    history,
    malformed,
)


#: Contacts begin within the first (s), each ends within the second, and all is told in the third.
BEGIN_WITHIN_S: Final = 13.0
ENDS_WITHIN_S: Final = 7.5
TOLD_IN_S: Final = 10.0

#: What comes after the end takes at least so long (s).
AFTER_S: Final = 1.5

#: Messages hours late would come at the very end, so many seconds after the first.
LATEST_S: Final = 23.0

DUPLICATED: Final = 0.1
REORDERED: Final = 0.3
LATE: Final = 0.03
LOST_EVENTS: Final = 0.05

#: How long what is reordered is held back: of two minutes these shares, so up to 0.2 s and 2 s.
EVENTS_HELD_BACK: Final = 0.002
OTHERS_HELD_BACK: Final = 0.02

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happened and what is sent about it.

    Attributes:
        legs: All contacts, each leg of a transferred one too, in the order they are played.
        sent: The messages with the seconds after the scenario's start at which they are sent.
        lost: How many contact events never come.
        repeated: How many messages come twice.
    """

    legs: list[Leg]
    sent: list[SentMessage]
    lost: int
    repeated: int


def tell(contacts: int, seed: int, now: datetime) -> Scenario:
    """Contacts of every kind, disturbed on the way, and one malformed message.

    Args:
        contacts: How many; each kind comes once if there are enough.
        seed: The same seed gives the same scenario.
        now: An aware time: when sending begins.
    """
    rng = Random(seed)
    legs: list[Leg] = []
    sent = [malformed(rng, BEGIN_WITHIN_S / 2)]
    lost = repeated = 0
    for number, kind in enumerate(_kinds(rng, contacts)):
        begin_s = BEGIN_WITHIN_S * number / contacts
        told = _told(kind, rng.getrandbits(32), now + timedelta(seconds=begin_s))
        arriving = _disturbed(told.sent, rng)
        bodies = {message.body for message in arriving}
        lost += sum(m.stream == EVENTS and m.body not in bodies for m in told.sent)
        repeated += len(arriving) - len(bodies)
        legs += told.contacts
        sent += [m._replace(at_s=min(begin_s + m.at_s, LATEST_S)) for m in arriving]
    return Scenario(legs, sorted(sent, key=attrgetter("at_s")), lost, repeated)


def _kinds(rng: Random, contacts: int) -> list[str]:
    """Every kind once, if there are contacts enough, the others by how common they are."""
    kinds = list(KINDS)
    once = kinds if contacts >= len(kinds) else []
    weights = [kind.weight for kind in KINDS.values()]
    return once + rng.choices(kinds, weights, k=contacts - len(once))


def _disturbed(sent: list[SentMessage], rng: Random) -> list[SentMessage]:
    """The messages as they arrive: events soon, best effort; the others later, but all of them."""
    events = [message for message in sent if message.stream == EVENTS]
    others = [message for message in sent if message.stream != EVENTS]
    often = {"duplicate": DUPLICATED, "reorder": REORDERED, "late": LATE}
    return [
        *disturb(events, rng, lose_events=LOST_EVENTS, compress=EVENTS_HELD_BACK, **often),
        *disturb(others, rng, compress=OTHERS_HELD_BACK, **often),
    ]


def _told(kind: str, seed: int, at: datetime) -> History:
    """A contact that begins now; what comes after its end comes at once."""
    told = history(kind, Random(seed), at, within_s=ENDS_WITHIN_S)
    if told.contacts[0].initiated_ms > int(at.timestamp() * 1000):  # around midnight: the last one
        told = history(kind, Random(seed), at - _DAY, within_s=ENDS_WITHIN_S)
    first = told.contacts[0].initiated_ms
    end_s = (max(leg.ended_ms for leg in told.contacts) - first) / 1000
    left_s = max(told.sent[-1].at_s - end_s, AFTER_S)
    haste = min(1.0, max(TOLD_IN_S - end_s, AFTER_S) / left_s)
    sent = [m._replace(at_s=min(m.at_s, end_s + (m.at_s - end_s) * haste)) for m in told.sent]
    return replace(told, sent=sent)
