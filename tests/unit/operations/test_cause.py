"""The cause of a parked write: one for all that were refused for one reason."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.contact import Parked
from worker.operations.cause import Cause, cause_of


GUID = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"


def message(answer: str, body: Any = None) -> str:
    request = {"method": "PATCH", "path": "phonecalls(1)", "body": body}
    return cause_of("phonecalls(1)", Parked([], 0.0, 400, "0x8", request, answer)).message


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (f"phonecall With Id = {GUID} Does Not Exist", "phonecall With Id = … Does Not Exist"),
        (
            f"Principal user (Id={GUID.upper()}, type=8) is missing prvCreateTask privilege",
            "Principal user (Id=…, type=8) is missing prvCreateTask privilege",
        ),
        (
            "The length of the 'subject' attribute exceeded the maximum allowed length of '200'.",
            "The length of the 'subject' attribute exceeded the maximum allowed length of '200'.",
        ),
        ("'phonecall' entity doesn't contain attribute with Name = 'x'", None),
        ("nobody has ada@customer.example or +49 30 123 4567", "nobody has … or …"),
        ("'Ada Sample' is no user; \"x y\" neither", "'…' is no user; \"…\" neither"),
        ("at 2026-01-02T03:04:05.123Z it was locked", "at … it was locked"),
        ("two\n  lines", "two lines"),
        ("", ""),
    ],
)
def test_a_cause_has_the_answer_without_ids_numbers_addresses_and_times(
    answer: str, told: str | None
) -> None:
    assert message(answer) == (answer if told is None else told)


def test_a_cause_has_no_value_that_was_sent_and_is_repeated_in_the_answer() -> None:
    body = {"new_centre": "DE-017", "parties": [{"addressused": "Ada"}], "prioritycode": 99, "x": 1}
    answer = "The value 99 of 'prioritycode' is wrong: DE-017 (Ada), Adam and 1990"
    assert message(answer, body) == "The value … of 'prioritycode' is wrong: … (…), Adam and 1990"


def test_a_cause_has_no_value_that_a_lookup_asked_for() -> None:
    request = {"method": "GET", "path": "contacts?$filter=lastname%20eq%20'Sample'", "body": None}
    parked = Parked([], 0.0, 400, "0x8", request, "Sample is not allowed here")
    assert cause_of("mine/WHO", parked).message == "… is not allowed here"


def test_what_dataverse_says_before_the_reason_is_left_out() -> None:
    answer = (
        "Error identified in Payload provided by the user for Entity :'phonecalls', For more "
        "information on this error please follow this help link https://go.microsoft.com/x  ---->  "
        "InnerException : Microsoft.Crm.CrmException: Invalid property 'kategory' was found"
    )
    assert message(answer) == "Microsoft.Crm.CrmException: Invalid property 'kategory' was found"


@pytest.mark.parametrize(
    ("place", "path", "table"),
    [
        (f"tasks({GUID})", "tasks", "tasks"),
        ("mine/WHO", "contacts?$filter=mobilephone eq '1'", "contacts"),
        ("mine/WHO", "/contacts(emailaddress1='a')", "contacts"),
    ],
)
def test_a_cause_names_the_table_of_a_record_and_of_a_lookup(
    place: str, path: str, table: str
) -> None:
    parked = Parked([], 0.0, None, "", {"path": path}, "")
    assert cause_of(place, parked) == Cause(table, "", "", "")
