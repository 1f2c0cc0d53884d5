"""Privileges: what the application user is refused, by table and kind of access.

A 403 says that this user may not do this to this record. Whether that is the record's fault (it
belongs to another business unit) or the security role's, the answer does not say reliably; others
do. While nothing of the kind succeeds, the role lacks a privilege: then that kind of access waits,
with one trial a minute, and everything else goes on. Once others succeed, the fault is the record's
(powerapps-docs ``security-roles``: a privilege is of a table and an access, such as
``prvCreateNote``).
"""

from __future__ import annotations

import re

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from pipelines.action import Change, Lookup, ReadFile, Reading, Verb
from pipelines.lookup import status
from worker.clock import Clock
from worker.dynamics.errors import Access, Forbidden, Privilege
from worker.dynamics.protocol import Request


_log = structlog.get_logger(__name__)

#: Different contacts refused, with no success between, that make a missing privilege; and so many
#: that, if none ever succeeded, the next need not ask any more where there is no time to wait.
SEVERAL: Final = 3
CERTAIN: Final = 10

#: How often (s) what lacks a privilege is tried, by one contact for all.
TRIAL_S: Final = 60.0

#: The pause (s) after the first refusal of a contact; it doubles with each further one.
FIRST_PAUSE_S: Final = 4.0

#: The longest time (s) that a contact waits to look again whether the role is mended.
LONGEST_PAUSE_S: Final = 900.0

#: How many refused contacts are remembered for each privilege; one that was dropped begins anew.
MOST_REMEMBERED: Final = 1_000

#: Tries of a record, while others succeed, before what it needs is parked.
TRIES: Final = 3

_NAME = re.compile(r"\bprv[A-Z][A-Za-z0-9_]{1,100}\b")


_TABLE = re.compile(r"\w*")


def privilege_of(request: Request) -> Privilege:
    """The privilege that a request needs first of all."""
    found = _TABLE.match(request.path)
    table = found.group() if found else ""
    if request.method == "GET":
        return Privilege(table, "read")
    creates = request.method == "POST" or request.headers.get("If-None-Match") == "*"
    return Privilege(table, "create" if creates else "write")


#: What a change does to its record; a note is a record of its own.
_ACCESS: Mapping[Verb, Access] = {Verb.CREATE: "create", Verb.ADOPT: "read"}
_NOTE: Final = Privilege("annotations", "create")

_NOBODY: Final = status("NoMatch")


def privilege_for(action: Reading | Change) -> Privilege | None:
    """The privilege that an action needs first of all; None for a file."""
    match action:
        case ReadFile():
            return None
        case Lookup():
            return privilege_of(Request("GET", action.url))
        case Change(verb=Verb.NOTE):
            return _NOTE
        case Change():
            return Privilege(action.entity, _ACCESS.get(action.verb, "write"))


def privileges_of(action: Reading | Change) -> list[Privilege]:
    """All the privileges that an action may need: of a lookup, each table's."""
    first = privilege_for(action)
    chain = action.search.chain if isinstance(action, Lookup) and action.search else ()
    later = [Privilege(one.table.set, "read") for one in chain]
    return list(dict.fromkeys([*([first] if first else []), *later]))


def used_by(action: Reading | Change, answer: Mapping[str, Any]) -> list[Privilege]:
    """The privileges that an action has used, as its answer shows.

    Of several tables the later ones are read only if nobody is found in those before.
    """
    if isinstance(action, Lookup) and not action.question.strip():
        return []  # nothing was asked
    first = privilege_for(action)
    if isinstance(action, Lookup) and action.search and answer.items() >= _NOBODY.items():
        return [Privilege(one.table.set, "read") for one in action.search.chain if one.queries()]
    return [first] if first else []


@dataclass(slots=True)
class _Refusals:
    """A contact's, of one privilege.

    Attributes:
        granted: How often the privilege had been used with success at the last of them.
        number: How many there were.
        counted: How many of them count against the contact.
    """

    granted: int
    number: int = 0
    counted: int = 0


@dataclass(slots=True)
class _State:
    """What is known of one privilege; times are monotonic (s).

    Attributes:
        granted: How often it was used with success.
        in_a_row: The contacts, up to ``CERTAIN``, refused since the last success.
        refused: The refusals of contacts that are not over.
        since: When it was found to be missing; None: it is not known to be.
        retry_at: When it is tried again.
        trial: The contact that tried it last while it was missing.
        last: The last refusal.
    """

    granted: int = 0
    in_a_row: set[str] = field(default_factory=set)
    refused: dict[str, _Refusals] = field(default_factory=dict)
    since: float | None = None
    retry_at: float = 0.0
    trial: str = ""
    last: Forbidden | None = None


