"""What a flow cannot have."""

from __future__ import annotations

from worker.errors import WorkerError


class Declined(WorkerError):
    """The flow asks for something that is not done; the message is for its author."""
