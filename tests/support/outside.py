"""What drivers of other people's clients share: operations by name, and what each one saw.

A driver is a program (``tests/integration/clients/drivers``): it is told where the sandbox is,
carries out its client's documented operations one after the other, each on rows of its own, and
prints one line of JSON for each: ``{"operation": …, "seen": …}``. ``seen`` is ``right``, or what
the client was told (``refused …``), or what it got instead (``wrong …``, ``broken …``).
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import time
import uuid

from collections.abc import Awaitable, Callable
from typing import Any, Final


RIGHT: Final = "right"

#: Characters of an answer that are worth keeping.
KEPT: Final = 300

Work = Callable[[], Awaitable[None] | None]


class Ground:
    """Where a driver works, as its environment says.

    Attributes:
        url: The sandbox's address, without a path.
        api: The same with the Web API's path, ending in a slash.
        token: A token that it takes.
        account: Id of an account with a number, a primary contact and three contacts.
        contacts: Ids of these, in the order of their names.
        user: Id of the application user, and ``colleague`` that of another user.
    """

    def __init__(self) -> None:
        told: dict[str, Any] = json.loads(os.environ["OUTSIDE_GROUND"])
        self.url: str = told["url"]
        self.api = f"{self.url}/api/data/v9.2/"
        self.token: str = told["token"]
        self.account: str = told["account"]
        self.contacts: list[str] = told["contacts"]
        self.user: str = told["user"]
        self.colleague: str = told["colleague"]
        self.colleague_object: str = told["colleague_object"]


class Operations:
    """A client's operations, in the order in which they are written down.

    Args:
        refusal: What an exception of the client says of an answer, as ``status code``; "" if it
            is no answer.
    """

    def __init__(self, refusal: Callable[[Exception], str]) -> None:
        self._refusal = refusal
        self._all: dict[str, Work] = {}

    def __call__(self, name: str) -> Callable[[Work], Work]:
        """Mark a function as the operation of that name."""
        assert name not in self._all, name

        def mark(work: Work) -> Work:
            self._all[name] = work
            return work

        return mark

    def run(self) -> None:
        """Carry out all of them, or those that are named on the command line."""
        for name, work in self._all.items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            began = time.perf_counter()
            seen = self._seen(work)
            took = round(time.perf_counter() - began, 3)
            print(json.dumps({"operation": name, "seen": seen[:KEPT], "took_s": took}), flush=True)

    def _seen(self, work: Work) -> str:
        try:
            done = work()
            if inspect.isawaitable(done):
                asyncio.run(_awaited(done))
        except AssertionError as error:
            return f"wrong: {error}"
        except Exception as error:  # noqa: BLE001 - whatever a client does, the others go on
            told = self._refusal(error)
            if told:
                return f"refused {told}: {error}"
            return f"broken: {type(error).__name__}: {error}"
        return RIGHT


async def _awaited(work: Awaitable[None]) -> None:
    async with asyncio.timeout(30):
        await work


def new_id() -> str:
    """An id of a row that is not there yet."""
    return str(uuid.uuid4())


def same(got: Any, wanted: Any) -> None:
    """Raise AssertionError unless both are equal."""
    assert got == wanted, f"{got!r} instead of {wanted!r}"
