"""How a call to Connect can fail, by what the caller can do about it.

ConnectError
├── Busy             throttled, unavailable, no answer, or no quota in time: may work later
├── ConnectRefused   final for this call: no such contact, no permission, invalid
└── ScreenPopError   see ``worker.amazon_connect.protocol``

No record in Dynamics depends on it: the contact record brings the same data later.
"""

from __future__ import annotations

from worker.errors import WorkerError


class ConnectError(WorkerError):
    """Base of the failures of a call to Connect."""


class Busy(ConnectError):
    """It failed for now; whether Connect carried it out is unknown."""


class ConnectRefused(ConnectError):
    """Repeating the same call is useless."""
