"""Freshness: since when facts wait that were tried and are not in Dynamics yet.

A contact that fails comes due again later, so its due time does not say how old what it lacks is;
``Contact.owed_since`` does. This remembers it for the contacts that one application user tried.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final


#: Contacts remembered at most: the first that failed, which are the ones that wait longest.
MOST: Final = 10_000

#: So long (s) after a contact came due again and was not taken here, another worker has it.
LAPSE_S: Final = 60.0


@dataclass(slots=True)
class Freshness:
    """The contacts that one application user could not finish."""

    _behind: dict[str, tuple[float, float]] = field(default_factory=dict)

    def tried(self, contact_id: str, owed_since: float | None, again_at: float | None) -> None:
        """A contact was tried.

        Args:
            contact_id: The contact.
            owed_since: When (s since 1970) it came due with what is still lacking; None: nothing
                is.
            again_at: When it is tried next; None: not by itself.
        """
        if owed_since is None or again_at is None:
            self._behind.pop(contact_id, None)
        elif contact_id in self._behind or len(self._behind) < MOST:
            self._behind[contact_id] = (owed_since, again_at)

    def oldest(self, now: float) -> float | None:
        """Since when (s since 1970) the longest of them waits; None: none does."""
        lapsed = [one for one, (_, at) in self._behind.items() if at + LAPSE_S < now]
        for contact_id in lapsed:
            del self._behind[contact_id]
        return min((since for since, _ in self._behind.values()), default=None)
