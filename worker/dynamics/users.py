"""The application users that ever acknowledged for a state, kept in it.

A record that one of them made and was the last to change is ours, also after the worker got another
application user. The list is only ever added to, by compare and replace; states of earlier releases
have none, and begin one with the user of today.
"""

from __future__ import annotations

from typing import Final, Protocol

import orjson
import structlog

from worker.clock import Clock
from worker.dynamics.errors import DynamicsError
from worker.dynamics.protocol import Dynamics
from worker.errors import StoreUnavailable


_log = structlog.get_logger(__name__)

#: What they are kept under, and how they are written down.
NAME: Final = "users"
FORM: Final = 1

#: How long what was read is good (s): other workers may have other users.
READ_AGAIN_S: Final = 30.0


class UserMemory(Protocol):
    """What a contact store keeps under names."""

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore.recall``."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore.replace``."""
        ...


class Users:
    """Knows and remembers them.

    Args:
        dynamics: Says who we are.
        memory: The state.
        clock: Its ``monotonic`` says when to read again.
    """

    def __init__(self, dynamics: Dynamics, memory: UserMemory, clock: Clock) -> None:
        self._dynamics = dynamics
        self._memory = memory
        self._clock = clock
        self._known: frozenset[str] = frozenset()
        self._good_until = 0.0
        self._remembered = False

    async def known(self, *, anew: bool = False) -> frozenset[str]:
        """Their ids in lower case, ours among them.

        Args:
            anew: Read the state again: somebody was met who was not among them.

        Raises:
            DynamicsError: Who we are is not answered.
            StoreUnavailable: The state does not answer.
        """
        own = await self._dynamics.user_id()
        now = self._clock.monotonic()
        if anew or now >= self._good_until:
            self._known = _read(await self._memory.recall(NAME)) or frozenset()
            self._good_until = now + READ_AGAIN_S
        return self._known | {own}

    async def acknowledged(self) -> None:
        """Remember our user: Dynamics has acknowledged a write of ours.

        The write has been done, so no failure here is one of it; the next write tries again.
        """
        if self._remembered:
            return
        self._remembered = True
        try:
            await self._remember(await self._dynamics.user_id())
        except (DynamicsError, StoreUnavailable) as error:
            self._remembered = False
            _log.warning("dynamics.user_not_remembered", reason=str(error))

    async def _remember(self, own: str) -> None:
        while True:
            text = await self._memory.recall(NAME)
            users = _read(text)
            if users is None:  # a newer release wrote it, or it is damaged: do not overwrite it
                _log.error("dynamics.users_unreadable")
                return
            if own in users or await self._memory.replace(NAME, text, _written(users | {own})):
                return


def _read(text: str | None) -> frozenset[str] | None:
    """The users in a text; None if it cannot be read."""
    if text is None:
        return frozenset()
    try:
        document = orjson.loads(text)
        if document["form"] != FORM:
            return None
        return frozenset(str(user) for user in document["users"])
    except (ValueError, TypeError, KeyError):
        return None


def _written(users: frozenset[str]) -> str:
    return orjson.dumps({"form": FORM, "users": sorted(users)}).decode()
