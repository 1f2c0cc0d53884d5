"""What the container image holds is enough: no other package is imported.

The image installs ``infra/locks/worker.txt``. Here every other installed package is blocked, in a
process of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

from importlib.metadata import packages_distributions
from pathlib import Path

import pytest


LOCK = Path(__file__).parents[3] / "infra" / "locks" / "worker.txt"

#: What the sandbox's servers need.
SERVERS = {"starlette", "uvicorn", "trustme", "moto"}

#: Makes imports of these modules fail as they do where they are not installed.
BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
"""

IMPORT_ALL = """
import importlib, pkgutil
import worker.cli, worker.commands, worker.flow.handler, worker.wiring
for found in pkgutil.iter_modules(worker.commands.__path__, "worker.commands."):
    importlib.import_module(found.name)
"""

RUN = """
from worker.cli import main
main()
"""


def blocked() -> set[str]:
    """The modules of installed packages that the image does not have."""
    locked = set(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==", LOCK.read_text(), re.MULTILINE))
    there = {*map(canonical, locked), "connect-dynamics"}
    return {
        module
        for module, owners in packages_distributions().items()
        if there.isdisjoint(map(canonical, owners))
    }


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def block() -> str:
    modules = blocked()
    assert modules >= SERVERS
    assert not modules & {"worker", "pipelines", "httpx", "orjson", "typer"}
    return f"blocked = {modules!r}\n{BLOCK}"


def python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_commands_wiring_and_flow_import_nothing_that_the_image_lacks(block: str) -> None:
    ended = python(block + IMPORT_ALL)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("target", [(), ("--dynamics", "sandbox:kept.db"), ("--dry-run",)])
def test_a_replay_without_an_environment_needs_nothing_that_the_image_lacks(
    block: str, day: Path, target: tuple[str, ...]
) -> None:
    ended = python(block + RUN, "replay", "--dynamics", "sandbox", day, "--report", "json", *target)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["contacts"], report["writes"], report["parked"]) == (2, 4, 0)


def test_the_sandboxs_server_says_what_is_missing(block: str) -> None:
    ended = python(block + RUN, "sandbox")
    assert ended.returncode == 1
    assert "install connect-dynamics[sandbox]" in ended.stderr
    assert "Traceback" not in ended.stderr
