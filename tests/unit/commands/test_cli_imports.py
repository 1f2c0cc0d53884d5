"""What the command line imports before it knows the command, and what it imports for ``run``."""

from __future__ import annotations

import subprocess
import sys


#: Libraries that take long to import and that only some commands need.
HEAVY = (
    "aiobotocore",
    "aiohttp",
    "asyncio",
    "botocore",
    "httpx",
    "liquid",
    "moto",
    "msal",
    "orjson",
    "pipelines",
    "prometheus_client",
    "pydantic",
    "rich",
    "structlog",
    "worker.sandbox",
)


def imported(code: str, *names: str) -> list[str]:
    """Which of these modules an interpreter of its own has after the code."""
    code = f"import sys\n{code}\nprint(*[name for name in {names} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_the_help_is_there_before_the_libraries_that_only_some_commands_need() -> None:
    assert imported("import worker.cli", *HEAVY) == []


def test_a_running_worker_has_nothing_of_libraries_that_draw_tables_or_sign() -> None:
    code = """
import asyncio
from worker import cli
asyncio.run = lambda serving: serving.close()
cli.run()
"""
    told = imported(code, "click", "greenlet", "jwt", "rich", "rich.console", "worker.wiring")
    assert told == ["worker.wiring"]


def test_what_a_running_worker_does_without_is_there_for_others() -> None:
    code = "from worker.cli import unseen\nwith unseen('rich'):\n    pass\nimport rich"
    assert imported(code, "rich") == ["rich"]
