"""The workers of a run: they come, go, and are done things to."""

from __future__ import annotations

from functools import partial
from typing import Final

from simulated.loop import Process
from simulated.worker import Host, Services, Worker


#: How long a worker may take to end before another build starts in its stead (s).
UPGRADE_S: Final = 30.0


class Fleet:
    """Starts, stops and ends workers.

    Args:
        services: What they use.
        hosts: Where they run, one each.

    Attributes:
        hosts: The same.
        processes: Every process there ever was.
    """

    def __init__(self, services: Services, hosts: list[Host]) -> None:
        self.hosts = hosts
        self.processes: list[Process] = []
        self._services = services
        self._workers: dict[Host, Worker] = {}
        self._started = 0
        for number, host in enumerate(hosts):
            self._start(f"worker-{number}", host)

    def _start(self, name: str, host: Host) -> None:
        worker = self._workers[host] = Worker(self._services, name, host)
        self.processes.append(worker.process)
        self._services.story.tell(name, "starts")

    def running(self) -> list[Worker]:
        """The workers that are neither gone, going nor stopped."""
        return [
            worker
            for worker in self._workers.values()
            if not worker.process.stopped and not worker.stop.is_set()
        ]

    def kill(self, worker: Worker) -> None:
        """SIGKILL."""
        self._services.story.tell(worker.name, "is killed")
        self._services.loop.kill_process(worker.process)

    def terminate(self, worker: Worker) -> None:
        """SIGTERM."""
        self._services.story.tell(worker.name, "is told to end")
        worker.stop.set()

    def restart(self, worker: Worker) -> None:
        """Have another process in its stead; if it has not ended by now, it is made to."""
        if self._workers[worker.host] is not worker:
            return
        if not worker.done and not worker.process.dead:
            self.kill(worker)
        # With its own id again it goes on with its leases at once, else it waits for them.
        self._started += 1
        again = self._services.rng.random() < 0.5
        name = worker.name if again else f"{worker.name.partition('.')[0]}.{self._started}"
        self._start(name, worker.host)

    def pause(self, worker: Worker) -> None:
        """SIGSTOP."""
        self._services.story.tell(worker.name, "is stopped")
        self._services.loop.stop_process(worker.process)

    def wake(self, worker: Worker) -> None:
        """SIGCONT."""
        if worker.process.stopped and not worker.process.dead:
            self._services.story.tell(worker.name, "goes on")
            self._services.loop.wake_process(worker.process)

    def upgrade(self, build: str) -> None:
        """Have another build on every machine."""
        self._services.build = build
        for worker in list(self._workers.values()):
            worker.stop.set()
            self._services.loop.outside(UPGRADE_S, partial(self.restart, worker))

    def mend(self) -> None:
        """Wake what is stopped, start what is gone."""
        for worker in list(self._workers.values()):
            self.wake(worker)
            if worker.process.dead or worker.stop.is_set():
                self.restart(worker)
