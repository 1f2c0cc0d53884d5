"""Customers to play with: ones that Dynamics knows once, does not know, or knows twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.sandbox.oracle.customers import rows
from worker.sandbox.traffic import people


if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from worker.sandbox.traffic.people import Customer


def caller(rng: Random, contacts: int) -> Customer:
    """Somebody invented, whose number so many contacts of Dynamics have: 0, 1 or 2."""
    while len(rows(who := people.customer(rng))) != contacts:
        pass
    return who


def known(rng: Random) -> Customer:
    """Somebody whom Dynamics knows."""
    return caller(rng, 1)


def unknown(rng: Random) -> Customer:
    """Somebody whom Dynamics does not know."""
    return caller(rng, 0)


def shared(rng: Random) -> Customer:
    """Somebody who shares the telephone with another customer."""
    return caller(rng, 2)


#: Kinds of customers, as the switchboard names them.
CALLERS: Final[dict[str, Callable[[Random], Customer]]] = {
    "A known customer": known,
    "An unknown number": unknown,
    "Two customers who share a number": shared,
}
