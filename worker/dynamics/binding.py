"""The binding of a state to the organization whose acknowledgements it holds, kept in it (I11).

What one Dynamics has acknowledged must not be believed of another: nothing would be written there.
A state without a binding (new, or of an earlier release) takes the first organization that it is
used with. Application users are many to a state (``worker.dynamics.users``), organizations are not.

The id is ``OrganizationId`` of ``WhoAmI`` (powerapps-docs ``webapi/reference/whoamiresponse``). A
copy of an organization has an id of its own, whatever it holds.
"""

from __future__ import annotations

import asyncio

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import orjson
import structlog

from worker.clock import Clock
from worker.dynamics.errors import WrongOrganization


_log = structlog.get_logger(__name__)

#: What it is kept under, and how it is written down.
NAME: Final = "organization"
FORM: Final = 1

#: How long (s) what was read is good: whoever gives a state up waits so long for all who use it.
GOOD_FOR_S: Final = 5.0


class BindingMemory(Protocol):
    """What a contact store keeps under names."""

    async def recall(self, name: str) -> str | None:
        """See ``ContactStore.recall``."""
        ...

    async def replace(self, name: str, old: str | None, new: str) -> bool:
        """See ``ContactStore.replace``."""
        ...


@dataclass(frozen=True, slots=True)
class Bound:
    """To which organization a state is bound.

    Attributes:
        organization: Its id in lower case; "": to none yet.
        address: Where it was reached when the state was bound, for people to read.
        giving_up: Its acknowledgements are being given up, and are up to this contact; None: no.
    """

    organization: str = ""
    address: str = ""
    giving_up: str | None = None

    def __str__(self) -> str:
        """How messages name the organization."""
        return f"organization {self.organization} ({self.address})"


class Binding:
    """Sees to it that a state is used with one organization only.

    Args:
        ask: Which organization it is that requests go to: its id in lower case.
        address: Where it is reached, for messages.
        memory: The state.
        clock: Its ``monotonic`` says when to read the state again.

    Attributes:
        bound_now: It was this one that bound the state.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[str]],
        address: str,
        memory: BindingMemory,
        clock: Clock | None = None,
    ) -> None:
        self._ask = ask
        self._address = address
        self._memory = memory
        self._clock = clock or Clock()
        self._good_until = float("-inf")
        self._reading = asyncio.Lock()
        self.bound_now = False

    async def confirm(self) -> None:
        """See that what is acknowledged now may be kept in the state; bind it if it is not yet.

        Raises:
            WrongOrganization: It holds what another organization acknowledged, or is given up.
            DynamicsError: Which organization it is is not answered.
            StoreUnavailable: The state does not answer.
        """
        async with self._reading:
            if self._clock.monotonic() < self._good_until:
                return
            self._good_until = float("-inf")
            now = self._clock.monotonic()
            while not await self._bind():
                pass
            self._good_until = now + GOOD_FOR_S

    async def check(self) -> str:
        """The same without binding it, and however lately it was read; the organization's id.

        Raises:
            WrongOrganization: See ``confirm``, as for the others.
        """
        found = await self._ask()
        self._refuse(read(await self._memory.recall(NAME)), found)
        return found

    async def _bind(self) -> bool:
        found = await self._ask()
        text = await self._memory.recall(NAME)
        bound = read(text)
        self._refuse(bound, found)
        if bound.organization:
            return True
        if not await self._memory.replace(NAME, text, written(Bound(found, self._address))):
            return False  # another worker was faster
        self.bound_now = True
        _log.warning("state.bound", organization=found, address=self._address)
        return True

    def _refuse(self, bound: Bound, found: str) -> None:
        if bound.giving_up is not None:
            raise WrongOrganization(
                f"nothing is done: what {bound} acknowledged is being given up; if no"
                " `connect-dynamics state rebind` is running, run it again to complete it"
            )
        if bound.organization not in ("", found):
            raise WrongOrganization(
                f"nothing is done: the state holds what {bound} acknowledged, and"
                f" {self._address} is organization {found}; use the state with its own"
                " environment, or this environment with a state of its own, or give up what was"
                " acknowledged, also if one is a copy of the other: `connect-dynamics state rebind`"
            )


def read(text: str | None) -> Bound:
    """The binding that a state keeps as this text; None: nothing.

    Raises:
        WrongOrganization: It cannot be read: a newer release wrote it, or it is damaged.
    """
    if text is None:
        return Bound()
    try:
        document: dict[str, Any] = orjson.loads(text)
        if document["form"] == FORM:
            return Bound(document["organization"], document["address"], document["giving_up"])
    except (ValueError, TypeError, KeyError):
        pass
    raise WrongOrganization(
        "nothing is done: to which organization the state is bound cannot be read; a newer"
        " release wrote it, or it is damaged"
    )


def written(bound: Bound) -> str:
    """The text that a state keeps."""
    return orjson.dumps({"form": FORM, **asdict(bound)}).decode()
