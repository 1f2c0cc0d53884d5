"""When steps apply: milestones, conditions, waits, and what is for live contacts only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import permutations
from typing import Any

import pytest

from pipelines.action import Action
from pipelines.age import KEPT_S
from pipelines.contact import Contact, Parked, RecordLedger
from pipelines.fact import Fact
from pipelines.identity import record_id
from pipelines.lifecycle import AWAITED, MILESTONES
from pipelines.loader import load
from pipelines.outcome import Missing
from pipelines.plan import UNDECIDED, Plan, Terms, opening, plan
from pipelines.settle import settle
from pipelines.step import OpenStep


Told = Callable[..., Contact]
Makes = Callable[..., Fact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

BEGAN = 1767322800.0  # 03:00:00
ANSWERED = BEGAN + 20
ENDED = BEGAN + 245
FOREVER = float("inf")

CREATE = """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{"subject": "Call"}'
"""
FILE = """
[[step]]
name = "FILE"
on = "recording"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"description": "{{objectUri}}"}'
"""
CLOSE = """
[[step]]
name = "CLOSE"
on = "ended"
after = ["FILE"]
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
body = '{"statecode": 1, "statuscode": 4}'
"""
OPEN = """
[[step]]
name = "OPEN"
on = "answered"
open = "main.aspx"
query = '{"etn": "phonecall", "id": "{{CALL-Response.activityid}}"}'
"""


def planned(contact: Contact, *steps: str, now: float = ENDED, **terms: Any) -> Any:
    return plan(contact, [load('name = "p"' + "".join(steps))], now, Terms(**terms))


def kinds(found: Plan) -> list[str]:
    return [write.kind for write in found.actions]


# --- milestones and conditions ------------------------------------------------------------------


@pytest.mark.parametrize("milestone", MILESTONES[1:])
def test_a_step_waits_for_its_milestone(milestone: str, event: Makes, told: Told) -> None:
    found = planned(told(event("INITIATED")), CREATE.replace('"created"', f'"{milestone}"'))
    assert found == Plan(waiting={"p/CALL": f"for {AWAITED[milestone]}"})


def test_every_milestone_has_words_for_waiting() -> None:
    assert set(AWAITED) == set(MILESTONES)


VOICEMAIL = 'Attributes.vmx3_flag = { not = ["1"] }'


@pytest.mark.parametrize("place", ["file", "step"])
@pytest.mark.parametrize(("flag", "made"), [({"vmx3_flag": "1"}, False), ({}, True)])
def test_nothing_is_made_of_a_contact_before_it_is_known_whether_a_condition_says_no(
    event: Makes, record: Makes, told: Told, place: str, flag: dict[str, str], *, made: bool
) -> None:
    head = f"when = {{ {VOICEMAIL} }}"
    text = f"{head}{CREATE}" if place == "file" else f"{CREATE}{head}"
    before = planned(told(event("INITIATED"), event("DISCONNECTED")), "\n" + text)
    assert (before.actions, before.waiting) == ([], {"p/CALL": UNDECIDED})
    assert before.next_at == ENDED + 900
    for order in permutations([event("INITIATED"), record(Attributes=flag)]):
        found = planned(told(*order), "\n" + text)
        assert bool(found.actions) is made


def test_a_condition_waits_no_longer_than_within(event: Makes, told: Told) -> None:
    contact = told(event("INITIATED"), event("DISCONNECTED"))
    step = f'{CREATE}when = {{ {VOICEMAIL} }}\nwithin = "5m"'
    assert planned(contact, step, now=ENDED + 299).next_at == ENDED + 300
    assert kinds(planned(contact, step, now=ENDED + 300)) == ["create"]


def test_an_alternative_that_holds_makes_the_record_while_the_contact_is_on(
    event: Makes, told: Told
) -> None:
    step = f"{CREATE}when = {{ any = [{{ Answered = true }}, {{ {VOICEMAIL} }}] }}"
    assert planned(told(event("INITIATED")), step).actions == []
    answered = told(event("INITIATED"), event("CONNECTED_TO_AGENT"))
    assert kinds(planned(answered, step, now=ANSWERED)) == ["create"]


@pytest.mark.parametrize(
    ("when", "admitted"),
    [
        ('Channel = "voice"', True),
        ('Channel = ["CHAT", "VOICE"]', True),
        ('Channel = "CHAT"', False),
        ("Outbound = false", True),
        ('Queue = "support"', True),
        ('"Queue.ARN" = "77"', True),
        ('InstanceARN = "1a2b"', True),
        ('InstanceARN = "arn:aws:connect:eu-central-1:111122223333:instance/1a2b"', True),
        ('InstanceARN = "2b"', False),
        ('"attributes.callreason" = "invoice"', True),
        ('"Attributes.Other" = "invoice"', False),
        ('Channel = "VOICE", Queue = "Sales"', False),
        ("Attributes = 1", False),
    ],
)
def test_a_step_applies_to_contacts_its_when_admits(
    when: str, record: Makes, told: Told, *, admitted: bool
) -> None:
    found = planned(told(record()), CREATE + f"when = {{ {when} }}")
    assert kinds(found) == (["create"] if admitted else [])
    assert ("p/CALL" in found.waiting) is not admitted


# --- after and within ---------------------------------------------------------------------------


def test_a_step_waits_for_others(record: Makes, stored: Makes, told: Told) -> None:
    contact = told(record())
    before = planned(contact, CREATE, FILE, CLOSE, now=FOREVER)
    assert kinds(before) == ["create"]
    assert before.waiting["p/CLOSE"] == "for FILE"
    assert before.next_at is None
    contact.observe(stored())
    assert kinds(planned(contact, CREATE, FILE, CLOSE)) == ["create", "close"]


def test_a_step_says_all_that_it_waits_for(event: Makes, told: Told) -> None:
    script = FILE.replace('"FILE"', '"SCRIPT"').replace('"recording"', '"transcript"')
    close = CLOSE.replace('["FILE"]', '["FILE", "SCRIPT"]')
    contact = told(event("CONNECTED_TO_AGENT"), event("DISCONNECTED"))
    found = planned(contact, CREATE, FILE, script, close)
    assert found.waiting["p/CLOSE"] == "for FILE, SCRIPT"


def test_within_is_the_longest_that_a_step_waits(record: Makes, told: Told) -> None:
    steps = (CREATE, FILE, CLOSE + 'within = "10m"')
    before = planned(told(record()), *steps, now=ENDED + 599)
    assert (kinds(before), before.next_at) == (["create"], ENDED + 600)
    after = planned(told(record()), *steps, now=ENDED + 600)
    assert (kinds(after), after.next_at) == (["create", "close"], None)
    assert kinds(planned(told(record()), *steps, now=FOREVER)) == ["create", "close"]


def test_the_earliest_of_several_waits_counts(record: Makes, told: Told) -> None:
    waits = (CLOSE.replace('"CLOSE"', '"LATER"') + 'within = "20m"', CLOSE + 'within = "10m"')
    for order in permutations(waits):
        assert planned(told(record()), CREATE, FILE, *order).next_at == ENDED + 600


def test_before_the_end_nothing_runs_out(event: Makes, told: Told) -> None:
    close = CLOSE.replace('"ended"', '"created"') + 'within = "0s"'
    found = planned(told(event("INITIATED")), CREATE, FILE, close, now=FOREVER)
    assert (kinds(found), found.next_at) == (["create"], None)


def test_a_contact_nobody_answered_waits_for_no_recording(record: Makes, told: Told) -> None:
    assert kinds(planned(told(record(Agent=None)), CREATE, FILE, CLOSE)) == ["create", "close"]


def test_a_contact_nobody_has_answered_yet_waits_for_its_recording(
    event: Makes, told: Told
) -> None:
    close = CLOSE.replace('"ended"', '"created"')
    assert kinds(planned(told(event("QUEUED")), CREATE, FILE, close)) == ["create"]


def test_a_step_that_its_when_keeps_away_is_not_waited_for(
    record: Makes, stored: Makes, told: Told
) -> None:
    never = FILE + 'when = { Channel = "CHAT" }'
    assert kinds(planned(told(record(), stored()), CREATE, never, CLOSE)) == ["create", "close"]


def test_a_step_on_a_file_is_told_of_that_file_and_of_no_other_kind(
    record: Makes, stored: Makes, told: Told
) -> None:
    contact = told(record(), stored())
    key = f"a/{contact.id}_20260102T03:00_UTC.json"
    contact.observe(stored(key))
    (create,) = planned(contact, CREATE, FILE.replace('"recording"', '"transcript"')).actions
    assert create.columns["description"] == f"s3://recordings/{key}"


# --- legs and age -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["DISCONNECT", "MONITOR"])
def test_a_side_leg_gets_no_record(method: str, record: Makes, told: Told) -> None:
    contact = told(record(InitiationMethod=method, Queue=None, Agent=None))
    found = planned(contact, CREATE, FILE, CLOSE)
    assert found.actions == []
    assert found.waiting["p/CALL"].startswith(f"no: {method} legs")
    named = CREATE + f'when = {{ InitiationMethod = "{method}" }}'
    assert kinds(planned(contact, named)) == ["create"]
    text = f'name = "p"\nwhen = {{ initiationmethod = "{method}" }}' + CREATE
    assert len(plan(contact, [load(text)], ENDED, Terms()).actions) == 1


@pytest.mark.parametrize("method", ["INBOUND", "TRANSFER", "QUEUE_TRANSFER", "BRAND_NEW", None])
def test_every_other_leg_is_a_contact_of_its_own(
    method: str | None, record: Makes, told: Told
) -> None:
    assert kinds(planned(told(record(InitiationMethod=method)), CREATE)) == ["create"]


def test_contacts_older_than_the_pipeline_get_no_record_live(record: Makes, told: Told) -> None:
    since = {"p": "2026-01-02T03:00:01Z"}
    found = planned(told(record()), CREATE, live=True, since=since)
    assert found.actions == []
    assert "before this pipeline was first loaded" in found.waiting["p/CALL"]
    assert kinds(planned(told(record()), CREATE, live=False, since=since)) == ["create"]
    same = {"p": "2026-01-02T03:00:00Z"}
    assert kinds(planned(told(record()), CREATE, live=True, since=same)) == ["create"]
    other = {"q": "2026-01-02T03:00:01Z"}
    assert kinds(planned(told(record()), CREATE, live=True, since=other)) == ["create"]


def test_a_contact_that_began_nobody_knows_when_gets_its_record(event: Makes, told: Told) -> None:
    contact = told(event("COMPLETED", time="", initiationTimestamp=None))
    found = planned(contact, CREATE, live=True, since={"p": "2026-01-02T03:00:01Z"})
    assert kinds(found) == ["create"]


def test_a_record_once_begun_is_kept_true(record: Makes, told: Told) -> None:
    contact = told(record())
    for write in planned(contact, CREATE).actions:
        contact.ledger[write.record] = RecordLedger(write.entity, write.key, "there")
    found = planned(contact, CREATE, live=True, since={"p": "2026-01-02T03:00:01Z"})
    assert kinds(found) == ["update"]


def arriving(contact: Contact, at: float) -> Contact:
    contact.arrived = at
    return contact


MISSING = Missing(Parked(["p/CALL"], 0.0, 404, "", {}, ""))
STEPS = (CREATE, CLOSE.replace('["FILE"]', "[]"))


def test_what_was_long_over_when_first_heard_of_is_looked_for_before_it_is_created(
    record: Makes, told: Told
) -> None:
    contact = arriving(told(record()), ENDED + KEPT_S + 1)
    (adopt,) = planned(contact, *STEPS, live=True).actions
    assert adopt.kind == "adopt"
    assert adopt.columns == {"subject": "Call", "statecode": 1, "statuscode": 4}
    assert kinds(planned(contact, *STEPS, live=False)) == ["create", "close"]
    contact.replayed = True
    assert kinds(planned(contact, *STEPS, live=True)) == ["create", "close"]


@pytest.mark.parametrize("arrived", [None, ENDED, ENDED + KEPT_S])
def test_what_was_heard_of_in_time_or_nobody_knows_when_is_created_however_late_it_is_planned(
    record: Makes, told: Told, arrived: float | None
) -> None:
    contact = told(record())
    contact.arrived = arrived
    found = planned(contact, *STEPS, live=True, now=ENDED + 400 * 86_400)
    assert kinds(found) == ["create", "close"]


def test_a_contact_that_has_not_ended_is_not_long_over(event: Makes, told: Told) -> None:
    contact = arriving(told(event("INITIATED")), ENDED + 2 * KEPT_S)
    assert kinds(planned(contact, *STEPS, live=True)) == ["create"]


@pytest.mark.parametrize("kind", ["INITIATED", "DISCONNECTED", "QUEUED", "AMD_DISABLED"])
def test_one_event_dated_1971_makes_no_contact_old(
    event: Makes, record: Makes, told: Told, kind: str
) -> None:
    long_ago = "1971-01-01T00:00:00Z"
    wrong = event(
        kind,
        time=long_ago,
        initiationTimestamp=long_ago,
        disconnectTimestamp=long_ago,
        queueInfo={},
    )
    since = {"p": "2026-01-02T03:00:00Z"}
    for facts in permutations((wrong, event("CONNECTED_TO_AGENT"), record())):
        contact = arriving(told(*facts), ENDED + 60)
        assert kinds(planned(contact, *STEPS, live=True, since=since)) == ["create", "close"]


def test_what_was_looked_for_in_vain_is_neither_looked_for_again_nor_created_while_it_is_old(
    record: Makes, told: Told
) -> None:
    contact = arriving(told(record()), ENDED + KEPT_S + 1)
    (adopt,) = planned(contact, CREATE, live=True).actions
    settle(contact, adopt, MISSING)
    found = planned(contact, CREATE, live=True)
    assert found.actions == []
    assert "long over" in found.waiting["p/CALL"]
    contact.arrived = ENDED  # an earlier fact, or one that nobody knows the arrival of
    assert kinds(planned(contact, CREATE, live=True)) == ["create"]


def test_steps_that_name_a_record_looked_for_in_vain_wait(record: Makes, told: Told) -> None:
    contact = arriving(told(record()), ENDED + KEPT_S + 1)
    (adopt,) = planned(contact, CREATE, live=True).actions
    settle(contact, adopt, MISSING)
    note = """
