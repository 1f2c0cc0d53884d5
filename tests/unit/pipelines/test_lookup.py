"""Lookups: which queries a value comes to, and what the rows found come to."""

from __future__ import annotations

import re

from dataclasses import replace
from typing import Any, get_args
from urllib.parse import unquote

import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.entity import entity
from pipelines.loader import load
from pipelines.lookup import By, Search, Way, search, search_in, status
from pipelines.template import Template
from pipelines.view import Names


CONTACTS = entity("contacts")
KEY = "11111111-0000-4000-8000-000000000001"
OTHER_KEY = "11111111-0000-4000-8000-000000000002"


def way(by: By, *columns: str, **more: Any) -> Way:
    return Way(by, Template("{{Attributes.x}}"), columns or ("telephone1",), **more)


def sought(by: By, value: str, *columns: str, **more: Any) -> Search:
    return Search(CONTACTS, way(by, *columns, **more), value)


def asked(one: Search) -> list[str]:
    """The filters, decoded."""
    return [unquote(re.split(r"&?\$\w+=", query)[2]) for query in one.queries()]


def test_a_number_is_asked_for_whole_in_the_spellings_it_may_be_stored_in() -> None:
    (whole,) = asked(sought("phone", "+49 30 901820", suffix=9, country="49"))
    assert whole == (
        "(telephone1 eq '+4930901820' or telephone1 eq '004930901820' or "
        "telephone1 eq '4930901820' or telephone1 eq '030901820' or telephone1 eq '30901820')"
        " and statecode eq 0"
    )


def test_a_number_is_asked_for_as_the_formats_of_the_table_have_it() -> None:
    one = sought("phone", "+4930901820", suffix=8)
    (query,) = one.queries(["+## (##) ######", "0##/###### *"])
    where = unquote(query)
    assert "telephone1 eq '030901820' or telephone1 eq '30901820'" in where
    assert "telephone1 eq '+49 (30) 901820' or startswith(telephone1,'030/901820 ')" in where


def test_where_a_wildcard_is_allowed_a_number_is_asked_for_by_its_end_as_well() -> None:
    one = sought("phone", "+49 30 901820", suffix=9, country="49")
    _, query = one.queries(wildcard=True)
    assert unquote(query.split("$filter=")[1].split("&")[0]) == (
        "(endswith(telephone1,'3%0%9%0%1%8%2%0') or "
        "endswith(telephone1,'3%0%9%0%1%8%2%0%[a-z;,#]%')) and statecode eq 0"
    )


def test_without_a_suffix_no_number_is_asked_for_by_its_end() -> None:
    assert len(sought("phone", "+4930901820").queries(wildcard=True)) == 1


THINGS = replace(
    entity("new_things"),
    key="new_thingid",
    links=frozenset(("new_owner",)),
    types={
        "new_number": "Integer",
        "new_amount": "Decimal",
        "new_flag": "Boolean",
        "new_code": "String",
        "new_other": "Uniqueidentifier",
        "new_day": "DateTime",
    },
)


@pytest.mark.parametrize(
    ("column", "value", "term"),
    [
        ("new_number", "7", "new_number eq 7"),
        ("new_number", "C-7", None),
        ("new_amount", "7.50", "new_amount eq 7.5"),
        ("new_flag", "true", "new_flag eq true"),
        ("new_code", "7", "new_code eq '7'"),
        ("new_else", "7", "new_else eq '7'"),  # whose type is not known
        ("new_other", f"{{{KEY.upper()}}}", f"new_other eq {KEY}"),
        ("new_other", "7", None),
        ("new_owner", KEY, f"_new_owner_value eq {KEY}"),
        ("new_thingid", KEY, f"new_thingid eq {KEY}"),
        ("new_day", "2026-03-04", "new_day eq 2026-03-04"),
        ("new_day", "2026-03-04T10:15:00Z", "new_day eq 2026-03-04T10:15:00Z"),
        ("new_day", "tomorrow", None),
    ],
)
def test_an_attribute_is_asked_for_as_the_column_holds_it(
    column: str, value: str, term: str | None
) -> None:
    one = Search(THINGS, way("attribute", column), value)
    assert asked(one) == ([f"({term})".strip("()")] if term else [])


