"""Places, names and signals that commands meet: nothing ends in a traceback, nothing is obeyed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from worker.stores import open_store
from worker.stores.protocol import Quarantined


if TYPE_CHECKING:
    from tests.integration.commands.conftest import Command


#: Set the title of a window, clear the screen, turn the direction, hide: in bytes of a name.
HARMFUL = "\x1b]0;x\x07\x9b2J\u202e\u200b"

#: Makes every folder for temporary files unusable, as a container with a read-only root has it
#: (which this machine's superuser cannot be refused), and runs the command.
NOWHERE = """
import os, sys, tempfile

opened = os.open

def refused(path, flags, *arguments, **more):
    if flags & (os.O_CREAT | os.O_RDWR) and not str(path).startswith("/dev/"):
        raise OSError(30, "Read-only file system")
    return opened(path, flags, *arguments, **more)

def none(*arguments, **more):
    raise OSError(30, "Read-only file system")

tempfile._os.open = refused
os.open = refused
os.mkdir = none
from worker.cli import main
main()
"""


def with_nowhere_to_write(*arguments: object) -> subprocess.CompletedProcess[str]:
    nowhere = {"TMPDIR": "/nowhere", "TEMP": "/nowhere", "TMP": "/nowhere"}
    return subprocess.run(
        [sys.executable, "-c", NOWHERE, *map(str, arguments)],
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_replay_with_a_state_needs_no_folder_for_temporary_files(day: Path) -> None:
    ended = with_nowhere_to_write(
        "replay", day, "--state", "memory", "--dry-run", "--report", "json"
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert orjson.loads(ended.stdout)["contacts"] == 2


@pytest.mark.parametrize("options", [("--dry-run",), ("--dry-run", "--state", "sqlite:kept")])
def test_where_no_folder_can_be_made_the_one_line_says_what_to_do(
    day: Path, options: tuple[str, ...]
) -> None:
    Path("kept").touch()
    ended = with_nowhere_to_write("replay", "--dynamics", "sandbox", day, *options)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "set TMPDIR" in line
    assert "--state" in line


@pytest.fixture
def cutting() -> Iterator[str]:
    """An S3 that lists one file and cuts its body; gives its URL."""
    listing = (
        b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents>'
        b"<Key>Mueller.json</Key><Size>100</Size></Contents></ListBucketResult>"
    )
    head = b"HTTP/1.1 200 OK\r\nx-amz-request-id: i\r\nConnection: close\r\nContent-Length: "

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked = connection.recv(65_536)
                body = listing if b"list-type=2" in asked else b"{"
                size = len(listing) if body == listing else 100
                connection.sendall(head + str(size).encode() + b"\r\n\r\n" + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "invented")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.mark.usefixtures("credentials")
def test_a_replay_from_an_s3_that_cuts_ends_in_one_line_that_names_nothing(
    command: Command, cutting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", cutting)
    ended = command("replay", "s3://mueller-bucket/day", "--dry-run", "--state", "memory")
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line.startswith("connect-dynamics: source 1, file 1 of 1, cannot be read (")
    assert "ueller" not in line


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("bucket", ["our bucket Müller", "x", "", "\udcff"])
def test_a_bucket_that_can_be_none_is_one_line(command: Command, bucket: str) -> None:
    ended = command("replay", f"s3://{bucket}/day", "--dry-run", "--state", "memory")
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert "source 1 cannot be read (" in line
    assert "Müller" not in line


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("AWS_PROFILE", "mine", "AWS_PROFILE names a profile"),
        ("AWS_ENDPOINT_URL", "junk", "check AWS_ENDPOINT_URL"),
    ],
)
def test_how_aws_is_set_up_wrongly_is_one_line_of_any_command(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    for arguments in (
        ("replay", "s3://bucket/day", "--dry-run", "--state", "memory"),
        ("tables", "create", "mine"),
        ("parked", "list", "--state", "dynamodb:mine"),
    ):
        ended = command(*arguments)
        assert ended.status == 1
        (line,) = ended.err.splitlines()
        assert told in line


def test_a_file_with_a_name_of_any_bytes_is_replayed_and_its_junk_is_quarantined(
    command: Command, place: Path, day: Path
) -> None:
    folder = place / os.fsdecode(b"d\xff")
    folder.mkdir()
    junk = folder / os.fsdecode(b"caf\xe9" + HARMFUL.encode() + b".json")
    junk.write_bytes(b"junk")
    (folder / "day.ndjson").write_bytes(day.read_bytes())
    ended = command("replay", folder, "--dry-run", "--state", "memory", "--report", "json")
    assert ended.status == 3
    assert ended.err == "a dry run keeps nothing: what cannot be used is still in the sources\n"
    assert (ended.report["contacts"], ended.report["quarantined"]) == (2, 1)


def test_a_missing_file_with_a_name_of_any_bytes_is_one_line_that_does_nothing(
    command: Command, place: Path
) -> None:
    ended = command("replay", place / os.fsdecode(b"\xff" + HARMFUL.encode()), "--dry-run")
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert "cannot be read (FileNotFoundError)" in line
    assert not set(HARMFUL) - set("]0;x2J") & set(line)


def kept(path: Path, origin: str) -> None:
    """A state with one quarantined message."""

    async def work() -> None:
        store = open_store(f"sqlite:{path}")
        await store.quarantine([Quarantined("q1", 0.0, origin, "not JSON", b"junk")])
        await store.close()

    asyncio.run(work())


def test_what_is_quarantined_does_nothing_to_the_terminal_it_is_listed_on(
    command: Command, place: Path
) -> None:
    kept(place / "state.sqlite", f"archive:{HARMFUL}.json:1")
    ended = command("quarantine", "list", "--state", "sqlite:state.sqlite")
    assert ended.status == 0
    assert "\\u001b]0;x" in "".join(ended.out.split())
    assert not set("\x1b\x07\x9b\u202e\u200b") & set(ended.out)


def pending(pid: int) -> bool:
    """Whether a signal to a process still waits to be handed over."""
    status = Path(f"/proc/{pid}/status").read_text()
    return any(int(line.split()[1], 16) for line in status.splitlines() if "Pnd:" in line)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_command_in_order(
    start: Callable[..., subprocess.Popen[str]], place: Path, number: signal.Signals
) -> None:
    os.mkfifo(place / "endless")
    ours = signal.signal(number, signal.SIG_DFL)  # under nohup it would be ignored, as it should
    process = start("replay", "endless", "--dry-run", "--state", "memory")
    signal.signal(number, ours)
    with (place / "endless").open("wb", buffering=0) as fifo:  # opens once it is read
        fifo.write(b'{"x": 1}\n')
        process.send_signal(number)
        while pending(process.pid):  # else the end of the file may be noticed before the signal
            assert process.poll() is None
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "interrupted" in err