[[step]]
name = "NOTE"
on = "ended"
method = "POST"
entity = "annotations"
body = '{"notetext": "{{CALL-Response.activityid}}"}'
"""
    assert planned(contact, CREATE, note, live=True).actions == []


def test_a_wait_until_a_far_moment_is_looked_at_again_within_a_day(
    event: Makes, told: Told
) -> None:
    ended = event("DISCONNECTED", time="", disconnectTimestamp="9999-01-01T00:00:00Z")
    answered = event("CONNECTED_TO_AGENT")
    patient = CLOSE + 'within = "15m"'
    found = planned(told(answered, ended), CREATE, patient, FILE, now=ENDED)
    assert found.next_at == ENDED + 86_400


# --- for the agent ------------------------------------------------------------------------------

LIVE: dict[str, Any] = {
    "live": True,
    "constants": {"EnvironmentUri": "https://acme.crm4.dynamics.com/"},
}


def test_the_record_is_opened_for_the_agent(event: Makes, told: Told) -> None:
    contact = told(event("CONNECTED_TO_AGENT"))
    found = planned(contact, CREATE, OPEN + "tab = true", now=ANSWERED, **LIVE)
    assert kinds(found) == ["create", "open"]
    assert found.actions[1].tab
    assert found.actions[1].url == (
        "https://acme.crm4.dynamics.com/main.aspx?etn=phonecall&id="
        + record_id(contact.id, "p", "CALL")
    )


@pytest.mark.parametrize(("later", "opens"), [(0, True), (60, True), (60.5, False)])
def test_a_page_is_opened_within_a_minute_or_has_expired(
    later: float, event: Makes, told: Told, *, opens: bool
) -> None:
    contact = told(event("CONNECTED_TO_AGENT"))
    found = planned(contact, CREATE, OPEN, now=ANSWERED + later, **LIVE)
    assert ("open" in kinds(found)) is opens
    assert [*found.expired] == ([] if opens else ["p/OPEN"])


def test_a_page_is_never_opened_after_the_end(record: Makes, told: Told) -> None:
    found = planned(told(record()), CREATE, OPEN, now=ANSWERED, **LIVE)
    assert (kinds(found), [*found.expired]) == (["create"], ["p/OPEN"])


def test_a_page_is_never_opened_in_a_replay(event: Makes, told: Told) -> None:
    found = planned(told(event("CONNECTED_TO_AGENT")), CREATE, OPEN, now=ANSWERED, live=False)
    assert (kinds(found), [*found.expired]) == (["create"], [])


def test_an_acknowledged_page_is_not_opened_again(
    event: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(event("CONNECTED_TO_AGENT"))
    carry_out(contact, planned(contact, CREATE, OPEN, now=ANSWERED, **LIVE).actions, {})
    assert planned(contact, CREATE, OPEN, now=ANSWERED, **LIVE) == Plan()


@pytest.mark.parametrize(
    "effect", ["done", "expired", "refused", "shown 2026-01-02T03:00:01.000Z", "record_late x"]
)
def test_a_page_that_was_opened_or_has_expired_is_not_opened(
    effect: str, event: Makes, told: Told
) -> None:
    contact = told(event("CONNECTED_TO_AGENT"))
    contact.effects["p/OPEN"] = effect
    found = planned(contact, CREATE, OPEN, now=ANSWERED, **LIVE)
    assert (kinds(found), [*found.expired]) == (["create"], [])


def test_a_page_without_query_has_a_plain_url(event: Makes, told: Told) -> None:
    bare = OPEN[: OPEN.index("query")] + "query = '{}'"
    (write,) = planned(told(event("CONNECTED_TO_AGENT")), bare, now=ANSWERED, **LIVE).actions
    assert write.url == "https://acme.crm4.dynamics.com/main.aspx"


def test_a_page_may_come_first_in_the_file(event: Makes, told: Told) -> None:
    page = OPEN[: OPEN.index("query")] + "query = '{}'"
    update = FILE.replace('"recording"', '"answered"').replace("objectUri", "Channel")
    found = planned(told(event("CONNECTED_TO_AGENT")), page, CREATE, update, now=ANSWERED, **LIVE)
    assert kinds(found) == ["open", "create"]
    assert found.actions[1].columns == {"subject": "Call", "description": "VOICE"}


def test_a_page_waits_for_its_values(event: Makes, told: Told) -> None:
    held = OPEN.replace('"phonecall"', '"for {{CustomerEndpoint}}"')
    found = planned(told(event("CONNECTED_TO_AGENT")), CREATE, held, now=ANSWERED, **LIVE)
    assert kinds(found) == ["create"]
    assert found.waiting["p/OPEN"] == "for a value of its page"


def test_a_preview_shows_a_page_at_any_time(record: Makes, told: Told) -> None:
    pipeline = load('name = "p"' + CREATE + OPEN)
    step = pipeline.steps[1]
    assert isinstance(step, OpenStep)
    write = opening(told(record()), pipeline, step, Terms(**LIVE))
    assert write is not None
    assert write.url.startswith("https://acme.crm4.dynamics.com/main.aspx?etn=phonecall&id=")


def test_a_page_says_true_as_json_does(event: Makes, told: Told) -> None:
    page = CREATE + OPEN.replace('"phonecall"', '"phonecall", "cmdbar": true')
    found = planned(told(event("CONNECTED_TO_AGENT")), page, now=ANSWERED, **LIVE)
    assert "cmdbar=true" in found.actions[-1].url


@pytest.mark.parametrize("why", ["side leg", "older than the pipeline", "parked", "deleted"])
def test_a_record_that_is_not_there_is_not_opened(why: str, event: Makes, told: Told) -> None:
    method = "MONITOR" if why == "side leg" else "INBOUND"
    contact = told(event("CONNECTED_TO_AGENT", initiationMethod=method))
    key = record_id(contact.id, "p", "CALL")
    if why == "parked":
        contact.parked[f"phonecalls({key})"] = Parked(["p/CALL"], 0.0, 400, "", {}, "")
    if why == "deleted":
        contact.ledger[f"phonecalls({key})"] = RecordLedger("phonecalls", key, "gone")
    since = {"p": "2026-01-02T03:00:01Z"} if why == "older than the pipeline" else {}
    found = planned(contact, CREATE, OPEN, now=ANSWERED, since=since, **LIVE)
    assert found.actions == []
    assert found.waiting["p/OPEN"].startswith("for CALL")


def test_an_end_without_a_time_is_an_end(event: Makes, told: Told) -> None:
    untold = {"initiationTimestamp": None, "disconnectTimestamp": None}
    contact = told(event("DISCONNECTED", time="", **untold), event("CONNECTED_TO_AGENT", **untold))
    found = planned(contact, CREATE, OPEN, now=ANSWERED, **LIVE)
    assert (kinds(found), [*found.expired]) == (["create"], ["p/OPEN"])