@pytest.mark.parametrize(
    ("column", "stored", "value", "fits"),
    [
        ("new_number", 7, "7", True),
        ("new_amount", 7.5, "7.50", True),
        ("new_amount", 7.5, "7.51", False),
        ("new_flag", True, "true", True),
        ("new_code", "\u200eC-7\u200e", "c-7", True),
        ("new_other", KEY, f"{{{KEY.upper()}}}", True),
    ],
)
def test_a_row_fits_an_attribute_whatever_json_its_column_has(
    column: str, stored: Any, value: str, fits: bool
) -> None:
    found = Search(THINGS, way("attribute", column), value).answer(
        [{"new_thingid": KEY, column: stored}]
    )
    assert (found["outcome"] == "SingleMatch") is fits


def test_at_most_50_rows_are_asked_for_and_only_the_columns_that_count() -> None:
    one = Search(CONTACTS, way("email", "emailaddress1"), "a@b", ("accountid", "fullname"))
    (query,) = one.queries()
    select = "contactid,emailaddress1,_accountid_value,fullname,_parentcustomerid_value"
    assert query.startswith(f"contacts?$select={select}&")
    assert query.endswith("&$top=50")


def test_a_custom_table_is_asked_for_inactive_records_too() -> None:
    one = Search(entity("new_things"), way("attribute", "new_code"), "7")
    assert asked(one) == ["new_code eq '7'&$top=50".partition("&")[0]]


@pytest.mark.parametrize(
    ("by", "value", "columns", "terms"),
    [
        ("email", "O'Hara@b.c", ("emailaddress1",), "emailaddress1 eq 'O''Hara@b.c'"),
        ("attribute", "x%_[", ("accountnumber",), "accountnumber eq 'x%_['"),
        ("attribute", KEY, ("contactid",), f"contactid eq {KEY}"),
        (
            "user",
            "a_b%",
            ("domainname",),
            "domainname eq 'a_b%' or startswith(domainname,'a[_]b[%]@')",
        ),
        ("user", "a@b.c", ("domainname",), "domainname eq 'a@b.c'"),
    ],
)
def test_a_value_is_escaped_for_the_place_it_stands_in(
    by: By, value: str, columns: tuple[str, ...], terms: str
) -> None:
    assert asked(sought(by, value, *columns)) == [f"({terms}) and statecode eq 0"]


@pytest.mark.parametrize(
    ("by", "value", "column"),
    [
        ("phone", "anonymous", "telephone1"),
        ("email", "+4930901820", "emailaddress1"),
        ("email", "@b.c", "emailaddress1"),
        ("attribute", "x' or 1 eq 1", "contactid"),
    ],
)
def test_a_value_that_cannot_be_anybody_s_is_not_asked_for(by: By, value: str, column: str) -> None:
    assert sought(by, value, column).queries() == []


#: What may stand in a filter once its literals are gone.
SKELETON = re.compile(
    r"(?:[a-z0-9_]+ eq (?:''|[0-9a-f-]{36}|0|false)|(?:ends|starts)with\([a-z0-9_]+,''\)"
    r"|\(|\)| and | or )*"
)


