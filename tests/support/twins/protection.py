"""Dynamics that takes its time and protects itself, as the client and its gate see it."""

from __future__ import annotations

import asyncio

from dataclasses import dataclass, field

from twins.loop import now
from twins.rig import Gated
from worker.dynamics.client import subject_of
from worker.dynamics.errors import Throttled
from worker.dynamics.protocol import Answer, Request
from worker.sandbox.dataverse.limits import Limits, Throttle
from worker.sandbox.dataverse.odata.refusals import Refusal


USER = "the application user"


@dataclass
class Protected(Gated):
    """Behind a worker's gate, with a round trip and Dataverse's service protection.

    Attributes:
        latency_s: How long each request takes.
        limits: What may be sent.
        refused: How many requests were answered 429.
    """

    latency_s: float = 0.05
    limits: Limits = field(default_factory=Limits)
    refused: int = 0

    def __post_init__(self) -> None:
        self._ago_s = 0.0
        self._throttle = Throttle(self.limits, lambda: now() - self._ago_s)

    def spend(self, requests: int) -> None:
        """So many requests were made, evenly, in the window before this moment."""
        server = self._throttle.server(None)
        for number in range(requests):
            self._ago_s = self.limits.window_s * (1 - number / requests)
            with self._throttle.running(USER, server):
                pass
        self._ago_s = 0.0
        self.gate.slots.budget.observe(dict(self._throttle.headers(USER, server)))

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        writes, subject = request.method != "GET", subject_of(request)
        async with self.gate.slot(writes=writes, subject=subject):
            server = self._throttle.server(None)
            try:
                with self._throttle.running(USER, server):
                    self.sent_at.append((now(), request))
                    await asyncio.sleep(self.latency_s)
                    answer = await self.dynamics.send(request, timeout_s=timeout_s)
            except Refusal as refusal:
                self.refused += 1
                wait_s = float(dict(refusal.headers)["retry-after"])
                raise Throttled("429", retry_after_s=wait_s) from None
            self.gate.slots.budget.observe(dict(self._throttle.headers(USER, server)))
            return answer
