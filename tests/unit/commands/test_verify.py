"""Verify: what the facts say against what Dynamics holds, without a write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pipelines.plan import Terms
from worker.clock import Clock
from worker.commands.replay import Options, replay
from worker.commands.verify import Period, Verified, Verifier, verify_store
from worker.definitions import find
from worker.dynamics.performer import Performer
from worker.dynamics.protocol import Answer, Request
from worker.files import MemoryFiles
from worker.sandbox.dataverse.organisation import Organisation, create_organisation
from worker.sandbox.dataverse.users import add_user
from worker.sandbox.inprocess import InProcessDynamics
from worker.sandbox.traffic import history
from worker.settings import Settings
from worker.stores import open_store
from worker.stores.protocol import ContactStore


KINDS = ("voice_inbound", "voice_outbound", "voice_abandoned", "chat", "voice_transfer", "task")
PIPELINES = (find("phonecall"), find("timeline"))
PERSON = "a person"


@dataclass
class Place:
    """A state, and the Dynamics that its contacts were written to."""

    store: ContactStore
    organisation: Organisation

    async def verified(self, sample: int | None = None) -> Verified:
        reader = ReadingOnly(self.organisation)
        performer = Performer(reader, Clock(), MemoryFiles())
        users = frozenset([await reader.user_id()])
        result = Verified("sandbox", "state")
        verifier = Verifier(performer, PIPELINES, Terms(), users, result)
        await verify_store(self.store, verifier, sample, ())
        await verifier.find_unexpected(Period())
        return result

    async def send(self, method: str, path: str, body: Any = None, *, as_person: bool) -> None:
        client = PERSON if as_person else None
        dynamics = InProcessDynamics(self.organisation, *([client] if client else []))
        request = Request(method, path, {"If-Match": "*"} if method == "PATCH" else {}, body)
        await dynamics.send(request, timeout_s=1)

    def calls(self) -> list[str]:
        return [str(row["activityid"]) for row in self.organisation.records.dump()["phonecalls"]]


class ReadingOnly(InProcessDynamics):
    """Fails at the first write."""

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        assert request.method == "GET"
        return await super().send(request, timeout_s=timeout_s)


@pytest.fixture
async def place(tmp_path: Path) -> Any:
    path = tmp_path / "archive.jsonl"
    sent = [m.body for kind in KINDS for m in history(kind, Random(kind)).sent]
    path.write_bytes(b"\n".join(sent))
    state = f"sqlite:{tmp_path / 'state.sqlite'}"
    kept = tmp_path / "dynamics.sqlite"
    options = Options((str(path),), PIPELINES, state=state, dynamics=f"sandbox:{kept}")
    report = await replay(options, Settings())
    assert report.clean
    store, organisation = open_store(state), create_organisation(kept)
    add_user(organisation.records, PERSON)
    yield Place(store, organisation)
    organisation.records.close()
    await store.close()


async def test_what_was_replayed_is_verified_as_right_record_by_record(place: Place) -> None:
    result = await place.verified()
    assert result.lines == []
    rows = sum(map(len, (place.organisation.records.dump()[s] for s in ("phonecalls", "tasks"))))
    assert result.counts["right"] == result.expected >= rows
    assert result.clean


async def test_changed_deleted_and_added_records_are_found_and_a_persons_edit_is_no_failure(
    place: Place,
) -> None:
    changed, edited, deleted = place.calls()[:3]
    await place.send("PATCH", f"phonecalls({changed})", {"category": "x"}, as_person=False)
    await place.send("PATCH", f"phonecalls({edited})", {"category": "x"}, as_person=True)
    await place.send("DELETE", f"phonecalls({deleted})", as_person=True)
    await place.send("POST", "phonecalls", {"subject": "ours"}, as_person=False)
    await place.send("POST", "phonecalls", {"subject": "a person's"}, as_person=True)
    result = await place.verified()
    found = sorted((line.finding, line.columns) for line in result.lines)
    assert found == [
        ("deleted", ()),
        ("different", ("category",)),
        ("edited", ("category",)),
        ("unexpected", ()),
    ]
    assert not result.clean


async def test_a_sample_looks_at_some_contacts_only(place: Place) -> None:
    whole, some = await place.verified(), await place.verified(sample=2)
    assert 0 < some.contacts <= 3 < whole.contacts
