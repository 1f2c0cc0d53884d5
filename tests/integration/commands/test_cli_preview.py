"""``connect-dynamics preview``: what a step would send for real messages."""

from __future__ import annotations

import json

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from worker.sandbox import traffic


Command = Callable[..., Any]

#: The answered call of ``day``.
CALL = "00000000-0000-4000-a000-000000000001"

LOOKUP = """
[[step]]
name = "FIND"
on = "created"
method = "GET"
entity = "contacts"
query = "?$select=fullname&$filter=telephone1 eq '{{CustomerEndpoint}}'"
"""


@pytest.fixture
def preview(command: Command, day: Path) -> Command:
    def run(step: str, *options: object, pipeline: object = "phonecall") -> Any:
        return command("preview", pipeline, step, "--event", day, *options, "--contact", CALL)

    return run


def parts(out: str) -> tuple[str, dict[str, str], dict[str, Any] | None]:
    """Request line, headers, body."""
    head, _, body = out.partition("\n\n")
    line, *headers = head.splitlines()
    return line, dict(h.split(": ", 1) for h in headers), json.loads(body) if body else None


def test_a_create_is_a_post_with_the_key_in_its_body(preview: Command) -> None:
    ended = preview("STEP2")
    line, headers, body = parts(ended.out)
    assert ended.status == 0
    assert line == "POST https://<environment_url>/api/data/v9.2/phonecalls"
    assert headers["Authorization"] == "Bearer <token>"
    assert headers["Content-Type"] == "application/json"
    assert body is not None
    assert body.pop("activityid")
    assert body == {
        "subject": "Call between agent.one and +15555550100",
        "phonenumber": "+15555550100",
        "directioncode": False,
        "actualstart": "2026-01-02T09:00:00Z",
        "scheduledstart": "2026-01-02T09:00:00Z",
    }


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (
            "STEP4",
            {
                "actualend": "2026-01-02T09:04:05Z",
                "scheduledend": "2026-01-02T09:04:05Z",
                "actualdurationminutes": 5,
                "category": "VOICE",
            },
        ),
        ("RECORD", {"subcategory": "Service"}),
        ("CLOSE", {"statecode": 1, "statuscode": 4}),
    ],
)
def test_an_update_is_a_conditional_patch_of_the_same_record(
    preview: Command, step: str, body: dict[str, Any]
) -> None:
    created = parts(preview("STEP2").out)[2]
    assert created is not None
    line, headers, sent = parts(preview(step).out)
    assert line.startswith("PATCH ")
    assert line.endswith(f"/phonecalls({created['activityid']})")
    assert headers["If-Match"] == "*"
    assert sent == body


def test_the_recording_s_address_is_previewed(preview: Command) -> None:
    body = parts(preview("STEP5").out)[2]
    assert body is not None
    assert body["description"].startswith("Your Recording URI is https://")


