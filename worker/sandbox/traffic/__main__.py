"""Write a day of invented traffic: one gzipped archive per stream."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from worker.sandbox.traffic import EVENTS, RECORDINGS, RECORDS, day, write_archive


def main() -> None:
    """Parse the command line and write.

    The day is generated once per stream: cheaper than holding it, and the same each time.
    """
    parser = ArgumentParser(prog="python -m worker.sandbox.traffic", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contacts", type=int, default=100)
    parser.add_argument("--out", type=Path, required=True, help="folder for the archives")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for stream in (EVENTS, RECORDS, RECORDINGS):
        sent = (m for m in day(options.seed, options.contacts) if m.stream == stream)
        write_archive(options.out / f"{stream}.ndjson.gz", sent)


if __name__ == "__main__":
    main()
