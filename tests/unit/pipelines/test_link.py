"""Links: one column per lookup, however many names it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.action import Change, Verb
from pipelines.contact import UNKNOWN, Contact, RecordLedger
from pipelines.difference import Desired, difference
from pipelines.entity import entity
from pipelines.fact import Fact
from pipelines.ledger import NULL, digest, digests, mark_unknown
from pipelines.link import address, emptied, linked, lookup_of, one_each, rivals, unbraced
from pipelines.loader import load
from pipelines.outcome import Done, Found
from pipelines.plan import Terms, plan
from pipelines.settle import settle
from pipelines.step import CreateStep
from pipelines.template import Query, compile_data, render_data
from pipelines.view import Names


KEY = "8a1f0c7e-0000-4000-8000-00000000c0de"
ONE = "11111111-0000-4000-8000-000000000001"
OTHER = "22222222-0000-4000-8000-000000000002"
US = "33333333-0000-4000-8000-000000000003"
SOMEBODY = "44444444-0000-4000-8000-000000000004"
NAME = f"phonecalls({KEY})"
CONTACT = "regardingobjectid_contact_phonecall@odata.bind"
ACCOUNT = "regardingobjectid_account_phonecall@odata.bind"
SHORT = "regardingobjectid_contact@odata.bind"
PERSON, COMPANY = f"/contacts({ONE})", f"/accounts({OTHER})"


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CONTACT, ACCOUNT),
        (CONTACT, SHORT),
        ("customerid_contact@odata.bind", "customerid_account@odata.bind"),
        ("objectid_phonecall@odata.bind", "objectid_contact@odata.bind"),
        ("parentcustomerid_account@odata.bind", "parentcustomerid_contact@odata.bind"),
        ("ownerid@odata.bind", "ownerid_team@odata.bind"),
    ],
)
def test_the_names_of_a_lookup_to_one_of_several_tables_are_one_column(
    one: str, other: str
) -> None:
    assert lookup_of(one) == lookup_of(other) != ""
    assert rivals(one, [one, other, "subject"]) == [other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("new_billing_contact@odata.bind", "new_billing_account@odata.bind"),
        ("primarycontactid@odata.bind", "parentaccountid@odata.bind"),
        ("subject", "regardingobjectid_contact_phonecall"),
    ],
)
def test_what_may_be_two_columns_is_not_taken_for_one(one: str, other: str) -> None:
    assert rivals(one, [one, other]) == []


def test_of_the_names_of_a_lookup_the_last_with_a_value_is_kept() -> None:
    assert one_each({CONTACT: PERSON, "subject": "x", ACCOUNT: COMPANY}) == {
        "subject": "x",
        ACCOUNT: COMPANY,
    }
    assert one_each({CONTACT: PERSON, ACCOUNT: None}) == {CONTACT: PERSON}
    assert one_each({CONTACT: None, ACCOUNT: None}) == {CONTACT: None}


def test_a_link_is_emptied_by_its_own_name_and_a_column_as_ever() -> None:
    assert emptied({CONTACT: None, ACCOUNT: COMPANY, "subject": None}) == {
        "regardingobjectid_contact_phonecall": None,
        ACCOUNT: COMPANY,
        "subject": None,
    }


# --- how it is written ----------------------------------------------------------------------------


def link(source: str, **names: Any) -> Any:
    return Query(source, link=True).render(Names(names))


@pytest.mark.parametrize("guid", [ONE, ONE.upper(), f"{{{ONE}}}", f"{{{ONE.upper()}}}"])
def test_a_guid_is_a_guid_in_braces_or_not_and_in_capitals_or_not(guid: str) -> None:
    assert link("/contacts({{X}})", X=guid).lower() == PERSON
    key = Query("({{X}})").render(Names({"X": guid}))
    assert key.lower() == f"({ONE})"
    sought = Query("?$filter=contactid eq {{X}}").render(Names({"X": guid}))
    assert sought.lower() == f"?$filter=contactid%20eq%20{ONE}"


def test_a_guid_in_braces_has_one_form() -> None:
    assert unbraced(f"/contacts({{{ONE.upper()}}})") == PERSON
    assert unbraced("{no guid}") == "{no guid}"


def test_an_author_s_own_guid_in_braces_stands_without_them() -> None:
    body = compile_data({CONTACT: f"/contacts({{{ONE.upper()}}})"})
    assert body == {CONTACT: PERSON}
    assert Query(f"({{{ONE}}})").render(Names({})) == f"({ONE})"


def test_an_owner_may_be_written_with_braces_too() -> None:
    assert link("/{{Owner}}", Owner=f"teams({{{ONE}}})") == f"/teams({ONE})"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("ida@example.org", "ida@example.org"),
        ("O'Brien & Söhne (Köln)", "O''Brien & Söhne (Köln)"),
        ("+49 30 9018", "+49 30 9018"),
        ("100%", "100%25"),
        ("a/b#c?d", "a%2Fb%23c%3Fd"),
        ("a\tb", "a%09b"),
    ],
)
def test_a_link_by_alternate_key_stands_in_the_body_as_text(value: str, written: str) -> None:
    """In a URL everything would be percent-encoded; nobody decodes a body for sure."""
    assert link("/contacts(emailaddress1='{{X}}')", X=value) == (
        f"/contacts(emailaddress1='{written}')"
    )


@pytest.mark.parametrize("value", ["a') or (b eq 'c", "1,2", "{x}", f"{{{ONE}"])
def test_nothing_but_a_literal_stands_outside_quotes(value: str) -> None:
    assert not link("/contacts({{X}})", X=value)


PARTY = compile_data(
    [
        {
            "participationtypemask": 1,
            "partyid_contact@odata.bind": "/contacts({{Contact}})",
            "partyid_account@odata.bind": "/accounts({{Account}})",
            "partyid_lead@odata.bind": None,
        }
    ]
)


@pytest.mark.parametrize(
    ("names", "link_"),
    [
        ({"Contact": ONE, "Account": OTHER}, {"partyid_account@odata.bind": COMPANY}),
        ({"Contact": ONE}, {"partyid_contact@odata.bind": PERSON}),
    ],
)
def test_a_party_is_one_record_and_never_linked_to_null(
    names: dict[str, str], link_: dict[str, str]
) -> None:
    assert render_data(PARTY, Names(names)) == [{"participationtypemask": 1, **link_}]


# --- what the ledger makes of it ------------------------------------------------------------------


def desired(columns: Mapping[str, Any]) -> Desired:
    """The call as steps want it: with a value laid over, without one not."""
    one = Desired("phonecalls", KEY, CreateStep.__new__(CreateStep))
    for column, value in columns.items():
        if value is None:
            one.empty(column)
        else:
            one.lay(column, value)
    return one


def owed(record: RecordLedger, **wanted: Any) -> list[dict[str, Any]]:
    changes, closes = difference(_plain(desired(wanted)), record, adopting=False)
    assert not closes
    return [change.columns for change in changes]


def _plain(one: Desired) -> Desired:
    """Without a creating step, whose fields are of no interest here."""
    one.creating = None
    one.steps = [_Step()]  # type: ignore[list-item] # all that is asked of it
    return one


class _Step:
    path = "p/S"
    on_missing = "park"
    table = entity("phonecalls")


def known(**columns: str) -> RecordLedger:
    return RecordLedger("phonecalls", KEY, "there", dict(columns))


def test_another_name_of_a_lookup_replaces_the_one_before_and_nothing_is_emptied() -> None:
    record = known(**digests({CONTACT: PERSON}))
    assert owed(record, **{CONTACT: None, ACCOUNT: COMPANY}) == [{ACCOUNT: COMPANY}]
    assert owed(record, **{ACCOUNT: COMPANY, CONTACT: None}) == [{ACCOUNT: COMPANY}]


def test_the_last_of_two_links_of_one_lookup_counts_and_the_other_is_told() -> None:
    one = desired({CONTACT: PERSON, ACCOUNT: COMPANY})
    assert one.columns == {ACCOUNT: COMPANY}
    assert one.replaced == {CONTACT}


def test_a_lookup_without_a_value_any_more_is_emptied_once_and_by_its_name() -> None:
    record = known(**{CONTACT: NULL, ACCOUNT: digest(COMPANY)})
    assert owed(record, **{CONTACT: None, ACCOUNT: None}) == [{ACCOUNT: None}]
    assert owed(record, **{CONTACT: None}) == [{ACCOUNT: None}]
    assert owed(known(), **{CONTACT: None, ACCOUNT: None}) == []


def test_a_state_that_has_two_names_of_a_lookup_acknowledged_comes_to_rest() -> None:
    """An earlier release sent both in one create; which of them Dynamics took is not known."""
    both = digests({CONTACT: PERSON, ACCOUNT: COMPANY})
    for wanted in ({CONTACT: None, ACCOUNT: None}, {CONTACT: PERSON}, {ACCOUNT: COMPANY}):
        contact = Contact("c", ledger={NAME: known(**both)})
        sent = brought(contact, wanted)
        assert len(sent) == 1
        assert len(sent[0]) == 1
        assert brought(contact, wanted) == []


def test_a_link_that_may_or_may_not_have_been_replaced_is_sent_again() -> None:
    contact = Contact("c", ledger={NAME: known(**digests({CONTACT: PERSON}))})
    contact.intent = {NAME: digests({ACCOUNT: COMPANY})}
    mark_unknown(contact)
    assert brought(contact, {CONTACT: PERSON}) == [{CONTACT: PERSON}]
    assert brought(contact, {CONTACT: PERSON}) == []


values = st.sampled_from([None, PERSON, f"/contacts({OTHER})"])


@given(
    st.lists(st.fixed_dictionaries({CONTACT: values, ACCOUNT: st.none() | st.just(COMPANY)})),
    st.dictionaries(
        st.sampled_from([CONTACT, ACCOUNT, SHORT]),
        st.sampled_from([NULL, UNKNOWN, digest(PERSON), digest(COMPANY)]),
    ),
)
def test_whatever_the_ledger_says_each_wish_is_one_change_of_one_name(
    wishes: list[dict[str, Any]], columns: dict[str, str]
) -> None:
    contact = Contact("c", ledger={NAME: known(**columns)})
    about: Any = "not known"  # what Dynamics holds, from the first change on
    for wish in wishes:
        sent = brought(contact, wish)
        assert len(sent) <= 1
        assert all(len(change) == 1 for change in sent)
        for change in sent:
            (about,) = change.values()
        if about != "not known":
            assert about == next((v for v in reversed(wish.values()) if v is not None), None)
        assert brought(contact, wish) == []


def brought(contact: Contact, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes that Dynamics acknowledges."""
    one = _plain(desired(wanted))
    changes, _ = difference(one, contact.ledger[NAME], adopting=False)
    for change in changes:
        settle(contact, change, Done())
    return [change.columns for change in changes]


