"""The sandbox over TLS, for clients that other people wrote."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys

from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import httpx
import pytest

from worker.sandbox.dataverse.app import CLIENT_SECRET, Dataverse, create_dataverse
from worker.sandbox.dataverse.switches import Switches
from worker.sandbox.dataverse.users import CLIENT_ID, application_user
from worker.sandbox.server import serve


HERE = Path(__file__).parent

#: Limits (s) on npm's installation, and on all operations of one client.
INSTALL_LIMIT_S = 90.0
RUN_LIMIT_S = 60.0

KEYS: dict[str, list[tuple[str, ...]]] = {
    "accounts": [("accountnumber",), ("accountnumber", "address1_postalcode")],
    "contacts": [("emailaddress1",)],
    "phonecalls": [("subject",)],
}

#: What each operation of a client saw, by its name.
Seen = dict[str, str]

#: Drives the client of that name: all of its operations or some, with switches of the sandbox;
#: once for the same.
Drive = Callable[..., Seen]


class Served(NamedTuple):
    """A served sandbox: its base URL, its authority's certificate, a token, and itself."""

    url: str
    ca_path: Path
    token: str
    dataverse: Dataverse


@asynccontextmanager
async def _served(folder: Path, switches: Switches | None = None) -> AsyncIterator[Served]:
    dataverse = create_dataverse(keys=KEYS, switches=switches)
    ca_path = folder / "ca.pem"
    async with serve(dataverse, ca_path=ca_path) as url:
        yield Served(url, ca_path, dataverse.tokens.issue(CLIENT_ID), dataverse)
    dataverse.close()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with _served(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Drive:
    @cache
    def drive(client: str, *operations: str, **switches: Any) -> Seen:
        folder = tmp_path_factory.mktemp(client)
        return asyncio.run(_driven(client, folder, Switches(**switches), operations))

    return drive


async def _ground(one: Served) -> dict[str, Any]:
    """Rows that the drivers rely on (``outside.Ground``)."""
    dataverse = one.dataverse
    company = dataverse.put(
        "accounts", {"name": "Seed Ltd", "accountnumber": "SEED", "numberofemployees": 250}
    )
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({company})"}
    people = [
        dataverse.put(
            "contacts",
            {
                "firstname": first,
                "lastname": last,
                "emailaddress1": f"{first.lower()}@seed.example",
                "jobtitle": "Seeded",
                **bind,
            },
        )
        for first, last in (("Ada", "Adams"), ("Bob", "Baker"), ("Cleo", "Clark"))
    ]
    bind = {"primarycontactid@odata.bind": f"/contacts({people[0]})"}
    trusted = ssl.create_default_context(cafile=one.ca_path)
    async with httpx.AsyncClient(verify=trusted) as http:
        answer = await http.patch(
            f"{one.url}/api/data/v9.2/accounts({company})",
            json=bind,
            headers={"Authorization": f"Bearer {one.token}"},
        )
        answer.raise_for_status()
    entra = "7a3f9c1e-0000-4000-8000-00000000c011"
    colleague = dataverse.put(
        "systemusers",
        {"firstname": "Cora", "lastname": "Colleague", "azureactivedirectoryobjectid": entra},
    )
    return {
        "url": one.url,
        "token": one.token,
        "account": company,
        "contacts": people,
        "user": application_user(CLIENT_ID),
        "colleague": colleague,
        "colleague_object": entra,
    }


async def _driven(
    client: str, folder: Path, switches: Switches, operations: Sequence[str] = ()
) -> Seen:
    """What each operation of a client saw, or each of those that are named."""
    driver = next((HERE / "drivers").glob(f"{client.replace('-', '_')}.*"))
    script = driver.suffix == ".mjs"
    modules = await asyncio.to_thread(_installed) if script else Path()
    async with _served(folder, switches) as one:
        ground = await _ground(one)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "REQUESTS_CA_BUNDLE": str(one.ca_path),
            "SSL_CERT_FILE": str(one.ca_path),
            "NODE_EXTRA_CA_CERTS": str(one.ca_path),
            "OUTSIDE_GROUND": json.dumps(ground),
            "OUTSIDE_MODULES": str(modules),
            "OUTSIDE_CLIENT_ID": CLIENT_ID,
            "OUTSIDE_CLIENT_SECRET": CLIENT_SECRET,
        }
        # -P: the driver's folder holds no modules, and a driver may have its library's name.
        command = ["node"] if script else [sys.executable, "-P"]
        process = await asyncio.create_subprocess_exec(
            *(*command, str(driver), *operations),
            cwd=folder,
            env=environment,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            async with asyncio.timeout(RUN_LIMIT_S):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, errors.decode()
    lines = [json.loads(line) for line in output.decode().splitlines()]
    return {line["operation"]: line["seen"] for line in lines}


def _installed() -> Path:
    """Where npm installs the clients, at first use; who comes meanwhile waits."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        _not_run("node or npm is missing")
    files = [HERE / "npm" / name for name in ("package.json", "package-lock.json", ".npmrc")]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    home = caches / "connect-dynamics" / f"npm-clients-{digest}"
    home.mkdir(parents=True, exist_ok=True)
    stamp = home / "stamp"
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            for file in files:
                shutil.copy(file, home)
            install = [npm, "ci", "--loglevel=error", "--no-progress", "--prefix", str(home)]
            done = subprocess.run(
                install, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False
            )
            if done.returncode:
                _not_run(f"npm cannot install the clients: {done.stderr.strip()[-500:]}")
            stamp.touch()
    return home / "node_modules"


def _not_run(why: str) -> NoReturn:
    """Leave the tests out and say so; where everything must run, fail."""
    if os.environ.get("CI"):
        pytest.fail(f"not run: {why}")
    pytest.skip(f"not run: {why}")
