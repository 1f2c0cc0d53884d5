"""Bugs of ours, which nobody imagined: any call of a contact's round may raise anything.

What push uses is handed to it haunted: a call of a place where a bug is raises, before the call is
carried out or just after. Which contact a call is for is what its task has loaded last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from pipelines.pipeline import Pipeline
from simulated.story import Story


T = TypeVar("T")

#: What the text of every exception says; it must come up nowhere (I8).
SECRET: Final = "+49 30 901820"

#: What is raised.
ERRORS: Final[tuple[Callable[[], Exception], ...]] = (
    *(
        lambda kind=kind: kind(SECRET)
        for kind in (
            *(TypeError, ValueError, KeyError, OverflowError, RecursionError),
            *(ZeroDivisionError, AttributeError, AssertionError, RuntimeError),
        )
    ),
    lambda: UnicodeEncodeError("utf-8", SECRET, 0, 1, SECRET),
)

#: Methods of what push is given -> the place they are.
STORE: Final = {"load": "load", "save": "save", "put_back": "put_back"}
PERFORMER: Final = {"perform": "perform"}
DESKTOP: Final = {"open": "open"}
PLAN: Final = "plan"

#: Where one contact's round can be struck.
PLACES: Final = (*STORE, *PERFORMER.values(), *DESKTOP.values(), PLAN)

#: Where a fault can neither be noted nor, perhaps, a claim be let go of: nothing is parked there.
MUTE: Final = frozenset(("load", "put_back"))

#: What is not a contact's: ingest's store, the gate's notice.
INGEST: Final = {"load": "ingest", "save": "ingest"}
SHARED_STATE: Final = {"recall": "shared state", "replace": "shared state"}
BACKGROUND: Final = ("ingest", "shared state")

#: The contact whose round this is.
ROUND: ContextVar[str] = ContextVar("round", default="")


@dataclass(eq=False, slots=True)
class Bug:
    """A bug.

    Attributes:
        places: Where it is.
        error: Makes what it raises.
        contacts: Whose rounds it hits; None: everybody's, and what is nobody's.
        after: Calls are carried out before it raises.
        left: How many times more it raises.
        struck: How many times it has.
    """

    places: frozenset[str]
    error: Callable[[], Exception]
    contacts: set[str] | None
    after: bool
    left: float
    struck: int = 0

    def hits(self, place: str, contact_id: str) -> bool:
        """Whether it raises here."""
        mine = self.contacts is None or contact_id in self.contacts
        return self.left > 0 and mine and place in self.places


@dataclass(slots=True)
class Bugs:
    """The bugs of a run.

    Attributes:
        story: Told of each time one raises.
        wall: The time (s since 1970) as it is, which also passes when a wait is cut short.
        live: Those that have not been mended.
        struck: Called with the contact, or "", in whose round one raises.
        strikes: Contact -> when (s) one raised in its rounds.
    """

    story: Story
    wall: Callable[[], float]
    struck: Callable[[str], object] = lambda _contact_id: None
    live: list[Bug] = field(default_factory=list)
    strikes: dict[str, list[float]] = field(default_factory=dict)

    def strike(self, place: str, *, after: bool) -> None:
        """Raise what the bugs of a place raise."""
        contact_id = ROUND.get()
        for bug in self.live:
            if bug.after is after and bug.hits(place, contact_id):
                bug.left -= 1
                bug.struck += 1
                error = bug.error()
                what = f"raises {type(error).__name__} {'after' if after else 'before'}"
                self.story.tell("bug", f"{what} {place} {contact_id[:8]}")
                self.strikes.setdefault(contact_id, []).append(self.wall())
                self.struck(contact_id)
                raise error

    def haunted(self, thing: T, places: Mapping[str, str]) -> T:
        """The thing, its methods being places where bugs may be."""
        return cast("T", _Haunted(thing, self, places))

    def pipelines(self, pipelines: list[Pipeline]) -> Haunt:
        """The pipelines, which a bug may keep from being planned with."""
        return Haunt(self, pipelines)


class _Haunted:
    def __init__(self, thing: object, bugs: Bugs, places: Mapping[str, str]) -> None:
        self._thing = thing
        self._bugs = bugs
        self._places = places

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._thing, name)
        place = self._places.get(name)
        if place is None:
            return member

        async def call(*args: Any, **more: Any) -> Any:
            if place == "load":  # several are nobody's round: a task that looks at many goes on
                ROUND.set(args[0][0] if len(args[0]) == 1 else "")
            self._bugs.strike(place, after=False)
            answer = await member(*args, **more)
            self._bugs.strike(place, after=True)
            return answer

        return call


class Haunt(list[Pipeline]):
    """Pipelines; whoever goes through them meets what is there."""

    def __init__(self, bugs: Bugs, pipelines: list[Pipeline]) -> None:
        super().__init__(pipelines)
        self._bugs = bugs

    def __iter__(self) -> Iterator[Pipeline]:
        """The pipelines, unless a bug raises."""
        if ROUND.get():
            self._bugs.strike(PLAN, after=False)
        yield from super().__iter__()
        if ROUND.get():
            self._bugs.strike(PLAN, after=True)
