"""What goes wrong when: decided by a seed alone, before anything begins."""

from __future__ import annotations

import enum

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final


class Act(enum.Enum):
    """Something that goes wrong."""

    KILL = "SIGKILL"  # a worker; another one starts after a while
    STOP = "SIGSTOP..SIGCONT"  # a worker, for a while
    TERMINATE = "SIGTERM"  # a worker; another one starts a while after it has ended
    RESHARD = "split, then merge"  # a shard, and its halves after a while
    DELAY = "delay"  # the way to a service (fleet.proxy)
    CUT = "cut"
    HALF_OPEN = "half-open"
    RESET = "reset"
    SPOILED = "answers spoiled"  # of a service, by its hostile behaviours
    THROTTLED = "429 with Retry-After"  # Dynamics
    BROKEN = "500"
    AWAY = "503"
    SLOW = "slow"
    LOST = "502 after the commit"
    DROPPED = "closed after the commit"
    HANGING = "no answer after the commit"
    POISONED = "500 for some records"  # Dynamics, by what requests are about
    UNTAKEN = "no answer for some records"
    DOUBTED = "502 after the commit for some records"
    RATIONED = "429 for some records"
    FORBIDDEN = "403 for notes"
    UNREADABLE = "403 for reading contacts"
    UNSEARCHED = "throttled wildcards"


PROCESSES: Final = (Act.KILL, Act.STOP, Act.TERMINATE)
NETWORK: Final = (Act.DELAY, Act.CUT, Act.HALF_OPEN, Act.RESET)
SANDBOX: Final = (
    Act.THROTTLED,
    Act.BROKEN,
    Act.AWAY,
    Act.SLOW,
    Act.LOST,
    Act.DROPPED,
    Act.HANGING,
)
CONTENT: Final = (
    Act.POISONED,
    Act.UNTAKEN,
    Act.DOUBTED,
    Act.RATIONED,
    Act.FORBIDDEN,
    Act.UNREADABLE,
    Act.UNSEARCHED,
)


@dataclass(frozen=True, slots=True)
class Stroke:
    """One thing that goes wrong.

    Attributes:
        at_s: When, after the beginning.
        act: What.
        for_s: For how long; of a process that ends, until another one starts.
        victim: From 0 to 1: which of those that can be struck; of records the first digit.
    """

    at_s: float
    act: Act
    for_s: float
    victim: float


@dataclass(frozen=True, slots=True)
class _Train:
    """Strokes of a kind: one in each stretch of time, over before the next one's begins.

    Attributes:
        every_s: How long a stretch is.
        acts: One of these.
        shortest_s: How long it lasts at least.
        longest_s: How long at most.
    """

    every_s: float
    acts: tuple[Act, ...]
    shortest_s: float
    longest_s: float


#: A pause is shorter or longer than a lease lives (10 s).
_TRAINS: Final = (
    _Train(18, (Act.KILL,), 0, 5),
    _Train(45, (Act.STOP,), 2, 25),
    _Train(60, (Act.TERMINATE,), 0, 5),
    _Train(60, (Act.RESHARD,), 10, 30),
    _Train(8, NETWORK, 1, 6),
    _Train(20, SANDBOX, 4, 14),
    _Train(7, (Act.SPOILED,), 2, 6),
    _Train(20, CONTENT, 4, 18),
)


def plan(seed: int, length_s: float) -> list[Stroke]:
    """All strokes of a fire of this length, by time."""
    rng = Random(seed)
    strokes = [stroke for train in _TRAINS for stroke in _strokes(train, rng, length_s)]
    return sorted(strokes, key=lambda stroke: stroke.at_s)


def _strokes(train: _Train, rng: Random, length_s: float) -> Iterator[Stroke]:
    for number in range(int(length_s / train.every_s)):
        act, for_s = rng.choice(train.acts), rng.uniform(train.shortest_s, train.longest_s)
        late_s = rng.random() * (train.every_s - for_s)
        yield Stroke(number * train.every_s + late_s, act, for_s, rng.random())
