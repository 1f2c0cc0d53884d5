"""Read only: Dynamics for those who must not write, and who wait rather than tell a half truth."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from worker.clock import Clock
from worker.dynamics.client import describe
from worker.dynamics.errors import Busy, Forbidden, Missing
from worker.dynamics.gate import Gate
from worker.dynamics.protocol import Answer, Dynamics, Request
from worker.dynamics.reasons import ROUTINE, GateClosed
from worker.dynamics.refusal import NO_SUCH_SET
from worker.errors import ConfigError


#: How long (s) one request waits while Dynamics throttles: its limits are of five minutes.
PATIENCE_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Sends what reads (``worker.dynamics.protocol.Dynamics``), and nothing else.

    Attributes:
        inner: Where requests go.
        gate: What they pass there.
        probe: One request past it, to find out whether it can open again.
        clock: Time.
    """

    inner: Dynamics
    gate: Gate
    probe: Callable[[], Awaitable[object]]
    clock: Clock

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Send; while Dynamics throttles, wait and send again.

        Raises:
            ConfigError: The application user may not read the table, or there is none.
            DynamicsError: Dynamics does not answer.
            ValueError: The request writes: our bug.
        """
        if request.method != "GET":
            raise ValueError(f"{describe(request)} is not for reading")
        deadline = self.clock.monotonic() + PATIENCE_S
        while True:
            try:
                return await self.inner.send(request, timeout_s=timeout_s)
            except Forbidden as error:
                raise ConfigError(_may_not(request, error)) from None
            except Missing as error:
                if error.code in NO_SUCH_SET:
                    raise ConfigError(_no_table(request, error)) from None
                raise
            except (Busy, GateClosed):
                if self.clock.monotonic() > deadline or not self._passes:
                    raise
            await self.gate.breaker.reopen(self.probe)

    async def user_id(self) -> str:
        """Our application user's systemuserid in lower case."""
        return await self.inner.user_id()

    @property
    def _passes(self) -> bool:
        """Whether what is the matter passes by itself."""
        return self.gate.breaker.reason in ROUTINE


def _may_not(request: Request, error: Forbidden) -> str:
    table = describe(request).partition(" ")[2]
    return (
        f"the application user may not read {table} (403 {error.code}): give its security role the"
        f" privilege to read that table in the whole organization. Nothing was verified"
    )


def _no_table(request: Request, error: Missing) -> str:
    table = describe(request).partition(" ")[2]
    return (
        f"there is no table with the entity set {table} (404 {error.code}): is --dynamics the"
        " environment that the pipelines are for? Nothing was verified"
    )
