"""What it takes to start: the help's processor time, the first record, memory of a quiet worker.

The worker is the real one: two streams shared by leases, the queue, its state in DynamoDB, its
secret in Secrets Manager, and Connect. Kinesis is kinesis-mock, the rest of AWS moto, Dynamics the
sandbox. ``--before PATH`` measures another checkout's command in turns with ours, in the same rig.
Figures are aims: to miss one is no failure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any, Final

import httpx

from rich.console import Console
from rich.table import Table

from fleet.services import free_port, kinesis_mock
from worker import aws
from worker.sandbox.amazon.moto_server import CREDENTIALS, Cloud, embedded_aws
from worker.sandbox.children import child
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import CLIENT_SECRET, create_dataverse
from worker.sandbox.demo.stage import COMMAND
from worker.sandbox.server import serve
from worker.sandbox.traffic import EVENTS, RECORDS, history
from worker.telemetry import logs


STREAMS: Final = (EVENTS, RECORDS)
SHARDS: Final = 2
TIMES: Final = 5

#: How long the worker is left alone before its memory is read (s): it has then asked for a token.
QUIET_S: Final = 5.0
LOOK_S: Final = 0.01
#: On any single wait.
LIMIT_S: Final = 120.0

AIMED_HELP_CPU_S: Final = 0.15
AIMED_RECORD_S: Final = 1.5
AIMED_QUIET_MB: Final = 100.0

TITLE: Final = f"start and memory, medians of {TIMES}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it; seconds from starting the process, by the wall unless it says otherwise.

    Attributes:
        help_cpu_s: Processor time of ``connect-dynamics --help``.
        listening_s: Until ``/metrics`` can be connected to.
        record_s: Until the first record, which waits in a stream shared by leases, is handled.
        record_cpu_s: Processor time of the worker by then.
        quiet_mb: Resident megabytes of the worker once it has read all and nothing arrives.
    """

    help_cpu_s: float
    listening_s: float
    record_s: float
    record_cpu_s: float
    quiet_mb: float


def help_cpu_s(command: Path) -> float:
    """The processor time (s) of the help; the median of some."""
    return median(_cpu_s([str(command), "--help"]) for _ in range(TIMES))


def _cpu_s(command: list[str]) -> float:
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    process = os.posix_spawn(command[0], command, {"PATH": os.environ["PATH"]}, file_actions=quiet)
    _, status, used = os.wait4(process, 0)
    if status:
        raise ChildProcessError(f"{' '.join(command)} failed")
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the worker runs.

    Attributes:
        cloud: All of AWS but Kinesis.
        kinesis: A client of it.
        environment: What leads the worker there.
        port: Where it is to serve its figures.
    """

    cloud: Cloud
    kinesis: Any
    environment: dict[str, str]
    port: int


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """Kinesis, the rest of AWS and Dynamics on this machine."""
    ca, port = folder / "ca.pem", free_port()
    dataverse = create_dataverse()
    try:
        async with (
            kinesis_mock() as kinesis_url,
            embedded_aws() as cloud,
            aws.client("kinesis", endpoint_url=kinesis_url, whole=True) as kinesis,
            serve(dataverse, ca_path=ca) as url,
        ):
            moto = cloud.environment["AWS_ENDPOINT_URL"]
            environment = {
                "PATH": os.environ["PATH"],
                **cloud.environment,
                **settings(url, ca),
                "AWS_ENDPOINT_URL_KINESIS": kinesis_url,
                "CONNECT_DYNAMICS_METRICS": f"127.0.0.1:{port}",
                "CONNECT_DYNAMICS_SECRET": await _secret(moto),
            }
            yield Ground(cloud, kinesis, environment, port)
    finally:
        dataverse.close()


async def _secret(moto: str) -> str:
    """The ARN of the application's secret in Secrets Manager."""
    async with aws.secrets(endpoint_url=moto, whole=True) as secrets:
        made = await secrets.create_secret(Name="application", SecretString=CLIENT_SECRET)
    return str(made["ARN"])