# --- a record that was read -----------------------------------------------------------------------


def row(value: str | None, logical: str = "contact", nav: str = "", **more: Any) -> dict[str, Any]:
    place = "_regardingobjectid_value"
    told = "@Microsoft.Dynamics.CRM."
    return {
        place: value,
        f"{place}{told}lookuplogicalname": logical,
        f"{place}{told}associatednavigationproperty": nav
        or f"regardingobjectid_{logical}_phonecall",
        **more,
    }


def test_whom_a_link_leads_to_is_read_under_any_of_its_names() -> None:
    assert linked(row(ONE), ACCOUNT) == (ONE, CONTACT)
    assert linked(row(None), ACCOUNT) == (None, ACCOUNT)
    assert address(row(OTHER, "account"), CONTACT) == COMPANY
    assert address(row(None), CONTACT) == ""


def test_a_link_of_one_name_is_told_by_its_annotation() -> None:
    place = "_primarycontactid_value"
    read = {
        place: ONE,
        f"{place}@Microsoft.Dynamics.CRM.lookuplogicalname": "contact",
        f"{place}@Microsoft.Dynamics.CRM.associatednavigationproperty": "primarycontactid",
    }
    assert linked(read, "primarycontactid@odata.bind") == (ONE, "primarycontactid@odata.bind")
    assert address(read, "primarycontactid@odata.bind") == PERSON
    assert linked(read, "masterid@odata.bind") == (None, "masterid@odata.bind")


