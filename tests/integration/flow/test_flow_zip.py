"""The Lambda's zip, run by an interpreter that knows nothing else, against the sandbox over TLS."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import runpy
import subprocess
import sys
import zipfile

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.identity import timeline_id
from worker.sandbox.command import settings
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.server import serve


pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

PACKAGE = Path(__file__).parents[3] / "infra" / "lambda" / "package.py"

#: The wheels must fit the interpreter at hand; the Lambda's own are another build of the same.
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"

CONTACT = "c0000000-0000-4000-8000-000000000001"
NUMBER = "+4930901820"

#: Lambda unpacks the zip and puts it on the path; ``-I -S`` leaves nothing else but the stdlib.
RUN = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
began = time.monotonic()
from worker.flow.handler import handle

class Context:
    def get_remaining_time_in_millis(self):
        return 8000

answers = []
for event in json.load(sys.stdin):
    answers.append(handle(event, Context()))
    answers[-1]["took_s"] = time.monotonic() - began
    began = time.monotonic()
from worker.flow import handler
handler._environment.close()
foreign = sorted(
    name for name, module in sys.modules.items()
    if getattr(module, "__file__", None)
    and not module.__file__.startswith((sys.argv[1], sys.base_prefix))
)
json.dump([answers, foreign], sys.stdout)
"""


@dataclass(slots=True)
class Sandbox:
    """A served sandbox and the environment that reaches it."""

    dataverse: Dataverse
    environment: dict[str, str]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for this Python."""
    out = tmp_path_factory.mktemp("lambda") / "flow-lambda.zip"
    runpy.run_path(str(PACKAGE))["package"](out, HERE)
    return out


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    dataverse = create_dataverse()
    ca_file = tmp_path / "ca.pem"
    async with serve(dataverse, ca_path=ca_file) as url:
        environment = {**settings(url, ca_file), "CONNECT_DYNAMICS_PIPELINES": "timeline"}
        yield Sandbox(dataverse, environment)
    dataverse.close()


def event(**parameters: str) -> dict[str, Any]:
    data = {
        "Attributes": {},
        "Channel": "VOICE",
        "ContactId": CONTACT,
        "CustomerEndpoint": {"Address": NUMBER, "Type": "TELEPHONE_NUMBER"},
        "InitialContactId": CONTACT,
        "InitiationMethod": "INBOUND",
        "InstanceARN": "arn:aws:connect:eu-central-1:111122223333:instance/i",
    }
    return {"Name": "ContactFlowEvent", "Details": {"ContactData": data, "Parameters": parameters}}


async def run(unpacked: Path, environment: dict[str, str], *events: Any) -> tuple[Any, str]:
    """Handle the events in a process of their own; the answers and the log."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-W", "error", "-c", RUN, str(unpacked)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=unpacked,
        env=environment,
    )
    out, log = await process.communicate(json.dumps(events).encode())
    assert process.returncode == 0, log.decode()
    answers, foreign = json.loads(out)
    assert foreign == []
    return answers, log.decode()


async def test_a_call_is_looked_up_and_logged_with_nothing_but_the_zip(
    unpacked: Path, sandbox: Sandbox
) -> None:
    key = sandbox.dataverse.put(
        "contacts", {"firstname": "Ada", "lastname": "Lovelace", "telephone1": "0049 30 901820"}
    )
    add = event(ms_operation="addnote", entity="phonecall", ms_contact_id=key)
    note = event(ms_operation="addnote", entity="annotation", ms_contact_id=key, notetext="called")
    answers, log = await run(unpacked, sandbox.environment, event(ms_operation="lookup"), add, note)
    looked, logged, noted = answers
    assert (looked["LookupStatus"], looked["contactid"]) == ("SingleMatch", key)
    assert logged["activityid"] == timeline_id(CONTACT, "phonecall")
    assert noted["outcome"] == "Created"
    rows = sandbox.dataverse.dump()
    assert [row["_regardingobjectid_value"] for row in rows["phonecalls"]] == [key]
    assert [row["_objectid_value"] for row in rows["annotations"]] == [key]
    told = [json.loads(line)["event"] for line in log.splitlines()]
    assert told.count("dynamics.token_renewed") == 1  # kept between invocations
    assert told.count("flow.answered") == 3
    assert NUMBER not in log
    assert "Ada" not in log


async def test_a_lambda_whose_settings_are_missing_lets_the_call_go_on(unpacked: Path) -> None:
    ((answer,), log) = await run(unpacked, {}, event(ms_operation="lookup"))
    assert answer["LookupStatus"] == "NoMatch"
    assert "CONNECT_DYNAMICS_ENVIRONMENT_URL" in log


def test_the_zip_is_the_same_each_time(package: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    runpy.run_path(str(PACKAGE))["package"](again, HERE)
    made = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (package, again))
    assert len(set(made)) == 1


def test_the_zip_has_what_the_lambda_needs_and_no_more(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        size = sum(entry.file_size for entry in archive.infolist())
    assert names == sorted(names)
    assert size < 250 * 1024 * 1024  # the most that Lambda unpacks
    own = {name.rpartition("/")[0] for name in names if name.startswith("worker/")}
    assert own == {"worker", "worker/dynamics", "worker/flow", "worker/telemetry"}
    compiled = {name for name in names if re.search(r"\.so(\.|$)", name)}
    assert all("x86_64" in name or "abi3" in name for name in compiled)
    assert not any(name.endswith((".pyc", "/RECORD")) for name in names)
