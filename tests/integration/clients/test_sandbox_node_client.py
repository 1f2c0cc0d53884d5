"""DynamicsWebApi, the npm library, takes the sandbox for the real thing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess

from pathlib import Path
from typing import Any

import pytest


pytestmark = pytest.mark.services

LIBRARY = "dynamics-web-api@2.5.0"
SCRIPT = Path(__file__).parent / "node_client.mjs"
INSTALL_LIMIT_S = 90
RUN_LIMIT_S = 60


@pytest.fixture(scope="session")
def library() -> Path:
    """Where the library is installed: in the user's cache, once."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("not run: node or npm is missing")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "connect-dynamics" / f"npm-{LIBRARY}"
    installed = folder / "node_modules" / LIBRARY.partition("@")[0]
    if not installed.exists():
        folder.mkdir(parents=True, exist_ok=True)
        install = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", LIBRARY]
        subprocess.run(install, check=True, capture_output=True, timeout=INSTALL_LIMIT_S)
    return installed


async def drive(library: Path, served: Any, table: str) -> dict[str, Any]:
    """What the script saw."""
    process = await asyncio.create_subprocess_exec(
        *("node", str(SCRIPT), str(library), served.url, served.token, table),
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(served.ca_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_LIMIT_S):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    seen: dict[str, Any] = json.loads(output)
    return seen


@pytest.mark.parametrize("table", ["contact", "phonecall"])
async def test_a_node_client_writes_reads_queries_and_batches(
    library: Path, served: Any, table: str
) -> None:
    seen = await drive(library, served, table)
    code = "0x80044331"
    assert seen == {
        "created": True,
        "read": "first",
        "found": ["second"],
        "count": 1,
        "upserted": "third",
        "shown": "fourth",
        "stale": False,  # how the library tells of a 412
        "tooLong": {"status": 400, "code": code},
        "batch": "fourth",
        "gone": {"status": 404, "code": "0x80040217"},
        "whoAmI": "string",
    }
    assert len(served.dataverse.dump()[f"{table}s"]) == 1
