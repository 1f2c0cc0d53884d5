"""What ``--dry-run`` uses instead of Dynamics: accepts everything, keeps nothing."""

from __future__ import annotations

from worker.dynamics.protocol import Answer, Request


class DryRun:
    """Answers every write with success and every lookup with no match."""

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Accept the request."""
        del timeout_s
        return Answer(200, {}, {"value": []} if request.method == "GET" else {})

    async def user_id(self) -> str:
        """No user: nothing is ever read back."""
        return ""