@dataclass(slots=True)
class Privileges:
    """What one application user is refused, as far as this worker has met it.

    Attributes:
        clock: Its monotonic clock and chance.
    """

    clock: Clock
    _states: dict[Privilege, _State] = field(default_factory=dict)

    @property
    def missing(self) -> list[Privilege]:
        """The privileges that the user lacks, as it seems."""
        return [what for what, state in self._states.items() if state.since is not None]

    def granted(self, privilege: Privilege, contact_id: str) -> None:
        """Note that it was used with success."""
        state = self._states.setdefault(privilege, _State())
        state.granted += 1
        state.in_a_row.clear()
        state.refused.pop(contact_id, None)
        if state.since is not None:
            state.since = None
            _log.warning("dynamics.granted", table=privilege.table, access=privilege.access)

    def refused(
        self, privilege: Privilege, contact_id: str, error: Forbidden, *, must_end: bool = False
    ) -> float | None:
        """Note a 403, and say what it means for the contact.

        Args:
            privilege: What was refused.
            contact_id: To which contact.
            error: The refusal.
            must_end: There is no time to wait for a better role, as in a replay.

        Returns:
            How long (s) the contact waits with this; None: it is not to be tried any more.
        """
        state = self._states.setdefault(privilege, _State())
        refusals = state.refused.pop(contact_id, None) or _Refusals(state.granted)
        state.refused[contact_id] = refusals  # the last one to be dropped
        while len(state.refused) > MOST_REMEMBERED:
            del state.refused[next(iter(state.refused))]
        if len(state.in_a_row) < CERTAIN:
            state.in_a_row.add(contact_id)
        state.last = error
        refusals.number += 1
        several = len(state.in_a_row) >= SEVERAL
        others_succeed = state.granted > refusals.granted and state.in_a_row <= {contact_id}
        refusals.granted = state.granted
        refusals.counted += others_succeed or must_end
        if refusals.counted >= TRIES or (must_end and several):
            del state.refused[contact_id]
            if several:
                self._miss(privilege, state, contact_id)
            return None
        if several or (refusals.number >= TRIES and not others_succeed):
            self._miss(privilege, state, contact_id)
            return self._pause_s(state, contact_id)
        doublings = (refusals.counted or refusals.number) - 1
        return FIRST_PAUSE_S * 2.0**doublings * (1 + self.clock.chance()) / 2

    def waits_s(self, privilege: Privilege, contact_id: str) -> float:
        """How long (s) a contact is to wait before it tries; 0: it need not."""
        state = self._states.get(privilege)
        if state is None or state.since is None or not self._concerns(state, contact_id):
            return 0.0
        if self.clock.monotonic() >= state.retry_at or self._is_next(state, contact_id):
            return 0.0
        return self._pause_s(state, contact_id)

    @staticmethod
    def _is_next(state: _State, contact_id: str) -> bool:
        """Whether it need not wait for its turn: it was never refused, unlike the last that tried.

        Else a few records that are refused on their own would take every trial.
        """
        last = state.refused.get(state.trial)
        return contact_id not in state.refused and last is not None and last.number > 1

    def begin(self, privilege: Privilege, contact_id: str) -> None:
        """Note that this is about to be tried: if it is missing, that is the trial."""
        state = self._states.get(privilege)
        if state is not None and state.since is not None:
            state.retry_at = self.clock.monotonic() + TRIAL_S
            state.trial = contact_id

    def _pause_s(self, state: _State, contact_id: str) -> float:
        """How long a contact waits: the longer it lasts the longer, but for the one that tries."""
        now = self.clock.monotonic()
        lasts_s = 0.0 if state.since is None else now - state.since
        pause_s = 2 * TRIAL_S if state.trial == contact_id else max(TRIAL_S, lasts_s)
        return min(LONGEST_PAUSE_S, pause_s) * (1 + self.clock.chance() / 4)

    def denied(self, privilege: Privilege) -> Forbidden | None:
        """The last refusal of what was never allowed, and many were refused; None: ask."""
        state = self._states.get(privilege)
        if state is None or state.granted or len(state.in_a_row) < CERTAIN:
            return None
        return state.last

    @staticmethod
    def _concerns(state: _State, contact_id: str) -> bool:
        """Of one or two contacts it is not known whose fault it is: others try for themselves."""
        return len(state.in_a_row) >= SEVERAL or contact_id in state.refused

    def _miss(self, privilege: Privilege, state: _State, contact_id: str) -> None:
        now = self.clock.monotonic()
        state.retry_at = now + TRIAL_S
        if state.since is None and state.last is not None:
            state.since = now
            state.trial = contact_id
            _log.error(
                "dynamics.forbidden",
                table=privilege.table,
                access=privilege.access,
                privilege=", ".join(names_in(state.last)),
                code=state.last.code,
                advice="give it to the application user's role; what waits then comes by itself",
            )


def names_in(error: Forbidden) -> Iterator[str]:
    """The privileges that Dataverse's message names, such as ``prvCreateNote``: each once."""
    yield from dict.fromkeys(_NAME.findall(error.detail))