def adopted(columns: dict[str, str], wanted: dict[str, Any], read: dict[str, Any]) -> list[Any]:
    """What is still owed to a doubted record once it was read."""
    contact = Contact("c", ledger={NAME: RecordLedger("phonecalls", KEY, "doubted", dict(columns))})
    settle(contact, Change(Verb.ADOPT, ("p/S",), NAME, wanted), Found(read, frozenset((US,))))
    return brought(contact, wanted)


def test_in_a_person_s_record_a_link_to_another_table_is_no_empty_column() -> None:
    contact = Contact("c", ledger={NAME: RecordLedger("phonecalls", KEY, "found")})
    read = row(ONE, _createdby_value=SOMEBODY, _modifiedby_value=SOMEBODY)
    wanted = {ACCOUNT: COMPANY}
    settle(contact, Change(Verb.ADOPT, ("p/S",), NAME, wanted), Found(read, frozenset((US,))))
    assert brought(contact, wanted) == []


def test_a_link_that_we_set_under_another_name_is_known_again() -> None:
    by = {"_createdby_value": SOMEBODY, "_modifiedby_value": SOMEBODY}
    ours = digests({CONTACT: PERSON})
    assert adopted(ours, {ACCOUNT: COMPANY}, row(ONE, **by)) == [{ACCOUNT: COMPANY}]
    assert adopted(ours, {ACCOUNT: COMPANY}, row(SOMEBODY, **by)) == []
    assert adopted(ours, {ACCOUNT: None}, row(ONE, **by)) == [{CONTACT: None}]
    assert adopted(ours, {ACCOUNT: None}, row(SOMEBODY, **by)) == []


