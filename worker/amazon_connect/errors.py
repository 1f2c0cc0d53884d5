"""What asking or telling Connect can end in, by what the caller can do about it.

ConnectError
├── Busy           throttled, unavailable, no answer, or no turn soon enough: later it may work
├── Refused        definitive for this call: no such contact, no permission, not taken
└── DesktopError   see ``worker.amazon_connect.protocol``

Nothing that Dynamics should get depends on it: the contact record tells the same later.
"""

from __future__ import annotations

from worker.errors import WorkerError


class ConnectError(WorkerError):
    """Base of what a call to Connect can end in, beside success."""


class Busy(ConnectError):
    """Not now; nothing is known of the outcome."""


class ConnectRefused(ConnectError):
    """Another try of the same call is useless."""
