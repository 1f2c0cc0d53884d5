"""The conformance kit finds each position of each switch, and leaves nothing behind."""

from __future__ import annotations

import json

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from worker.conformance.organization import MARK, Organization
from worker.conformance.probes import NOT_PROBED, PROBES
from worker.conformance.report import Report, read_switches
from worker.conformance.run import run_probes
from worker.errors import ConfigError
from worker.sandbox.dataverse.app import Dataverse
from worker.sandbox.dataverse.switches import Switches
from worker.sandbox.dataverse.users import ACT_ON_BEHALF, CLIENT_ID, application_user
from worker.sandbox.likeness import positions, switches_like


#: Positions of a switch of any whole number that are tried.
NUMBERS = (400, 409)

#: Switches that show only while another has a certain position.
BESIDES: dict[str, dict[str, Any]] = {
    "reopen": {"closed": "0x8004022e"},
    "wildcard_status": {"wildcard_rows": 0},
}


PROBED = {probe.switch: probe for probe in PROBES}


def every_position() -> Iterator[tuple[str, Any]]:
    for one in fields(Switches):
        if one.name not in NOT_PROBED:
            yield from ((one.name, position) for position in positions(one.name) or NUMBERS)


@pytest.mark.parametrize(("switch", "position"), [*every_position()])
async def test_each_position_of_each_switch_is_found(
    organization: Organization, dataverse: Dataverse, switch: str, position: Any
) -> None:
    for name, value in BESIDES.get(switch, {}).items():
        setattr(dataverse.switches, name, value)
    setattr(dataverse.switches, switch, position)
    report = await run_probes(organization, [PROBED[switch]])
    assert report.unknown == {}
    assert report.switches == {switch: position}


def test_every_switch_has_a_probe_or_a_reason_why_it_has_none() -> None:
    names = {one.name for one in fields(Switches)}
    assert names <= PROBED.keys() | NOT_PROBED.keys()
    assert not PROBED.keys() & NOT_PROBED.keys()
    assert PROBED.keys() <= names


def test_every_probe_says_what_it_does() -> None:
    assert [probe.switch for probe in PROBES if not probe.ask.__doc__] == []


@pytest.mark.parametrize("closed", ["allow", "0x8004022e"])
async def test_whatever_was_made_is_removed_again(
    organization: Organization, dataverse: Dataverse, closed: Any
) -> None:
    dataverse.switches.closed = closed
    dataverse.switches.tab_parameters = "made"
    before = dataverse.dump()
    await run_probes(organization)
    assert MARK in str(dataverse.dump())
    assert await organization.clean() == []
    assert dataverse.dump() == before


async def test_what_an_earlier_run_has_left_is_removed_by_its_name_and_nothing_else(
    organization: Organization, dataverse: Dataverse
) -> None:
    dataverse.put("phonecalls", {"subject": f"{MARK} 01234567"})
    dataverse.put("contacts", {"lastname": f"{MARK} 01234567"})
    kept = dataverse.put("phonecalls", {"subject": f"About {MARK}"})
    assert await organization.sweep() == 2
    assert [row["activityid"] for row in dataverse.dump()["phonecalls"]] == [kept]


async def test_a_record_that_cannot_be_removed_is_named(
    organization: Organization, dataverse: Dataverse
) -> None:
    call = await organization.make("phonecalls")
    dataverse.organisation.denied.add((application_user(CLIENT_ID), "prvDeleteActivity"))
    assert await organization.clean() == [f"phonecalls({call})"]


async def test_what_cannot_be_told_says_why_and_is_no_position(
    organization: Organization, dataverse: Dataverse
) -> None:
    dataverse.organisation.denied.add((application_user(CLIENT_ID), ACT_ON_BEHALF))
    report = await run_probes(organization, [PROBED["unknown_caller"]])
    assert report.switches == {}
    assert report.unknown == {"unknown_caller": f"our user lacks {ACT_ON_BEHALF}"}


async def test_a_forbidden_table_leaves_its_switches_untold_and_the_others_told(
    organization: Organization, dataverse: Dataverse
) -> None:
    dataverse.organisation.denied.add((application_user(CLIENT_ID), "prvCreateContact"))
    report = await run_probes(organization, [PROBED["short_regarding"], PROBED["closed"]])
    assert report.unknown == {"short_regarding": "contacts cannot be made (403 0x80040220)"}
    assert report.switches == {"closed": "allow"}


async def test_the_file_holds_positions_statuses_and_codes_and_nothing_of_the_organization(
    organization: Organization, tmp_path: Path
) -> None:
    report = await run_probes(organization)
    text = report.to_json()
    for value in (organization.run, MARK, "org.test", "example.com", "conform-"):
        assert value not in text
    content = json.loads(text)
    assert content["answers"]["closed"] == ["204", "204", "204"]
    path = tmp_path / "found.json"
    path.write_text(text)
    assert read_switches(path) == report.switches


async def test_a_sandbox_like_an_organization_has_its_positions(
    organization: Organization, dataverse: Dataverse, tmp_path: Path
) -> None:
    changed = {"closed": "0x80040230", "bad_bind_status": 400, "www_authenticate": False}
    for name, position in changed.items():
        setattr(dataverse.switches, name, position)
    path = tmp_path / "found.json"
    path.write_text((await run_probes(organization)).to_json())
    like, usual = switches_like(path), Switches()
    names = [one.name for one in fields(Switches)]
    differing = [name for name in names if getattr(like, name) != getattr(usual, name)]
    assert {name: getattr(like, name) for name in differing} == changed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not JSON", "is not JSON"),
        ("[]", "is no file of this release's"),
        ('{"conformance": 99, "switches": {}}', "is no file of this release's"),
        ('{"conformance": 1, "switches": {"no_such": 1}}', "there is no switch 'no_such'"),
        ('{"conformance": 1, "switches": {"closed": "maybe"}}', "closed has no such position"),
        ('{"conformance": 1, "switches": {"closed": ["allow"]}}', "closed has no such position"),
        ('{"conformance": 1, "switches": {"www_authenticate": 1}}', "has no such position"),
        ('{"conformance": 1, "switches": {"state_pair_status": true}}', "has no such position"),
    ],
)
def test_a_file_that_is_none_of_the_kit_s_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "found.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        switches_like(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        switches_like(tmp_path / "none.json")


def test_an_empty_report_is_a_file() -> None:
    assert json.loads(Report().to_json())["switches"] == {}