@asynccontextmanager
async def fresh(ground: Ground, command: Path, name: str) -> AsyncIterator[dict[str, str]]:
    """Empty streams and tables of this name; the environment of a worker that uses them."""
    tables = [f"{name}-state", "--leases", f"{name}-events", "--leases", f"{name}-records"]
    environment = {
        **ground.environment,
        "CONNECT_DYNAMICS_STATE": f"dynamodb:{name}-state",
        "CONNECT_DYNAMICS_CONTACT_EVENTS": f"{name}-events",
        "CONNECT_DYNAMICS_CONTACT_EVENTS_LEASES": f"{name}-events",
        "CONNECT_DYNAMICS_CONTACT_RECORDS": f"{name}-records",
        "CONNECT_DYNAMICS_CONTACT_RECORDS_LEASES": f"{name}-records",
    }
    for stream in (f"{name}-events", f"{name}-records"):
        await ground.kinesis.create_stream(StreamName=stream, ShardCount=SHARDS)
        waiter = ground.kinesis.get_waiter("stream_exists")
        await waiter.wait(StreamName=stream, WaiterConfig={"Delay": 1})
    async with child([str(command), "tables", "create", *tables], environment) as creating:
        await creating.wait()
    yield environment


async def started(ground: Ground, command: Path, name: str) -> tuple[float, float, float, float]:
    """Start a worker that has one record to read; see the last four of ``Measured``."""
    call = history("voice_inbound", Random(1))
    async with fresh(ground, command, name) as environment:
        await ground.kinesis.put_record(
            StreamName=f"{name}-events", Data=call.sent[0].body, PartitionKey="one"
        )
        begun = perf_counter()
        async with (
            child([str(command), "run"], environment, stderr=asyncio.subprocess.DEVNULL) as worker,
            httpx.AsyncClient() as client,
        ):
            await _until(lambda: _listens(ground.port))
            listening_s = perf_counter() - begun
            await _until(lambda: _has_read(client, ground.port))
            record_s, cpu_s = perf_counter() - begun, cpu_of(worker.pid)
            await asyncio.sleep(QUIET_S)
            return listening_s, record_s, cpu_s, resident_mb(worker.pid)


async def _until(told: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not await told():  # noqa: ASYNC110 - another process gives no sign
            await asyncio.sleep(LOOK_S)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _has_read(client: httpx.AsyncClient, port: int) -> bool:
    answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    _, _, told = answer.text.partition("\nconnect_dynamics_messages_total ")
    return float(told.partition("\n")[0] or 0) > 0


def cpu_of(pid: int) -> float:
    """The processor time (s) that a process has used (proc(5), the 14th and 15th fields)."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """The resident memory of a process (MB)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    kibibytes = int(status.partition("VmRSS:")[2].split()[0])
    return kibibytes * 1024 / 1e6


async def measure(folder: Path, *commands: Path, times: int = TIMES) -> list[Measured]:
    """Measure these commands in turns; medians for each."""
    found: list[list[tuple[float, ...]]] = [[] for _ in commands]
    async with ground(folder) as there:
        for turn in range(times):
            for number, command in enumerate(commands):
                one = await started(there, command, f"startup-{number}-{turn}")
                found[number].append((await asyncio.to_thread(help_cpu_s, command), *one))
    return [Measured(*map(median, zip(*those, strict=True))) for those in found]


def report(ours: Measured, before: Measured | None = None) -> Table:
    """The figures, beside those of before if there are any."""
    table = Table("figure", "now", "before", "now / before", "aim", "", title=TITLE)

    def row(name: str, form: str, now: float, then: float | None, aim: float = inf) -> None:
        other = (form.format(then), f"{now / then:.2f}") if then else ("", "")
        aimed = (f"<= {form.format(aim)}", "met" if now <= aim else "missed") if aim < inf else ()
        table.add_row(name, form.format(now), *other, *aimed)

    def then(name: str) -> float | None:
        return getattr(before, name) if before else None

    row("--help, CPU", "{:.2f} s", ours.help_cpu_s, then("help_cpu_s"), AIMED_HELP_CPU_S)
    row("start to listening", "{:.2f} s", ours.listening_s, then("listening_s"))
    row(
        "start to first record, leases", "{:.2f} s", ours.record_s, then("record_s"), AIMED_RECORD_S
    )
    row("processor time of that", "{:.2f} s", ours.record_cpu_s, then("record_cpu_s"))
    row("resident, quiet", "{:.0f} MB", ours.quiet_mb, then("quiet_mb"), AIMED_QUIET_MB)
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="connect-dynamics of another checkout")
    parser.add_argument("--times", type=int, default=TIMES)
    options = parser.parse_args()
    os.environ.update(CREDENTIALS)
    logs.configure("error")
    commands = [COMMAND, *([options.before] if options.before else [])]
    with tempfile.TemporaryDirectory(prefix="connect-dynamics-bench-") as folder:
        found = asyncio.run(measure(Path(folder), *commands, times=options.times))
    Console().print(report(*found))


if __name__ == "__main__":
    main()
