"""``python -m torture --minutes 10``: sets fire to real workers; 1 if anything went wrong."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile

from functools import partial
from pathlib import Path
from typing import Any

from torture.outcome import Outcome, page
from torture.run import torture
from worker.errors import ConfigError
from worker.signals import stopping_on_signals


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long it burns")
    parser.add_argument("--seed", type=int, default=1, help="decides what goes wrong when")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    try:
        outcome = asyncio.run(_run(folder, arguments.seed, 60 * arguments.minutes))
    except (ConfigError, asyncio.CancelledError) as error:
        shutil.rmtree(folder)
        print(str(error) or "stopped", file=sys.stderr)
        return 1
    except BaseException:
        print(f"the workers' logs: {folder}", file=sys.stderr)
        raise
    print(page(outcome))
    if outcome.good:
        shutil.rmtree(folder)
    else:
        print(f"the workers' logs: {folder}")
    return 0 if outcome.good else 1


async def _run(folder: Path, seed: int, fire_s: float) -> Outcome:
    """Run; SIGTERM and Ctrl-C end it with all it has started."""
    running = asyncio.current_task()
    assert running is not None
    with stopping_on_signals(partial(_cancel, running)):
        return await torture(folder, seed=seed, fire_s=fire_s)


def _cancel(running: asyncio.Task[Any]) -> None:
    running.cancel()


if __name__ == "__main__":
    sys.exit(main())
