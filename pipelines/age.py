"""Age: whether a contact was long over when it was first heard of.

Its records may then be in Dynamics, or may have been there and a person deleted them, although the
ledger knows of none: the state had expired. Derived from facts alone, each time a contact is
planned: no clock of ours, no ledger and no later plan changes it, and later facts correct a wrong
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pipelines.contact import Contact
from pipelines.lifecycle import PROOFS


#: An ended contact is kept this long after its end (s), for late records and recordings.
KEPT_S: Final = 30 * 86_400.0

#: Signals of a contact's course; the others come after its end, some of them much later.
_COURSE: Final = frozenset(PROOFS) - {"any other event", "COMPLETED", "contact record"}


def long_over(contact: Contact, proven: Mapping[str, str], ended: str) -> bool:
    """Whether it had ended longer ago than contacts are kept when its first fact arrived.

    Not so of one that was replayed on purpose, nor if any of its facts did not say when it
    arrived. The latest moment of its course counts: an event dated 1971 makes no call old.

    Args:
        contact: The contact.
        proven: Its signals.
        ended: When it ended (see ``milestones``); "": it has not, or it is not known when.
    """
    if contact.replayed or contact.arrived is None or not ended:
        return False
    earliest = contact.arrived - KEPT_S
    if _epoch(ended) >= earliest:
        return False
    course = (proven[signal] for signal in proven.keys() & _COURSE)
    return all(_epoch(second) < earliest for second in course if second)


def _epoch(second: str) -> float:
    return datetime.fromisoformat(second).timestamp()
