"""Child processes that end with the block that started them."""

from __future__ import annotations

import asyncio

from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import IO, Final


#: From SIGTERM to SIGKILL (s); longer than the worker takes to drain.
END_LIMIT_S: Final = 40.0


@asynccontextmanager
async def child(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int | None = asyncio.subprocess.DEVNULL,
    stdout: int | None = asyncio.subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = None,
) -> AsyncIterator[Process]:
    """Run a command while the block runs; a terminal's Ctrl-C does not reach it by itself."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await end(process)


async def end(process: Process) -> int:
    """Ask a process to end, make it if it does not; its exit status."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(END_LIMIT_S):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()
    finally:
        if process.returncode is None:  # we are being cancelled ourselves
            process.kill()
