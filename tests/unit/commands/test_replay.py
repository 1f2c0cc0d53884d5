"""Replay: an archive into Dynamics, once."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from pipelines.loader import load
from worker.clock import Clock
from worker.commands import rehearsal
from worker.commands.replay import Options, replay
from worker.commands.replay_report import Report
from worker.definitions import SHIPPED, find
from worker.dynamics.errors import WrongOrganization
from worker.engine import push
from worker.errors import ConfigError, Interrupted
from worker.operations.rebinding import rebind
from worker.operations.state import opened
from worker.sandbox.traffic import history, truth
from worker.settings import Settings
from worker.stores import open_store


KINDS = ("voice_inbound", "voice_outbound", "voice_abandoned", "chat", "voice_transfer")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.jsonl"
    sent = [m.body for kind in KINDS for m in history(kind, Random(kind)).sent]
    Random(1).shuffle(sent)
    path.write_bytes(b"\n".join(sent))
    return path


@pytest.fixture
def options(archive: Path) -> Callable[..., Options]:
    given: dict[str, Any] = {
        "sources": (str(archive),),
        "pipelines": (find("phonecall"),),
        "dynamics": "sandbox",
    }
    return lambda **more: Options(**{**given, **more})


async def given_up(state: str) -> None:
    async with opened(state) as store:
        await rebind(store, Clock(sleep=at_once))


async def at_once(_seconds: float) -> None:
    """Nobody uses the state."""


class Told:
    """What was told of how far it is."""

    def __init__(self) -> None:
        self.read: list[tuple[int, int, int]] = []
        self.pushed: list[tuple[int, int]] = []

    def reading(self, messages: int, read: int, total: int) -> None:
        self.read.append((messages, read, total))

    def pushing(self, done: int, due: int) -> None:
        self.pushed.append((done, due))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def prepend(path: Path, line: bytes) -> None:
    path.write_bytes(line + path.read_bytes())


def begun(archive: Path) -> Path:
    """An archive of nothing but how the contacts began."""
    path = archive.with_name("begun.jsonl")
    lines = archive.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b'"INITIATED"' in line))
    return path


def extent(path: Path) -> tuple[int, int]:
    """Lines and bytes of a file."""
    body = path.read_bytes()
    return len(body.splitlines()), len(body)


def phone_calls() -> int:
    told = [t for kind in KINDS for t in truth(history(kind, Random(kind))).values()]
    return sum(t.channel == "VOICE" and t.fate != "none" for t in told)


async def test_every_call_of_an_archive_is_in_dynamics_for_two_requests_each(
    options: Callable[..., Options], tmp_path: Path
) -> None:
    dump = tmp_path / "dump.json"
    report = await replay(options(dump=dump), Settings())
    rows = orjson.loads(dump.read_bytes())["phonecalls"]
    assert len(rows) == phone_calls()
    assert all(row["statecode"] in {1, 2} for row in rows)
    assert report.requests == report.writes == 2 * phone_calls()
    assert report.contacts == sum(len(history(kind, Random(kind)).contacts) for kind in KINDS)
    assert report.clean
    assert report.lookups == 0


async def test_a_second_run_with_the_state_kept_asks_and_writes_nothing(
    options: Callable[..., Options], tmp_path: Path
) -> None:
    kept = options(state=f"sqlite:{tmp_path / 'state.sqlite'}")
    first = await replay(kept, Settings())
    second = await replay(kept, Settings())
    assert (second.requests, second.writes) == (0, 0)
    assert second.events == first.events
    assert second.contacts == first.contacts


async def test_a_second_run_on_a_fresh_machine_changes_nothing(
    options: Callable[..., Options], tmp_path: Path
) -> None:
    target = f"sandbox:{tmp_path / 'records.sqlite'}"
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    await replay(options(dynamics=target, dump=first), Settings())
    report = await replay(options(dynamics=target, dump=second), Settings())
    assert report.writes == 0
    assert report.clean
    assert first.read_bytes() == second.read_bytes()  # versions and times of change too


@pytest.mark.parametrize("expired", [False, True])
async def test_a_replay_after_a_step_was_renamed_makes_no_second_record(
    options: Callable[..., Options], tmp_path: Path, *, expired: bool
) -> None:
    """Also if the state has let go of the calls: it still knows which steps there were."""
    state, dump = f"sqlite:{tmp_path / 'state.sqlite'}", tmp_path / "dump.json"
    await replay(options(state=state), Settings())
    if expired:
        store = open_store(state)
        assert await store.expire(time.time() + 100 * 86_400, 1000)
        await store.close()
    text = (SHIPPED / "phonecall.toml").read_text().replace("STEP2", "CALL")
    report = await replay(options(state=state, pipelines=(load(text),), dump=dump), Settings())
    assert len(orjson.loads(dump.read_bytes())["phonecalls"]) == phone_calls()
    assert report.writes == 0
    assert report.clean


async def test_a_dry_run_counts_what_would_be_written_and_leaves_state_and_records_alone(
    options: Callable[..., Options], tmp_path: Path
) -> None:
    kept = f"sqlite:{tmp_path / 'state.sqlite'}"
    dry = await replay(options(state=kept, dry_run=True), Settings())
    assert (dry.writes, dry.requests) == (2 * phone_calls(), 0)
    assert dry.dry_run
    assert names(tmp_path) == ["archive.jsonl"]
    assert (await replay(options(state=kept), Settings())).writes == dry.writes
    before = names(tmp_path), (tmp_path / "state.sqlite.mark").read_bytes()
    assert (await replay(options(state=kept, dry_run=True), Settings())).writes == 0
    assert (names(tmp_path), (tmp_path / "state.sqlite.mark").read_bytes()) == before


async def test_a_replay_with_a_state_of_another_organization_reads_and_writes_nothing(
    options: Callable[..., Options], tmp_path: Path
) -> None:
    """I11: a rehearsal leaves a state with which the real one would write nothing."""
    state = f"sqlite:{tmp_path / 'state.sqlite'}"
    rehearsed = await replay(options(state=state), Settings())
    assert rehearsed.bound
    other = f"sandbox:{tmp_path / 'other.sqlite'}"
    told = Told()
    with pytest.raises(WrongOrganization, match=rehearsed.organization) as refused:
        await replay(options(state=state, dynamics=other), Settings(), told)
    assert "state rebind" in str(refused.value)
    assert told.read == []
    await given_up(state)
    real = await replay(options(state=state, dynamics=other), Settings())
    assert real.writes == rehearsed.writes
    assert real.bound
    assert real.organization != rehearsed.organization


async def test_a_sandbox_in_memory_is_another_organization_each_time(
    options: Callable[..., Options],
) -> None:
    first, second = [await replay(options(), Settings()) for _ in range(2)]
    assert first.organization != second.organization


@pytest.mark.parametrize("state", ["", "memory", "sqlite"])
async def test_a_dry_run_leaves_no_acknowledgements_and_no_binding_in_any_state(
    options: Callable[..., Options], tmp_path: Path, state: str
) -> None:
    kept = f"sqlite:{tmp_path / 'state.sqlite'}" if state == "sqlite" else state
    dry = await replay(options(state=kept, dry_run=True), Settings())
    assert (dry.organization, dry.bound) == ("", False)
    real = await replay(options(state=kept), Settings())
    assert real.writes == dry.writes > 0


async def test_a_second_run_with_the_same_organization_tells_that_the_state_is_its_own(
    options: Callable[..., Options], tmp_path: Path
) -> None:
    kept = options(state=f"sqlite:{tmp_path / 'state.sqlite'}")
    first, second = [await replay(kept, Settings()) for _ in range(2)]
    assert (first.bound, second.bound) == (True, False)
    assert first.organization == second.organization
    assert (second.target, second.state) == (kept.dynamics, kept.state)


async def test_where_to_is_always_said_even_if_a_setting_names_an_environment(
    options: Callable[..., Options],
) -> None:
    settings = Settings(environment_url="https://org.test")
    with pytest.raises(ConfigError, match=r"--dynamics https://org\.test, or --dynamics sandbox"):
        await replay(options(dynamics=""), settings)


async def test_a_replay_that_only_enqueues_takes_no_target_of_its_own(
    options: Callable[..., Options],
) -> None:
    with pytest.raises(ConfigError, match="leave out --dynamics"):
        await replay(options(state="dynamodb:contacts"), Settings())


async def test_a_dry_run_lists_what_it_would_write_by_step_and_one_by_one(
    options: Callable[..., Options],
) -> None:
    would = (await replay(options(dry_run=True), Settings())).would
    assert would is not None
    assert would.by_step["phonecall/STEP2"]["create"] == phone_calls()
    assert would.changed_columns == {}, "nothing is there yet"
    assert len(would.changes) == 2 * phone_calls()
    created = next(change for change in would.changes if change.what == "create")
    assert created.record.startswith("phonecalls(")
    assert "subject" in created.columns
    assert created.values == {}, "values are people's"


async def test_a_dry_run_says_that_a_write_counts_with_each_step_that_it_serves(
    options: Callable[..., Options],
) -> None:
    report = await replay(options(dry_run=True), Settings())
    lines = [*report.texts()]
    first = next(index for index, line in enumerate(lines) if "would" in line)
    assert lines[first - 1] == "by step; one write serves several, and counts with each:"


async def test_a_dry_run_tells_which_columns_of_acknowledged_records_would_change(
    options: Callable[..., Options], archive: Path, tmp_path: Path
) -> None:
    kept = {"state": f"sqlite:{tmp_path / 'state.sqlite'}"}
    await replay(options(sources=(str(begun(archive)),), **kept), Settings())
    dry = options(dry_run=True, values=True, **kept)
    report = await replay(dry, Settings())
    assert report.would is not None
    updates = [one for one in report.would.changes if one.what == "update"]
    assert updates
    columns = {column for one in updates for column in one.columns}
    counted = {c for counts in report.would.changed_columns.values() for c in counts}
    assert columns <= counted
    assert all(one.values.keys() == set(one.columns) for one in report.would.changes)
    real = await replay(options(**kept), Settings())
    assert real.writes == len(report.would.changes)


async def test_a_dry_run_lists_no_more_than_there_is_room_for_and_counts_the_rest(
    options: Callable[..., Options], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "MOST_LISTED", 3)
    would = (await replay(options(dry_run=True), Settings())).would
    assert would is not None
    assert (len(would.changes), would.left_out) == (3, 2 * phone_calls() - 3)


async def test_values_are_shown_of_a_dry_run_only(options: Callable[..., Options]) -> None:
    with pytest.raises(ConfigError, match="--dry-run"):
        await replay(options(values=True), Settings())


async def test_what_was_quarantined_by_a_run_with_a_state_of_its_own_is_kept_with_that_state(
    options: Callable[..., Options], archive: Path
) -> None:
    prepend(archive, b"no JSON\n")
    report = await replay(options(), Settings())
    [(reason, example)] = report.quarantined_examples.items()
    assert reason in report.quarantined_by_reason
    assert example.startswith("archive:")
    async with opened(report.kept) as store:
        [message] = await store.quarantined("", 10)
    assert message.body == b"no JSON"
    assert Path(report.kept.removeprefix("sqlite:")).parent.stat().st_mode & 0o077 == 0
    said = "\n".join(report.next_steps())
    assert f"quarantine list --state {report.kept}" in said
    shutil.rmtree(Path(report.kept.removeprefix("sqlite:")).parent)


@pytest.mark.parametrize("more", [{}, {"dry_run": True}])
async def test_a_state_of_one_run_alone_is_removed_if_there_is_nothing_to_look_at(
    options: Callable[..., Options], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: Any
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    report = await replay(options(**more), Settings())
    assert report.kept == ""
    assert names(tmp_path) == ["archive.jsonl"]


class StopsAfter(Told):
    """Sends SIGINT, as Ctrl-C does, once so many contacts are done."""

    def __init__(self, contacts: int) -> None:
        super().__init__()
        self.contacts = contacts

    def pushing(self, done: int, due: int) -> None:
        super().pushing(done, due)
        if done == self.contacts:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("named", [True, False])
async def test_after_ctrl_c_what_was_done_is_kept_and_the_command_to_go_on_is_told(
    options: Callable[..., Options],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    named: bool,
) -> None:
    monkeypatch.setattr(push, "CONTACTS_AT_A_TIME", 1)
    target = f"sandbox:{tmp_path / 'records.sqlite'}"
    state = {"state": f"sqlite:{tmp_path / 'state.sqlite'}"} if named else {}
    given = options(dynamics=target, typed="connect-dynamics replay day", **state)
    with pytest.raises(Interrupted) as told:
        await replay(given, Settings(), StopsAfter(2))
    again = str(told.value).partition("To go on from there: ")[2]
    assert again.startswith("connect-dynamics replay day")
    kept = state.get("state") or again.partition(" --state ")[2]
    rest = await replay(options(dynamics=target, state=kept), Settings())
    assert 0 < rest.writes < 2 * phone_calls()
    assert rest.requests == rest.writes, "what was acknowledged is not even read"
    assert rest.clean
    if not named:
        shutil.rmtree(Path(kept.removeprefix("sqlite:")).parent)


async def test_after_ctrl_c_a_sandbox_in_memory_is_gone_and_that_is_said(
    options: Callable[..., Options], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(Interrupted, match="in memory and is gone"):
        await replay(options(), Settings(), StopsAfter(2))
    assert names(tmp_path) == ["archive.jsonl"]


async def test_a_time_that_ends_before_it_begins_is_refused(
    options: Callable[..., Options],
) -> None:
    with pytest.raises(ConfigError, match="--until must be later"):
        await replay(options(since="2026-02-01", until="2026-01-01"), Settings())


async def test_a_folder_without_files_is_an_error(
    options: Callable[..., Options], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no file"):
        await replay(options(sources=(str(tmp_path / "empty"),)), Settings())


async def test_the_text_of_a_report_begins_with_target_and_state(
    options: Callable[..., Options], tmp_path: Path
) -> None:
    report = await replay(options(state=f"sqlite:{tmp_path / 'state.sqlite'}"), Settings())
    first, second, third, *_ = report.texts()
    assert first.split() == ["target", "sandbox"]
    assert second.split() == ["state", report.state]
    assert report.organization in third
    assert "bound to it by this run" in third


async def test_only_the_time_asked_for_is_replayed(options: Callable[..., Options]) -> None:
    report = await replay(options(since="2026-02-01", dry_run=True), Settings())
    assert report.contacts == 0
    assert report.ignored_by_reason == {"outside --since and --until": report.ignored}


async def test_what_cannot_be_read_is_counted_and_the_rest_goes_on(
    options: Callable[..., Options],
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    prepend(archive, b"no JSON\n")
    report = await replay(options(), Settings())
    assert report.quarantined == 1
    assert report.writes == 2 * phone_calls()
    assert not report.clean


async def test_how_far_it_is_is_told_in_messages_and_bytes(
    options: Callable[..., Options], archive: Path
) -> None:
    lines, size = extent(archive)
    told = Told()
    await replay(options(), Settings(), told)
    assert told.read[-1] == (lines, size, size)


async def test_while_it_pushes_it_is_told_of_how_many_contacts_how_many_are_done(
    options: Callable[..., Options],
) -> None:
    told = Told()
    report = await replay(options(), Settings(), told)
    due = told.pushed[0][1]
    assert [done for done, _ in told.pushed] == list(range(due + 1))
    assert due == report.contacts


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dynamics": "http://org.test"}, "https://"),
        ({"dynamics": "https://org.test"}, "TENANT"),
        ({"dump": Path("x"), "dry_run": True}, "--dump"),
        ({"state": "postgres"}, "no such store"),
        ({"sources": ("/nowhere",)}, "/nowhere"),
    ],
)
async def test_what_cannot_be_used_is_said(
    options: Callable[..., Options], wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        await replay(options(**wrong), Settings())


def test_the_report_is_one_json_object() -> None:
    report = orjson.loads(Report(events=3, ignored_by_reason={"x": 1}).to_json())
    assert report["events"] == 3
    assert report["ignored_by_reason"] == {"x": 1}
