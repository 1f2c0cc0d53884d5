"""Under which labels a contact is found."""

from __future__ import annotations

import orjson
import pytest

from pipelines.contact import Contact, Parked, RecordLedger
from pipelines.fact import Fact
from pipelines.labels import Keyed, label_of, relabel


KEY = b"k" * 32
CALL = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
GUID = "0D0C2C5E-7A3B-4D0E-9C53-1D6F6A4E2B10"


def told(register: str, at: str = "2026-11-30T23:59:58.000Z", /, **message: object) -> Contact:
    """A contact of which one message came."""
    made = Contact(CALL)
    made.observe(Fact(CALL, register, at, orjson.dumps(message), at))
    return made


def labels(contact: Contact, key: bytes | None = KEY) -> set[str]:
    relabel(contact, key)
    return set(contact.labels)


def of(kind: Keyed, text: str) -> str:
    label = label_of(kind, text, KEY)
    assert label
    return label


def parked(status: int | None, code: str) -> Parked:
    return Parked(["p/S"], 1.0, status, code, {}, "no")


def test_a_contact_is_found_by_the_utc_day_on_which_it_began() -> None:
    begun = told("event/QUEUED", InitiationTimestamp="2026-11-29T23:00:00Z")
    assert labels(begun) == {"day 2026-11-29"}
    assert begun.labels == {"day 2026-11-29": 1_795_993_200}


def test_a_contact_that_does_not_say_when_it_began_is_found_by_its_earliest_message() -> None:
    assert labels(told("object/b/k")) == {"day 2026-11-30"}


def test_a_contact_of_which_only_others_told_is_not_found() -> None:
    assert labels(told("kin/1/record", InitiationTimestamp="2026-11-29T23:00:00Z")) == set()


@pytest.mark.parametrize(
    "typed", ["+49 30 901820", "0049 (30) 90 18 20", "tel:+4930901820", "+49 (0) 30 901820"]
)
def test_a_contact_is_found_by_its_number_however_it_is_typed(typed: str) -> None:
    call = told("record", CustomerEndpoint={"Address": "+4930901820", "Type": "TELEPHONE_NUMBER"})
    assert of("phone", typed) in labels(call)


def test_a_contact_is_found_by_the_number_it_was_transferred_to_and_not_by_ours() -> None:
    call = told(
        "record",
        SystemEndpoint={"Address": "+4930111111"},
        TransferredToEndpoint={"Address": "+4930222222"},
    )
    assert of("phone", "+4930222222") in labels(call)
    assert of("phone", "+4930111111") not in call.labels


def test_a_mail_is_found_by_everybody_it_is_from_and_to() -> None:
    mail = told(
        "record",
        CustomerEndpoint={"Address": "Ada <Ada@Example.com>", "Type": "EMAIL_ADDRESS"},
        AdditionalEmailRecipients={"CcList": [{"Address": "bob@example.com"}]},
    )
    assert {of("email", "ada@example.com"), of("email", "BOB@example.com")} <= labels(mail)


def test_a_contact_is_found_by_its_agents_user_name_in_any_case() -> None:
    assert of("agent", "JDoe ") in labels(told("record", Agent={"Username": "jdoe"}))


def test_a_contact_is_found_by_a_record_it_made_and_by_the_customer_who_was_looked_up() -> None:
    call = told("event/INITIATED")
    call.ledger["phonecalls(1)"] = RecordLedger("phonecalls", GUID.lower(), "there")
    call.ledger["tasks(2)"] = RecordLedger("tasks", GUID.lower().replace("0d", "1e"), "unsent")
    customer, agent = GUID.replace("0D0C", "ABCD"), GUID.replace("0D0C", "9999")
    answer = {"LookupStatus": "SingleMatch", "contactid": customer, "systemuserid": agent}
    call.lookups["p/WHO"] = {"asked": "x", "answer": answer}
    found = labels(call)
    assert of("record", f"phonecalls({GUID})") in found
    assert of("record", f"{{{customer}}}") in found
    assert len(found) == 3, "not by what was never made, and agents by their names"


def test_the_contact_record_decides_who_it_is_with_once_it_is_there() -> None:
    call = told("event/INITIATED", CustomerEndpoint={"Address": "+4930901820"})
    assert of("phone", "+4930901820") in labels(call)
    body = orjson.dumps({"CustomerEndpoint": {"Address": "+4930333333"}})
    call.observe(Fact(CALL, "record", "9", body, "2026-11-30T23:59:59.000Z"))
    assert of("phone", "+4930333333") in labels(call)
    assert of("phone", "+4930901820") not in call.labels


def test_a_contact_is_found_by_what_fails_as_long_as_it_does() -> None:
    call = told("event/INITIATED")
    call.parked["phonecalls(1)"] = parked(403, "0x80040220")
    call.parked["p/WHO"] = parked(None, "")
    wanted = {"failing 403 0x80040220 phonecalls", "failing - - p/WHO"}
    assert wanted < labels(call)
    call.parked.clear()
    assert labels(call) == {"day 2026-11-30"}


def test_a_contact_is_found_whose_page_came_too_late_but_not_one_that_was_replayed() -> None:
    call = told("event/INITIATED")
    call.effects["p/OPEN"] = "worker_late 2026-11-30T23:59:59.000Z 70 s"
    assert "expired" in labels(call)
    call.effects["p/OPEN"] = "replayed 2026-11-30T23:59:59.000Z"
    assert "expired" not in labels(call)


def test_without_a_key_no_contact_gets_labels_of_people_and_none_loses_them() -> None:
    call = told("record", CustomerEndpoint={"Address": "+4930901820"})
    assert labels(call, None) == {"day 2026-11-30"}
    found = labels(call)
    assert len(found) == 2
    assert labels(call, None) == found


def test_with_another_key_a_contact_is_found_under_other_labels_only() -> None:
    call = told("record", CustomerEndpoint={"Address": "+4930901820"})
    before = labels(call)
    assert label_of("phone", "+4930901820", b"j" * 32) not in before
    assert before & labels(call, b"j" * 32) == {"day 2026-11-30"}


def test_a_contact_keeps_the_place_of_its_labels_when_it_turns_out_to_have_begun_earlier() -> None:
    call = told("event/QUEUED")
    call.effects["p/OPEN"] = "worker_late"
    relabel(call, None)
    at = call.labels["expired"]
    body = orjson.dumps({"InitiationTimestamp": "2026-11-29T01:00:00Z"})
    call.observe(Fact(CALL, "event/INITIATED", "1", body, "2026-11-29T01:00:00.000Z"))
    relabel(call, None)
    assert call.labels["expired"] == at
    assert call.labels["day 2026-11-29"] < at


@pytest.mark.parametrize(
    ("kind", "text"),
    [("phone", "anonymous"), ("email", "nobody"), ("agent", "  "), ("record", "phonecalls(1)")],
)
def test_what_is_nothing_of_its_kind_has_no_label(kind: Keyed, text: str) -> None:
    assert label_of(kind, text, KEY) is None


def test_a_label_tells_nothing_of_the_value_it_is_made_of() -> None:
    assert len(of("email", "somebody.with.a.long.name@example.com")) == len("email ") + 12
    assert of("agent", "1234567890").split()[1] != of("phone", "+1234567890").split()[1]
