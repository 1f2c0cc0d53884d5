"""Mails: their subjects, and how the addresses of the people who write them are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32


if TYPE_CHECKING:
    from worker.sandbox.traffic.leg import Leg


#: Who else reads what some customers write, as they write it.
COLLEAGUE: Final = ("Purchasing, Acme", "purchasing@example.com")


def subject(leg: Leg) -> str | None:
    """What a mail is about; some say nothing."""
    return f"About my {leg.attributes['CallReason']}" if _draw(leg, 4) else None


def address(leg: Leg) -> str:
    """The customer's address; some programs write the name before it, and large letters."""
    who = leg.customer
    return f"{who.name} <{who.email.title()}>" if named(leg) else who.email


def named(leg: Leg) -> bool:
    """Whether the customer's name stands before the address."""
    return _draw(leg, 3) != 0


def copied(leg: Leg) -> bool:
    """Whether ``COLLEAGUE`` gets a copy."""
    return _draw(leg, 5) == 0


def _draw(leg: Leg, sides: int) -> int:
    return crc32(f"{sides} {leg.id}".encode()) % sides
