"""``python -m simulated --seeds 300``: tries seeds; ``--seed 42``: tells one seed's story."""

from __future__ import annotations

import argparse
import os
import sys
import time

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from simulated.world import Outcome, simulate


#: Seeds handed to a process at a time.
CHUNK = 10


def main() -> int:
    """Run what the arguments ask for; 1 if an invariant was breached."""
    parser = argparse.ArgumentParser(prog="simulated", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to try")
    parser.add_argument("--seed", type=int, help="tell the story of this one")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return _tell(simulate(arguments.seed))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return _count(pool.map(simulate, range(arguments.seeds), chunksize=CHUNK))


def _tell(outcome: Outcome) -> int:
    print(outcome.story)
    print(f"seed {outcome.seed}: {'; '.join(outcome.breaches) or 'all invariants hold'}")
    return 1 if outcome.breaches else 0


def _count(outcomes: Iterable[Outcome]) -> int:
    begun, virtual_s, failed, number = time.monotonic(), 0.0, 0, 0
    for number, outcome in enumerate(outcomes, 1):
        virtual_s += outcome.virtual_s
        if outcome.breaches:
            failed += 1
            _tell(outcome)
        if sys.stderr.isatty():
            print(f"\r{number} seeds", end="", file=sys.stderr)
    minutes = (time.monotonic() - begun) / 60
    print(
        f"\r{number} seeds, {failed} failed: {number / minutes:.0f} seeds a minute, "
        f"{virtual_s / 3600:.1f} simulated hours in {60 * minutes:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