def test_a_page_to_open_is_shown_with_its_query(
    preview: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_ENVIRONMENT_URL", "https://org.test/")
    monkeypatch.setenv("CONNECT_DYNAMICS_APP_ID", "the-app")
    line, headers, body = parts(preview("STEP3").out)
    assert line.startswith("OPEN https://org.test/main.aspx?appid=the-app&pagetype=entityrecord")
    assert "&etn=phonecall&id=" in line
    assert headers == {"tab": "new"}
    assert body is None


def test_a_lookup_is_a_get_with_its_value_escaped(
    preview: Command, pipeline: Callable[[str], Path]
) -> None:
    line, headers, body = parts(preview("FIND", pipeline=pipeline(LOOKUP)).out)
    assert line.startswith("GET https://<environment_url>/api/data/v9.2/contacts?$select=fullname")
    assert "%2B15555550100" in line
    assert "$top=50" in line
    assert "Content-Type" not in headers
    assert body is None


def test_a_lookup_step_shows_what_it_asks_first_and_then(preview: Command) -> None:
    ended = preview("CUSTOMER", pipeline="timeline")
    assert ended.status == 0
    first, _, then = ended.out.partition("\nthen, if nobody is found: GET ")
    line = first.splitlines()[0]
    assert line.startswith("GET https://<environment_url>/api/data/v9.2/contacts?$select=contactid")
    assert "telephone1%20eq%20'%2B15555550100'" in line
    assert then.startswith("https://<environment_url>/api/data/v9.2/accounts?$select=accountid")
    assert "endswith(" not in ended.out


def test_a_step_that_is_not_reached_says_why(preview: Command) -> None:
    ended = preview("CLOSE-OUTBOUND")
    assert ended.status == 1
    assert "CLOSE-OUTBOUND sends nothing: takes Outbound true, this is false" in ended.out


def test_an_unknown_step_is_answered_with_those_there_are(preview: Command) -> None:
    ended = preview("STEP9")
    assert ended.status == 1
    assert "no step 'STEP9'; it has STEP2, STEP3" in ended.err


def test_several_contacts_must_be_chosen_from(command: Command, day: Path) -> None:
    asked = ("preview", "phonecall", "STEP2", "--event", day)
    assert "several contacts: choose one with --contact" in command(*asked).err
    ended = command(*asked, "--contact", "unknown")
    assert ended.status == 1
    assert "no message is about contact unknown; there are " in ended.err


def test_a_contact_is_found_behind_a_hundred_others(command: Command, place: Path) -> None:
    stories = [traffic.history("chat", Random(seed)) for seed in range(120)]
    last = max(stories, key=lambda story: story.contacts[0].id)
    traffic.write_archive(place / "chats.json", (m for story in stories for m in story.sent))
    ended = command(
        *("preview", "chat", "CREATE", "--event", "chats.json"),
        *("--contact", last.contacts[0].id.upper()),
    )
    assert ended.err == ""
    assert ended.status == 0


def test_files_about_no_contact_are_told_from_the_rest(command: Command, place: Path) -> None:
    (place / "empty.json").touch()
    ended = command("preview", "phonecall", "STEP2", "--event", "empty.json")
    assert ended.status == 1
    assert "no message about a contact" in ended.err


def test_sending_returns_the_response_object(preview: Command, reached: Any) -> None:
    ended = preview("STEP2", "--send")
    assert ended.status == 0
    answer = json.loads(ended.out[ended.out.index("\n}\n") + 3 :].partition("\nrecord: ")[0])
    (row,) = reached.dataverse.dump()["phonecalls"]
    assert answer["activityid"] == row["activityid"]
    assert answer["subject"] == row["subject"]

    ended = preview("STEP4", "--send")
    answer = json.loads(ended.out[ended.out.index("\n}\n") + 3 :].partition("\nrecord: ")[0])
    assert answer["actualdurationminutes"] == 5


@pytest.mark.parametrize(
    ("stored", "outcome"), [(["+1 (555) 555-0100"], "SingleMatch"), ([], "NoMatch")]
)
def test_sending_a_lookup_shows_the_match(
    preview: Command, reached: Any, stored: list[str], outcome: str
) -> None:
    for number in stored:
        row = {"firstname": "Ada", "lastname": "A", "telephone1": number}
        reached.dataverse.put("contacts", row)
    ended = preview("CUSTOMER", "--send", pipeline="timeline")
    assert ended.status == 0
    found = json.loads(ended.out[ended.out.index("{") :])
    assert (found["LookupStatus"], found["outcome"]) == (outcome, outcome)
    assert found.get("name") == ("Ada A" if stored else None)


def test_sending_a_query_s_step_shows_rows_and_match(
    preview: Command, reached: Any, pipeline: Callable[[str], Path]
) -> None:
    reached.dataverse.put("contacts", {"lastname": "A", "telephone1": "+15555550100"})
    ended = preview("FIND", "--send", pipeline=pipeline(LOOKUP))
    found = json.loads(ended.out[ended.out.index("{") :])
    assert (len(found["value"]), found["outcome"]) == (1, "SingleMatch")


def test_sending_what_is_there_already_shows_dynamics_refusal(
    preview: Command, reached: Any
) -> None:
    preview("STEP2", "--send")
    ended = preview("STEP2", "--send")
    assert ended.status == 1
    assert "POST phonecalls answered 412" in ended.out
    assert len(reached.dataverse.dump()["phonecalls"]) == 1


def test_a_page_cannot_be_sent(preview: Command, reached: Any) -> None:
    ended = preview("STEP3", "--send")
    assert ended.status == 1
    assert "opened on the agent's desktop" in ended.err
    assert reached.requests.empty()


def test_sending_needs_the_settings_of_dynamics(preview: Command) -> None:
    ended = preview("STEP2", "--send")
    assert ended.status == 1
    assert "please set CONNECT_DYNAMICS_ENVIRONMENT_URL" in ended.err
