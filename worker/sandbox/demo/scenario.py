"""A scenario: the last hour of an invented contact centre, played in seconds.

Every contact keeps its true length; it is played faster than it went and ends the moment its end is
played, so the waits that count from the end (``within``) are real.
"""

from __future__ import annotations

from dataclasses import dataclass
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


#: How fast it is played (s): contacts begin within the first, each takes the second at most.
BEGIN_WITHIN_S: Final = 8.0
TOLD_IN_S: Final = 7.0

#: Messages hours late would come at the very end, so many seconds after the first.
LATEST_S: Final = 18.0

DUPLICATED: Final = 0.1
REORDERED: Final = 0.3
LATE: Final = 0.03
LOST_EVENTS: Final = 0.05

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
        told, factor = _told(kind, rng.getrandbits(32), now + timedelta(seconds=begin_s))
        arriving = disturb(
            told.sent,
            rng,
            duplicate=DUPLICATED,
            reorder=REORDERED,
            late=LATE,
            lose_events=LOST_EVENTS,
            compress=factor,
        )
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


def _told(kind: str, seed: int, at: datetime) -> tuple[History, float]:
    """A contact played from ``at`` on, and the factor of its haste.

    How long it takes only shows once it has been played, so it is played twice.
    """
    draft = history(kind, Random(seed), at)
    factor = min(1.0, TOLD_IN_S / draft.sent[-1].at_s)
    first, last_ms = draft.contacts[0], max(leg.disconnected_ms for leg in draft.contacts)
    length_s = (last_ms - first.initiated_ms) / 1000
    begin = at - timedelta(seconds=length_s * (1 - factor))
    if first.initiated_ms > int(at.timestamp() * 1000):  # the call around midnight: the last one
        begin = at - _DAY
    return history(kind, Random(seed), begin, factor), factor
