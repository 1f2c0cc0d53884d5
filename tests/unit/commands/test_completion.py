"""What a shell offers to complete, whatever the settings and the state are like."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.contact import Contact, Parked
from worker.cli import app
from worker.commands import completion
from worker.stores.protocol import Entry, Quarantined
from worker.stores.sqlite import SqliteStore


class Typed:
    """A command line as far as it was typed."""

    def __init__(self, **params: object) -> None:
        self.params = params


@pytest.fixture
def state(tmp_path: Path) -> str:
    """A state with a contact, one with something parked, and a message in quarantine."""

    async def make() -> None:
        store = SqliteStore(tmp_path / "state.db")
        parked = Contact("abd", parked={"tasks(1)": Parked([], 0.0, 400, "", {}, "")})
        await store.save([Entry(Contact("abc")), Entry(parked), Entry(Contact("xyz"))])
        await store.quarantine(
            [Quarantined("ab12", 0.0, "", "", b""), Quarantined("c", 0, "", "", b"")]
        )
        await store.close()

    asyncio.run(make())
    return f"sqlite:{tmp_path}/state.db"


def offered(find: Callable[..., list[str]], incomplete: str, **params: object) -> list[str]:
    typed: Any = Typed(**params)
    return find(typed, incomplete)


def test_shipped_pipelines_are_offered_by_how_they_begin() -> None:
    assert completion.pipelines("ph") == ["phonecall"]
    assert {"chat", "timeline"} <= {*completion.pipelines("")}


def test_steps_are_those_of_the_named_pipeline_else_of_all_that_ship() -> None:
    assert offered(completion.steps, "STEP3", pipeline="phonecall") == ["STEP3"]
    assert offered(completion.steps, "phonecall/STEP3") == ["phonecall/STEP3"]
    assert offered(completion.steps, "STEP", pipeline=["chat"]) == offered(
        completion.steps, "STEP", pipeline="chat"
    )


def test_ids_are_those_of_the_state(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert offered(completion.contacts, "AB", state=state) == ["abc", "abd"]
    assert offered(completion.parked_contacts, "a", state=state) == ["abd"]
    assert offered(completion.messages, "a", state=state) == ["ab12"]
    monkeypatch.setenv("CONNECT_DYNAMICS_STATE", state)
    assert offered(completion.contacts, "x") == ["xyz"]


@pytest.mark.parametrize("spec", ["sqlite:/nowhere/x.db", "dynamodb:table", "memory", "???", ""])
def test_what_cannot_be_found_out_is_not_offered_and_nothing_is_said(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONNECT_DYNAMICS_PIPELINES", "/nowhere/mine.toml")
    monkeypatch.setenv("CONNECT_DYNAMICS_METRICS", "nonsense")
    assert offered(completion.contacts, "", state=spec) == []
    assert offered(completion.steps, "") == []
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_a_state_that_is_no_state_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("not a state")
    assert offered(completion.contacts, "", state=f"sqlite:{tmp_path}/mine.txt") == []
    assert (tmp_path / "mine.txt").read_text() == "not a state"


def test_a_shell_gets_them_by_its_own_way(
    state: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Bash asks with these variables (``--show-completion`` prints how)."""
    monkeypatch.setenv("_CONNECT_DYNAMICS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"connect-dynamics parked retry --state {state} ab")
    monkeypatch.setenv("COMP_CWORD", "5")
    with pytest.raises(SystemExit):
        app(prog_name="connect-dynamics")
    assert capfd.readouterr() == ("abd\n", "")