@given(st.sampled_from(get_args(By)), st.text(min_size=1, max_size=80))
@example("attribute", "' or contactid ne null or telephone1 eq '")
@example("user", "%' or 1 eq 1--")
@example("phone", "+49 30'&$top=5000")
@example("email", "a'@b.c&$filter=x")
def test_no_query_ever_holds_a_value_unescaped(by: By, value: str) -> None:
    """A literal ends where we end it, wildcards are ours, and nothing leaves its option."""
    for query in sought(by, value, "telephone1", suffix=9, country="49").queries(
        ["(###) ###-####", "+## '# *"], wildcard=True
    ):
        path, _, options = query.partition("?")
        assert path == "contacts"
        assert re.fullmatch(r"[\w$=()',/:@.~%-]*(&[\w$=()',/:@.~%-]*){2}", options)
        names = [option.partition("=")[0] for option in options.split("&")]
        assert names == ["$select", "$filter", "$top"]
        where = unquote(options.split("&")[1].partition("=")[2])
        literals = re.findall(r"'(?:[^']|'')*'", where)
        assert SKELETON.fullmatch(re.sub(r"'(?:[^']|'')*'", "''", where))
        if by == "phone":
            assert all(re.fullmatch(r"'[+0-9%() '-]*(\[a-z;,#\]%)?'", text) for text in literals)
        else:
            for text in literals:
                plain = text[1:-1].replace("''", "'")
                assert plain == value or re.sub(r"\[(.)\]", r"\1", plain) == f"{value}@"


# --- what is found --------------------------------------------------------------------------------


def row(telephone: str | None, key: str = KEY, **more: Any) -> dict[str, Any]:
    return {"contactid": key, "telephone1": telephone, **more}


def test_one_row_that_fits_is_a_match_with_the_columns_asked_for() -> None:
    one = Search(CONTACTS, way("phone"), "+4930901820", ("accountid", "emailaddress1", "fullname"))
    found = one.answer([row("+49 30 901820", fullname="Ada", _accountid_value="a")])
    expected = {"contactid": KEY, "fullname": "Ada", "accountid": "a"}
    assert found == expected | status("SingleMatch")


def test_two_that_fit_are_several_and_none_of_them_is_told() -> None:
    one = sought("phone", "+4930901820")
    found = one.answer([row("+4930901820"), row("004930901820", OTHER_KEY)])
    assert found == {"LookupStatus": "MultiMatch", "outcome": "MultiMatch"}


@pytest.mark.parametrize(
    ("parents", "customer"),
    [
        ({"a": "b", "b": None}, "a"),
        ({"b": None, "a": "b"}, "a"),
        ({"a": "b", "b": "c", "c": None}, "a"),
        ({"a": "A", "b": "a"}, "b"),  # its own parent, as nobody can be
        ({"a": "x", "b": "x"}, None),  # two of one parent that is not among them
        ({"a": "c", "b": "c", "c": None}, None),  # two of one parent
        ({"a": "b", "b": "a"}, None),
        ({"a": None, "b": None}, None),
    ],
)
def test_rows_linked_as_customer_and_parent_are_one_the_customer(
    parents: dict[str, str | None], customer: str | None
) -> None:
    one = sought("phone", "+4930901820")
    rows = [row("+4930901820", key, _parentcustomerid_value=up) for key, up in parents.items()]
    expected = {"contactid": customer} | status("SingleMatch")
    assert one.answer(rows) == (expected if customer else status("MultiMatch"))
    assert one.answer(rows, more=True) == status("MultiMatch")


def test_a_row_that_merely_ends_alike_is_none() -> None:
    one = sought("phone", "+4930901820", suffix=8)
    assert one.answer([row("+3330901820"), row(None, OTHER_KEY)]) == status("NoMatch")


def test_the_same_number_goes_before_one_that_is_alike() -> None:
    one = sought("phone", "+4930901820", suffix=8)
    found = one.answer([row("030 901820", OTHER_KEY), row("+49 30 901820")])
    assert found == {"contactid": KEY} | status("SingleMatch")


def test_a_match_among_more_rows_than_were_read_is_not_known_to_be_the_only_one() -> None:
    one = sought("phone", "+4930901820")
    assert one.answer([row("+4930901820")], more=True) == status("MultiMatch")
    assert one.answer([row("+4930901821")], more=True) == status("NoMatch")


def test_a_user_s_whole_name_goes_before_the_part_before_the_at_sign() -> None:
    one = sought("user", "ada", "domainname")
    rows = [
        {"contactid": KEY, "domainname": "ada@example.com"},
        {"contactid": OTHER_KEY, "domainname": "ADA"},
    ]
    assert one.answer(rows)["contactid"] == OTHER_KEY
    assert one.answer(rows[:1])["contactid"] == KEY
    assert one.answer([{"contactid": KEY, "domainname": "adam@example.com"}]) == status("NoMatch")


