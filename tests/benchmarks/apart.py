"""Runs a benchmark on a checkout, this one or another, with that checkout's code and packages.

The benchmark is this checkout's, in a process of that one's Python; it may import nothing but
``pipelines``, ``worker`` and packages.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import orjson


#: Name of a module -> its measurement, given a folder for files that several runs share.
WORK: Final[Mapping[str, Callable[[ModuleType, Path], Any]]] = {
    "ingest": lambda module, folder: module.measure(folder),
    "rounds": lambda module, _: module.measure(1),
}


def in_turns(name: str, checkouts: Sequence[Path], turns: int) -> list[list[Any]]:
    """What each checkout's turns came to, as JSON."""
    found: list[list[Any]] = [[] for _ in checkouts]
    with tempfile.TemporaryDirectory(prefix="apart-") as folder:
        for _ in range(turns):
            for checkout, its in zip(checkouts, found, strict=True):
                command = [str(checkout / ".venv/bin/python"), "-E", __file__, name, folder]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
                its.append(orjson.loads(done.stdout.rpartition(b"\n")[2]))
                for state in Path(folder).glob("*.sqlite*"):
                    state.unlink()
    return found


def main() -> None:
    """Measure here; the last line on standard output is what came of it."""
    name, folder = sys.argv[1:]
    found = WORK[name](importlib.import_module(name), Path(folder))
    sys.stdout.buffer.write(b"\n" + orjson.dumps(found))


if __name__ == "__main__":
    main()
