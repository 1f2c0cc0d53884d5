"""``python -m aging.watched FILE run``: ``connect-dynamics run`` that writes into FILE when asked.

SIGUSR1 has it write what nobody sees from outside: its asyncio tasks and what Python's collector
tracks. Nothing else differs from the installed command.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

from collections import Counter
from pathlib import Path
from typing import Any, Final

import orjson


#: Types that are told of: those with the most objects.
TYPES: Final = 25


def told(number: int) -> dict[str, Any]:
    """What is in this process now; called while its loop runs."""
    names = Counter(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())
    types = Counter(type(one).__qualname__ for one in gc.get_objects())
    return {
        "number": number,
        "tasks": names.total(),
        "names": dict(names),
        "objects": types.total(),
        "types": dict(types.most_common(TYPES)),
    }


def tell_when_asked(path: Path) -> None:
    """Write ``told`` into a file at each SIGUSR1; its number says how many there were."""
    number = 0

    def tell(*_: object) -> None:
        nonlocal number
        number += 1
        fresh = path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(told(number)))
        fresh.rename(path)

    signal.signal(signal.SIGUSR1, tell)


if __name__ == "__main__":
    from worker.cli import main

    tell_when_asked(Path(sys.argv.pop(1)))
    sys.argv[0] = "connect-dynamics"
    main()
