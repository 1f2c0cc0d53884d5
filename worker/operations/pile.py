"""Parked writes counted by cause, as they are listed; and whether what is named is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from worker.operations.cause import Cause
from worker.operations.listing import iso, unknown
from worker.operations.parked import PAGE, Choice, ParkedWrite, names, parked_writes
from worker.stores.protocol import ContactStore


@dataclass(frozen=True, slots=True)
class ParkedCause:
    """What is parked for one cause, as it is listed.

    Attributes:
        table: The entity set; "" of a bug of ours.
        status: HTTP status; null without an answer.
        code: Dataverse's code; ``bug``.
        message: What Dynamics says, without ids and values.
        writes: How many writes.
        contacts: Of how many contacts.
        steps: The steps they came from, ``pipeline/step``.
        oldest: When the first was parked.
        newest: And the last.
    """

    table: str
    status: int | None
    code: str
    message: str
    writes: int
    contacts: int
    steps: list[str]
    oldest: str
    newest: str


@dataclass(frozen=True, slots=True)
class ParkedLine:
    """One parked write, as it is listed; ``record`` is its address, or its step."""

    contact: str
    record: str
    steps: list[str]
    at: str
    table: str
    status: int | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Exported(ParkedLine):
    """The same, whole, for whoever repairs it elsewhere; holds personal data.

    Attributes:
        request: Method, path and body as sent.
        answer: What Dynamics said, word for word.
    """

    request: dict[str, Any]
    answer: str


@dataclass(slots=True)
class Pile:
    """Parked writes, counted by cause."""

    writes: int = 0
    contacts: set[str] = field(default_factory=set)
    steps: set[str] = field(default_factory=set)
    moments: list[float] = field(default_factory=list)

    def add(self, write: ParkedWrite) -> None:
        """Count one more."""
        self.writes += 1
        self.contacts.add(write.contact_id)
        self.steps.update(write.parked.steps)
        at = write.parked.at
        self.moments = [min([*self.moments, at]), max([*self.moments, at])]


class Piles:
    """Parked writes by cause, counted one by one."""

    def __init__(self) -> None:
        self._piles: defaultdict[Cause, Pile] = defaultdict(Pile)

    def add(self, write: ParkedWrite) -> None:
        """Count one more."""
        self._piles[write.cause].add(write)

    @property
    def writes(self) -> int:
        """How many there are of all causes."""
        return sum(pile.writes for pile in self._piles.values())

    @property
    def contacts(self) -> set[str]:
        """Whose they are."""
        return set().union(*(pile.contacts for pile in self._piles.values()))

    def rows(self) -> list[ParkedCause]:
        """A row for each cause, the one with most writes first."""
        piles = sorted(self._piles.items(), key=lambda pair: (-pair[1].writes, pair[0]))
        return [
            ParkedCause(
                cause.table,
                int(cause.status) if cause.status else None,
                cause.code,
                cause.message,
                pile.writes,
                len(pile.contacts),
                sorted(pile.steps),
                iso(pile.moments[0]),
                iso(pile.moments[-1]),
            )
            for cause, pile in piles
        ]


def line(write: ParkedWrite) -> ParkedLine:
    """A parked write as it is listed."""
    cause, parked = write.cause, write.parked
    return ParkedLine(
        write.contact_id,
        write.place,
        parked.steps,
        iso(parked.at),
        cause.table,
        parked.status,
        cause.code,
        cause.message,
    )


def exported(write: ParkedWrite) -> Exported:
    """A parked write, whole."""
    parked = write.parked
    return Exported(**asdict(line(write)), request=parked.request, answer=parked.answer)


async def piled(store: ContactStore, choice: Choice) -> Piles:
    """What is parked and meant, by cause.

    Raises:
        ConfigError: Something that was named is not there: a contact, a step or a code.
    """
    found = Piles()
    owners, steps, codes = set(), set(), set()
    async for write in parked_writes(store, choice.contact_ids):
        owners.add(write.contact_id)
        steps |= names(write.parked.steps)
        codes |= write.cause.codes
        if choice.takes(write):
            found.add(write)
    if missing := choice.contact_ids - owners:
        raise unknown("nothing is parked of contact", missing, await _ids_near(store, missing))
    if choice.step and choice.step not in steps:
        raise unknown("nothing is parked for step", [choice.step], steps)
    if choice.code and choice.code.lower() not in codes:
        raise unknown("nothing is parked with code", [choice.code], codes)
    return found


async def _ids_near(store: ContactStore, contact_ids: Iterable[str]) -> list[str]:
    """Ids of contacts with something parked that begin as these do, and the first ones."""
    found = await store.parked("", PAGE)
    for contact_id in contact_ids:
        found += await store.parked(contact_id[:4], PAGE)
    return found
