"""What must be known of a table."""

from __future__ import annotations

import pytest

from pipelines.entity import ENTITIES, entity, is_party_list


@pytest.mark.parametrize(
    "name", ["phonecalls", "tasks", "emails", "appointments", "letters", "campaignresponses"]
)
def test_activities_have_one_key(name: str) -> None:
    table = entity(name)
    assert (table.key, table.logical, table.known) == ("activityid", name[:-1], True)


@pytest.mark.parametrize(
    ("name", "logical"), [("faxes", "fax"), ("campaignactivities", "campaignactivity")]
)
def test_activities_with_an_irregular_plural_have_it_too(name: str, logical: str) -> None:
    table = entity(name)
    assert (table.key, table.logical, table.known) == ("activityid", logical, True)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("contacts", "contactid"),
        ("accounts", "accountid"),
        ("leads", "leadid"),
        ("incidents", "incidentid"),
        ("annotations", "annotationid"),
        ("systemusers", "systemuserid"),
        ("queueitems", "queueitemid"),
        ("opportunities", "opportunityid"),
    ],
)
def test_other_tables_have_a_key_of_their_own(name: str, key: str) -> None:
    assert (entity(name).key, entity(name).known) == (key, True)


@pytest.mark.parametrize(("name", "status"), [("phonecalls", 1), ("tasks", 2), ("incidents", 1)])
def test_an_open_record_has_this_status(name: str, status: int) -> None:
    assert entity(name).open_status == status


def test_a_phone_call_is_as_the_reference_says() -> None:
    lengths = entity("phonecalls").lengths
    assert (lengths["subject"], lengths["phonenumber"], lengths["description"]) == (200, 200, 2000)
    assert entity("phonecalls").defaults["directioncode"] is True


@pytest.mark.parametrize(
    ("name", "logical"),
    [
        ("msdyn_ocliveworkitems", "msdyn_ocliveworkitem"),
        ("new_calls", "new_call"),
        ("new_categories", "new_category"),
        ("new_addresses", "new_address"),
        ("new_boxes", "new_box"),
        ("new_batches", "new_batch"),
        ("new_wishes", "new_wish"),
        ("equipment", "equipment"),
        ("cr8a1_cases", "cr8a1_case"),
        ("cr8a1_expenses", "cr8a1_expense"),
        ("cr8a1_processes", "cr8a1_process"),
        ("cr8a1_buses", "cr8a1_bus"),
        ("cr8a1_houses", "cr8a1_house"),
    ],
)
def test_a_custom_tables_names_follow_the_plural_rule(name: str, logical: str) -> None:
    table = entity(name)
    assert (table.logical, table.key, table.known) == (logical, f"{logical}id", False)


def test_every_table_is_found_by_its_set() -> None:
    assert all(name == table.set for name, table in ENTITIES.items())


@pytest.mark.parametrize(
    ("column", "is_list"),
    [("phonecall_activity_parties", True), ("email_activity_parties", True), ("subject", False)],
)
def test_party_lists_are_told_by_their_name(column: str, is_list: bool) -> None:
    assert is_party_list(column) is is_list