# --- the author is told ---------------------------------------------------------------------------


def call(*links: str, more: str = "") -> str:
    body = ", ".join(f'"{one}"' if ":" not in one else one for one in links)
    return f"""
name = "p"

[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
query = "?$filter=telephone1 eq '{{{{CustomerEndpoint}}}}'"

[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{{{body}}}'
{more}"""


UPDATE = """
[[step]]
name = "LATER"
on = "ended"
method = "PATCH"
entity = "phonecalls"
query = "({{CALL-Response.activityid}})"
when = { Channel = ["VOICE"] }
body = '{"%s": "%s"}'
"""
TO_CONTACT = f'"{CONTACT}": "/contacts({{{{WHO-Response.contactid}}}})"'
TO_ACCOUNT = f'"{ACCOUNT}": "/accounts({{{{WHO-Response.accountid}}}})"'


def warned(text: str) -> list[str]:
    return [one for one in load(text, "p.toml").warnings() if "same lookup" in one]


def test_two_links_of_one_lookup_that_may_both_have_a_value_are_a_finding() -> None:
    (text,) = warned(call(TO_ACCOUNT, TO_CONTACT))
    assert "step CALL" in text
    assert CONTACT in text
    assert ACCOUNT in text
    later = UPDATE % (ACCOUNT, "/accounts({{WHO-Response.accountid}})")
    (text,) = warned(call(TO_CONTACT, more=later))
    assert "step LATER" in text
    assert "of step CALL" in text


@pytest.mark.parametrize(
    "text",
    [
        call(TO_CONTACT),
        call(TO_CONTACT, more=UPDATE % (CONTACT, "/contacts({{WHO-Response.contactid}})")),
        call(  # one lookup in several tables finds one customer
            f'"{CONTACT}": "/contacts({{{{WHO-Response.contact}}}})"',
            f'"{ACCOUNT}": "/accounts({{{{WHO-Response.account}}}})"',
        ),
        call(
            TO_CONTACT,
            more=(UPDATE % (ACCOUNT, COMPANY)).replace("CALL-Response", "OTHER-Response"),
        ),
    ],
)
def test_links_that_cannot_meet_are_none(text: str) -> None:
    assert warned(text.replace("OTHER-Response.activityid", "Attributes.id")) == []


def test_links_for_different_contacts_are_none() -> None:
    text = call(TO_CONTACT, more=UPDATE % (ACCOUNT, COMPANY))
    text = text.replace('name = "CALL"', 'name = "CALL"\nwhen = { Channel = ["CHAT"] }')
    assert warned(text) == []


def test_where_the_last_link_wins_the_other_step_says_why_it_does_not(
    record: Callable[..., Fact], told: Callable[..., Contact]
) -> None:
    later = UPDATE.replace('"ended"', '"created"') % (ACCOUNT, COMPANY)
    pipeline = load(call(f'"{CONTACT}": "{PERSON}"', more=later), "p.toml")
    contact = told(record())
    contact.lookups["p/WHO"] = {"asked": "", "answer": {}}
    contact.effects["p/WHO"] = "dropped"
    planned = plan(contact, [pipeline], 0.0, Terms())
    (create,) = planned.actions
    assert isinstance(create, Change)
    assert create.columns == {ACCOUNT: COMPANY}
    assert CONTACT in planned.waiting["p/CALL"]


def test_a_column_that_a_create_alone_sets_is_a_finding_in_an_update() -> None:
    later = UPDATE % ("overriddencreatedon", "{{InitiationTimestamp}}")
    (text,) = load(call(more=later), "p.toml").warnings()
    assert "overriddencreatedon: can only be set by the step that makes the record" in text
