"""``connect-dynamics preview``: samples, stored contacts, all steps in order, and test requests."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.commands.samples import samples


Command = Callable[..., Any]

#: Pipelines that make something of each sample.
FOR = {
    "chat": "chat",
    "sms": "chat",
    "email": "email",
    "email-reply": "email",
    "task": "task",
}


@pytest.mark.parametrize("sample", samples())
def test_a_sample_of_each_kind_ships_and_needs_no_settings(command: Command, sample: str) -> None:
    ended = command("preview", FOR.get(sample, "phonecall"), "--sample", sample, "--all")
    assert (ended.status, ended.err) == (0, "")
    assert "POST https://<environment_url>/api/data/v9.2/" in ended.out
    assert ended.out.count("not sent") >= 1


def test_a_sample_there_is_not_is_answered_with_those_there_are(command: Command) -> None:
    ended = command("preview", "phonecall", "STEP2", "--sample", "voicein")
    assert ended.status == 1
    assert "there is no sample 'voicein'; there are abandoned, " in ended.err
    assert "did you mean voice-in?" in ended.err


def test_a_file_there_is_not_is_told_with_what_to_name_instead(command: Command) -> None:
    ended = command("preview", "phonecall", "STEP2", "--event", "nofile")
    assert ended.status == 1
    assert "nofile: there is no such file; name one with --event, or an invented" in ended.err


def test_without_a_contact_the_ways_to_name_one_are_told(command: Command) -> None:
    ended = command("preview", "phonecall", "STEP2")
    assert ended.status == 1
    assert "--event FILE, an invented contact with --sample (abandoned, " in ended.err
    assert "--contact ID" in ended.err


def test_a_pipeline_that_does_not_take_the_contact_says_what_it_takes(command: Command) -> None:
    ended = command("preview", "chat", "CREATE", "--sample", "voice-in")
    assert ended.status == 1
    assert "CREATE sends nothing: chat: takes Channel CHAT, this is VOICE" in ended.out


def test_a_step_whose_milestone_is_not_reached_says_which_are(command: Command) -> None:
    ended = command("preview", "timeline", "LENS", "--sample", "abandoned")
    assert ended.status == 1
    assert "it waits for 'analysis', and this contact has reached created, " in ended.out


@pytest.mark.usefixtures("reached")
def test_lookups_are_asked_and_their_answers_feed_later_steps(
    command: Command, reached: Any
) -> None:
    number = _number(command)
    contact = reached.dataverse.put(
        "contacts", {"firstname": "Ada", "lastname": "Sample", "telephone1": number}
    )
    ended = command("preview", "timeline", "--sample", "voice-in", "--all")
    assert (ended.status, ended.err) == (0, "")
    assert '"LookupStatus": "SingleMatch"' in ended.out
    assert f"/contacts({contact})" in ended.out
    assert reached.dataverse.dump().get("phonecalls", []) == []  # nothing was written


@pytest.mark.usefixtures("reached")
def test_a_test_request_goes_all_the_way_and_says_where_the_record_is(
    command: Command, reached: Any
) -> None:
    ended = command("preview", "phonecall", "--sample", "voice-in", "--all", "--send")
    assert (ended.status, ended.err) == (0, "")
    (row,) = reached.dataverse.dump()["phonecalls"]
    assert (row["statecode"], row["statuscode"]) == (1, 4)
    page = f"main.aspx?etn=phonecall&pagetype=entityrecord&id={row['activityid']}"
    assert f"done; record: {reached.url}/{page}" in ended.out


@pytest.mark.usefixtures("reached")
def test_steps_up_to_one_are_sent_and_no_more(command: Command, reached: Any) -> None:
    asked = ("preview", "phonecall", "STEP2", "--sample", "voice-in", "--all", "--send")
    ended = command(*asked)
    assert ended.status == 0
    (row,) = reached.dataverse.dump()["phonecalls"]
    assert row["statecode"] == 0
    again = command(*asked)  # what is there already is compared, as the worker does
    assert "412" in again.out
    assert "it is there already: the worker would compare it" in again.out
    assert len(reached.dataverse.dump()["phonecalls"]) == 1


@pytest.mark.usefixtures("reached")
def test_an_update_before_its_create_says_which_step_to_run_first(command: Command) -> None:
    ended = command("preview", "phonecall", "STEP4", "--sample", "voice-in", "--send")
    assert ended.status == 1
    assert "PATCH phonecalls answered 404" in ended.out
    assert "Does Not Exist" in ended.out  # Dynamics' own words
    assert "there is no such record: run STEP2 first, or all with --all --send" in ended.out


@pytest.mark.usefixtures("reached")
def test_a_record_that_is_there_is_told_with_what_the_worker_does(command: Command) -> None:
    asked = ("preview", "phonecall", "STEP2", "--sample", "voice-in", "--send")
    assert "record: https://" in command(*asked).out
    ended = command(*asked)
    assert ended.status == 1
    assert "A record with matching key values already exists" in ended.out
    assert "it is there already: the worker would compare it" in ended.out


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize("all_", [(), ("--all",)])
def test_what_dynamics_refuses_is_told_in_its_own_words_with_what_to_do(
    command: Command, pipeline: Callable[[str], Path], all_: tuple[str, ...]
) -> None:
    path = pipeline(
        '[[step]]\nname = "A"\non = "created"\nmethod = "POST"\nentity = "phonecalls"\n'
        """body = '{"subject": "x", "subjct": "y"}'\n"""
    )
    ended = command("preview", path, "A", "--sample", "voice-in", "--send", *all_)
    assert ended.status == 1
    told = ended.out
    assert "POST phonecalls answered 400" in told
    assert "subjct" in told.partition("answered 400")[2]
    assert "check --online" in told


def test_a_stored_contact_is_previewed_as_if_nothing_had_been_sent(
    command: Command, place: Path, day: Path
) -> None:
    del place
    call = "00000000-0000-4000-a000-000000000001"
    state = ("--state", "sqlite:t.sqlite")
    command("replay", day, "--pipeline", "phonecall", "--dynamics", "sandbox", *state)
    ended = command("preview", "phonecall", "STEP2", "--contact", call, *state)
    assert (ended.status, ended.err) == (0, "")
    body = json.loads(ended.out.partition("\n\n")[2])
    assert body["phonenumber"] == "+15555550100"
    unknown = command("preview", "phonecall", "STEP2", "--contact", "x", *state)
    assert "the store knows no contact x" in unknown.err


def _number(command: Command) -> str:
    shown = command("preview", "phonecall", "STEP2", "--sample", "voice-in").out
    number: str = json.loads(shown.partition("\n\n")[2])["phonenumber"]
    return number