# --- the way that is gone -------------------------------------------------------------------------

STEP: Any = load(
    """
name = "p"
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
[[step.lookup]]
by = "phone"
columns = ["telephone1"]
[[step.lookup]]
by = "email"
columns = ["emailaddress1"]
[[step.lookup]]
by = "attribute"
value = "{{Attributes.id}}"
columns = ["contactid"]
"""
).steps[0]


@pytest.mark.parametrize(
    ("values", "by"),
    [
        ({"CustomerEndpoint": {"Address": "+4930901820"}, "Attributes": {"id": KEY}}, "phone"),
        ({"CustomerEndpoint": {"Address": "a@b.c"}, "Attributes": {"id": KEY}}, "email"),
        ({"CustomerEndpoint": {"Address": "anonymous"}, "Attributes": {"id": KEY}}, "attribute"),
        ({"Attributes": {"id": KEY}}, "attribute"),
    ],
)
def test_the_first_way_whose_value_can_be_somebody_s_is_gone(
    values: dict[str, Any], by: str
) -> None:
    found = search(CONTACTS, STEP.ways, Names(values), {"fullname", "lookupstatus"})
    assert found is not None
    assert (found.way.by, found.returning) == (by, ("fullname",))


def test_what_shows_nothing_is_not_part_of_a_value() -> None:
    values = {"CustomerEndpoint": {"Address": "\u202aada@b.c\u202c"}}
    found = search(CONTACTS, STEP.ways, Names(values))
    assert found is not None
    assert found.value == "ada@b.c"


def test_values_that_are_nobody_s_ask_nothing_and_no_value_waits() -> None:
    nobody = search(CONTACTS, STEP.ways, Names({"CustomerEndpoint": {"Address": "anonymous"}}))
    assert nobody is not None
    assert nobody.queries() == []
    assert search(CONTACTS, STEP.ways, Names({"Attributes": {"id": " "}})) is None


# --- several tables -------------------------------------------------------------------------------

SEVERAL: Any = load(
    """
name = "p"
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = ["leads", "accounts", "contacts"]
[[step.lookup]]
by = "phone"
columns.contacts = ["mobilephone"]
columns.accounts = ["telephone1"]
[[step.lookup]]
by = "attribute"
value = "{{Attributes.id}}"
columns.leads = ["leadid"]
columns.contacts = ["contactid"]
vouched_by = "{{Attributes.ms_id}}"
[[step]]
name = "ACT"
on = "created"
method = "POST"
entity = "tasks"
body = '''{
  "subject": "{{WHO-Response.name}}", "category": "{{WHO-Response.table}}",
  "regardingobjectid_account_task@odata.bind": "/accounts({{WHO-Response.account}})",
  "subcategory": "{{WHO-Response.accountid}}"
}'''
"""
).steps[0]
NUMBER = {"CustomerEndpoint": {"Address": "+4930901820"}}


def test_tables_are_asked_in_the_order_of_the_step_each_by_its_own_columns() -> None:
    found = search_in(SEVERAL.places, Names(NUMBER), SEVERAL.reads)
    assert found is not None
    assert [(one.table.set, one.way.columns) for one in found.chain] == [
        ("accounts", ("telephone1",)),
        ("contacts", ("mobilephone",)),
    ]


def test_an_answer_says_its_table_and_has_the_same_fields_whichever_that_is() -> None:
    found = search_in(SEVERAL.places, Names(NUMBER), SEVERAL.reads)
    assert found is not None
    account, contact = found.chain
    assert account.answer([{"accountid": KEY, "telephone1": "+4930901820", "name": "Acme"}]) == {
        **status("SingleMatch"),
        "accountid": KEY,
        "account": KEY,
        "name": "Acme",
        "table": "account",
    }
    row = {"contactid": KEY, "mobilephone": "+4930901820", "fullname": "Ada"}
    assert contact.answer([{**row, "_accountid_value": OTHER_KEY}]) == {
        **status("SingleMatch"),
        "contactid": KEY,
        "name": "Ada",
        "table": "contact",
        "accountid": OTHER_KEY,
    }


