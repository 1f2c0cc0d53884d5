"""Several organizations of Dynamics, and workers that are pointed at one of them."""

from __future__ import annotations

from twins.rig import Rig, SlowDynamics
from worker.dynamics.binding import Binding
from worker.dynamics.errors import DynamicsError
from worker.dynamics.gate import make_gate
from worker.engine.push import Push


class Organization:
    """An organization that a worker is pointed at.

    Attributes:
        trouble: Why it does not say which one it is.
        successor: The organization that answers at its address by now; None: it does itself.
    """

    def __init__(self) -> None:
        self.dynamics = SlowDynamics()
        self.trouble: DynamicsError | None = None
        self.successor: Organization | None = None

    async def id(self) -> str:
        if self.trouble:
            raise self.trouble
        answers = self.successor or self
        return await answers.dynamics.organization_id()

    def worker(self, rig: Rig) -> Push:
        """A worker that has just started."""
        rig.dynamics, rig.gate = self.dynamics, make_gate(rig.clock)
        binding = Binding(self.id, "https://org.test", rig.store, rig.clock)
        return Push(rig.another().transactions, rig.probe, binding=binding)