def test_no_table_is_asked_for_what_is_another_table_s_own() -> None:
    attributes = {"Attributes": {"id": KEY, "ms_id": "c"}, "ContactId": "C"}
    found = search_in(SEVERAL.places, Names(attributes), SEVERAL.reads)
    assert found is not None
    assert [one.queries()[0].partition("&")[0] for one in found.chain] == [
        "leads?$select=leadid,fullname",
        "contacts?$select=contactid,_accountid_value,fullname,_parentcustomerid_value",
    ]


LEG = "c0000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({"ContactId": LEG}, True),
        ({"ContactId": LEG.upper()}, True),
        ({"ContactId": KEY, "InitialContactId": LEG}, True),
        ({"ContactId": KEY, "PreviousContactId": LEG}, True),
        ({"ContactId": KEY, "NextContactId": LEG}, True),
        ({"ContactId": KEY, "RelatedContactId": LEG}, False),
        ({"ContactId": KEY}, False),
    ],
)
def test_a_value_counts_if_who_wrote_it_knew_a_leg_of_the_chain(
    said: dict[str, str], counts: bool
) -> None:
    names = Names({"Attributes": {"id": KEY, "ms_id": LEG}, **said})
    assert (search_in(SEVERAL.places, names) is not None) is counts


@pytest.mark.parametrize("ms_id", [None, "", {"not": "a text"}, 7, [LEG]])
def test_a_value_that_nobody_vouches_for_does_not_count(ms_id: Any) -> None:
    names = Names({"Attributes": {"id": KEY, "ms_id": ms_id}, "ContactId": LEG})
    assert search_in(SEVERAL.places, names) is None


# --- what was asked before ---

#: As the first release asked; states hold digests of it.
ASKED = [
    (
        Way("phone", Template("{{x}}"), ("telephone1",), suffix=9),
        "+442079460123",
        """telephone1 eq '+442079460123' or telephone1 eq '00442079460123' \
or telephone1 eq '442079460123'""",
    ),
    (
        Way("attribute", Template("{{x}}"), ("contactid", "externaluseridentifier")),
        "11111111-2222-4333-8444-ABCDEF555555",
        """externaluseridentifier eq '11111111-2222-4333-8444-ABCDEF555555' \
or contactid eq 11111111-2222-4333-8444-ABCDEF555555""",
    ),
]


@pytest.mark.parametrize(("way", "value", "terms"), ASKED, ids=["phone", "attribute"])
def test_however_something_is_asked_a_state_knows_that_it_has_the_answer(
    way: Way, value: str, terms: str
) -> None:
    table = entity("contacts")
    question = Search(table, way, value, ("fullname",)).question
    columns = ",".join(("contactid", *way.columns, "fullname", "_parentcustomerid_value"))
    columns = ",".join(dict.fromkeys(columns.split(",")))
    where = f"({terms}) and statecode eq 0"
    assert unquote(question) == f"contacts?$select={columns}&$filter={where}&$top=50"


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("Boolean", "yes", True),
        ("DateTime", "2026-03-04T10:15:00+01:00", "2026-03-04T09:15:00Z"),
        ("DateTime", "2026-03-04 10:15:00.000Z", "2026-03-04T10:15:00Z"),
        ("Integer", "7", 7),
        ("Decimal", "7.50", 7.5),
        (
            "Lookup",
            "{11111111-2222-4333-8444-ABCDEF555555}",
            "11111111-2222-4333-8444-abcdef555555",
        ),
    ],
)
def test_what_a_typed_column_was_asked_for_is_known_again_in_its_answer(
    kind: str, value: str, stored: object
) -> None:
    table = replace(entity("contacts"), types={"new_x": kind}, links=frozenset())
    one = Search(table, Way("attribute", Template("{{x}}"), ("new_x",)), value)
    assert one.queries()
    assert one.answer([{"contactid": "1", "new_x": stored}])["outcome"] == "SingleMatch"
