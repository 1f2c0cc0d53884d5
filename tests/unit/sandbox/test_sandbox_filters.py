"""Filters: related rows, query functions, and what Dataverse does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from worker.sandbox.dataverse.schema.tables import TABLES
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


if TYPE_CHECKING:
    import httpx

    from worker.sandbox.dataverse.app import Dataverse


ADA = "0a0b0c0d-0001-4002-8003-00000000000a"
BOB = "0a0b0c0d-0001-4002-8003-00000000000b"
LTD = "0a0b0c0d-0001-4002-8003-000000000001"
INC = "0a0b0c0d-0001-4002-8003-000000000002"
LLC = "0a0b0c0d-0001-4002-8003-000000000003"
CALL = "0a0b0c0d-0001-4002-8003-0000000000c1"
SPAN = "0a0b0c0d-0001-4002-8003-0000000000c2"
NAMES = {ADA: "ada", BOB: "bob", LTD: "ltd", INC: "inc", LLC: "llc", CALL: "call", SPAN: "span"}
STAFF = "contact_customer_accounts"
PARTIES = "phonecall_activity_parties"
REGARDING = "regardingobjectid_contact_phonecall"
CRM = "Microsoft.Dynamics.CRM."


@pytest.fixture(autouse=True)
def rows(dataverse: Dataverse) -> None:
    """Two contacts of Ltd., one of them its primary contact; none of Inc. and LLC; two calls."""
    dataverse.put("accounts", {"accountid": LTD, "name": "Ltd", "numberofemployees": 5})
    dataverse.put("accounts", {"accountid": INC, "name": "Inc", "accountnumber": "INC"})
    dataverse.put("accounts", {"accountid": LLC, "name": "LLC", "accountnumber": "x"})
    at = {"parentcustomerid_account@odata.bind": f"/accounts({LTD})"}
    dataverse.put("contacts", {"contactid": ADA, "firstname": "Ada", "lastname": "Old", **at})
    dataverse.put("contacts", {"contactid": BOB, "firstname": "Bob", "lastname": "New", **at})
    primary = {"primarycontactid@odata.bind": f"/contacts({ADA})"}
    account, user = dataverse.records.get(TABLES["accounts"], LTD), application_user(CLIENT_ID)
    assert account
    with dataverse.records.transaction():
        dataverse.organisation.writer.update(TABLES["accounts"], account, primary, user)
    parties = [
        {"partyid_contact@odata.bind": f"/contacts({ADA})", "participationtypemask": 1},
        {"addressused": "+4930", "participationtypemask": 2},
    ]
    call = {"phonecall_activity_parties": parties, "actualdurationminutes": 7}
    regarding = {"regardingobjectid_contact_phonecall@odata.bind": f"/contacts({ADA})"}
    dataverse.put("phonecalls", {"activityid": CALL, "subject": "one", **call, **regarding})
    span = {"actualstart": "2026-01-01T23:00:00Z", "actualend": "2026-01-04T00:00:00Z"}
    dataverse.put("phonecalls", {"activityid": SPAN, "subject": "two", **span})


async def found(http: httpx.AsyncClient, entity_set: str, text: str) -> list[str]:
    answer = await http.get(f"{entity_set}?$filter={quote(text)}&@p=5")
    assert answer.status_code == 200, answer.text
    rows = answer.json()["value"]
    return [
        NAMES[row.get("activityid") or row.get("contactid") or row["accountid"]] for row in rows
    ]


@pytest.mark.parametrize(
    ("entity_set", "text", "expected"),
    [
        ("accounts", "primarycontactid/fullname eq 'ada old'", "ltd"),
        ("accounts", "primarycontactid/fullname ne 'ada old'", "inc llc"),
        ("accounts", "primarycontactid/lastname eq null", "inc llc"),
        ("accounts", f"primarycontactid/createdby/systemuserid eq {ADA}", ""),
        ("accounts", "contains(primarycontactid/lastname,'ol')", "ltd"),
        ("contacts", "parentcustomerid_account/name eq 'Ltd' and lastname eq 'new'", "bob"),
        ("contacts", "parentcustomerid_contact/lastname eq 'Ltd'", ""),
        ("accounts", "contact_customer_accounts/any(c:c/lastname eq 'new')", "ltd"),
        ("accounts", "contact_customer_accounts/any(c:c/lastname eq 'x')", ""),
        ("accounts", "contact_customer_accounts/any()", "ltd"),
        ("accounts", "not contact_customer_accounts/any()", "inc llc"),
        ("accounts", "contact_customer_accounts/all(c:c/lastname eq 'new')", "inc llc"),
        ("accounts", "contact_customer_accounts/all(c:c/statecode eq 0)", "ltd inc llc"),
        (
            "accounts",
            "contact_customer_accounts/any(c:contains(c/lastname,'e') and c/firstname eq 'bob')",
            "ltd",
        ),
        (
            "accounts",
            "contact_customer_accounts/any(c:c/Contact_Phonecalls/any(p:p/subject eq 'one'))",
            "ltd",
        ),
        (
            "accounts",
            "contact_customer_accounts/any(c:c/parentcustomerid_account/name eq 'ltd')",
            "ltd",
        ),
        ("phonecalls", f"phonecall_activity_parties/any(p:p/_partyid_value eq {ADA})", "call"),
        ("phonecalls", f"phonecall_activity_parties/any(p:p/_partyid_value eq {BOB})", ""),
        (
            "phonecalls",
            f"{PARTIES}/any(p:p/_partyid_value eq {ADA} and p/participationtypemask eq 2)",
            "",
        ),
        (
            "phonecalls",
            "phonecall_activity_parties/any(p:p/partyid_contact/lastname eq 'old')",
            "call",
        ),
        (
            "accounts",
            f"{STAFF}/any(c:c/{CRM}In(PropertyName='lastname',PropertyValues=['NEW']))",
            "ltd",
        ),
        ("accounts", f"primarycontactid/{CRM}Today(PropertyName='createdon')", "ltd"),
        ("accounts", "name eq accountnumber", "inc"),
        ("accounts", "name ne accountnumber", "ltd llc"),
        ("accounts", "numberofemployees eq @p", "ltd"),
        ("accounts", "numberofemployees eq @missing", "inc llc"),
    ],
)
async def test_a_filter_reaches_related_rows(
    http: httpx.AsyncClient, entity_set: str, text: str, expected: str
) -> None:
    assert await found(http, entity_set, text) == expected.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Today(PropertyName='createdon')", "call span"),
        ("Yesterday(PropertyName='actualstart')", "span"),
        ("Today(PropertyName='actualstart')", ""),
        ("Tomorrow(PropertyName='actualend')", ""),
        ("On(PropertyName='actualstart',PropertyValue='2026-01-01')", "span"),
        ("On(PropertyName='actualend',PropertyValue='2026-01-03')", ""),
        ("OnOrAfter(PropertyName='actualstart',PropertyValue='2026-01-01')", "span"),
        ("OnOrAfter(PropertyName='actualstart',PropertyValue='2026-01-02')", ""),
        ("OnOrBefore(PropertyName='actualend',PropertyValue='2026-01-03')", ""),
        ("OnOrBefore(PropertyName='actualend',PropertyValue='2026-01-04T00:00:00Z')", "span"),
        ("LastXHours(PropertyName='actualstart',PropertyValue=4)", ""),
        ("LastXHours(PropertyName='actualstart',PropertyValue=5)", "span"),
        ("LastXDays(PropertyName='actualstart',PropertyValue=1)", "span"),
        ("LastXMonths(PropertyName='actualend',PropertyValue=1)", ""),
        ("NextXHours(PropertyName='actualend',PropertyValue=44)", ""),
        ("NextXHours(PropertyName='actualend',PropertyValue=45)", "span"),
        ("NextXWeeks(PropertyName='actualend',PropertyValue=1)", "span"),
        ("OlderThanXHours(PropertyName='actualstart',PropertyValue=4)", "span"),
        ("OlderThanXHours(PropertyName='actualstart',PropertyValue=5)", ""),
        ("OlderThanXYears(PropertyName='actualstart',PropertyValue=1)", ""),
        ("Last7Days(PropertyName='actualstart')", "span"),
        ("Next7Days(PropertyName='actualend')", "span"),
        ("ThisWeek(PropertyName='actualstart')", "span"),
        ("NextWeek(PropertyName='actualend')", "span"),
        ("ThisMonth(PropertyName='actualend')", "span"),
        ("LastMonth(PropertyName='actualend')", ""),
        ("ThisYear(PropertyName='actualstart')", "span"),
        ("NextYear(PropertyName='actualstart')", ""),
        ('Between(PropertyName=\'actualdurationminutes\',PropertyValues=["5","7"])', "call"),
        ('NotBetween(PropertyName=\'actualdurationminutes\',PropertyValues=["5","7"])', "span"),
        ('Between(PropertyName=\'subject\',PropertyValues=["a","p"])', "call"),
        ('In(PropertyName=\'subject\',PropertyValues=["ONE","three"])', "call"),
        ("In(PropertyName='subject',PropertyValues=['ONE','three'])", "call"),
        ('NotIn(PropertyName=\'subject\',PropertyValues=["ONE","three"])', "span"),
        (f"In(PropertyName='activityid',PropertyValues=[\"{{{CALL}}}\"])", "call"),
        ("In(PropertyName='isbilled',PropertyValues=[\"false\"])", "call span"),
        ('In(PropertyName=\'statecode\',PropertyValues=["0","1"])', "call span"),
        ("EqualUserId(PropertyName='createdby')", "call span"),
        ("NotEqualUserId(PropertyName='createdby')", ""),
        (
            f"In(PropertyName='{REGARDING}/lastname',PropertyValues=['old'])",
            "call",
        ),
    ],
)
async def test_query_functions_look_at_days_lists_and_users(
    http: httpx.AsyncClient, text: str, expected: str
) -> None:
    assert await found(http, "phonecalls", f"{CRM}{text}") == expected.split()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tolower(name) eq 'ltd'", "The query node SingleValueFunctionCall is not supported."),
        ("length(name) gt 2", "The query node SingleValueFunctionCall is not supported."),
        ("year(createdon) eq 2026", "The query node SingleValueFunctionCall is not supported."),
        ("concat(name,'x') eq 'x'", "The query node SingleValueFunctionCall is not supported."),
        ("numberofemployees add 1 eq 6", "The query node BinaryOperator is not supported."),
        ("name in ('Ltd','Inc')", "The query node In is not supported."),
        ("substringof('x',name)", "An unknown function with name 'substringof'"),
        ("primarycontactid/account_primary_contact/any()", "The query node Any is not supported."),
        ("contact_customer_accounts/lastname eq 'x'", "Syntax error"),
        ("contact_customer_accounts/any(c:lastname eq 'x')", "Could not find a property named"),
        ("contact_customer_accounts/any(c:c/nothing eq 'x')", "'Microsoft.Dynamics.CRM.contact'"),
        ("nothing/any()", "Could not find a property named 'nothing'"),
        ("primarycontactid eq null", "Could not find a property named 'primarycontactid'"),
        ("primarycontactid/nothing eq 1", "'Microsoft.Dynamics.CRM.contact'"),
        ("name eq numberofemployees", "Found operand types 'Edm.String' and 'Edm.Int32'"),
        (f"{CRM}InFiscalYear(PropertyName='createdon',PropertyValue=1)", "is not supported"),
        (f"{CRM}Today(PropertyName='name')", "The operator 'Today' is not valid"),
        (f"{CRM}Today()", "Syntax error"),
        (f"{CRM}LastXHours(PropertyName='createdon',PropertyValue=0)", "no number of periods"),
        (f"{CRM}LastXHours(PropertyName='createdon')", "takes 1 values"),
        (f"{CRM}On(PropertyName='createdon',PropertyValue='x')", "'x' is no date"),
        (f"{CRM}In(PropertyName='name',PropertyValues=[1])", "to the expected type 'Edm.String'"),
        (f'{CRM}In(PropertyName=\'name\',PropertyValues=["a" "b"])', "Invalid JSON."),
        (
            f"{CRM}In(PropertyName='numberofemployees',PropertyValues=[\"a\"])",
            "Cannot convert the literal 'a' to the expected type 'Edm.Int32'.",
        ),
        (f"{CRM}Between(PropertyName='name',PropertyValues=[\"a\"])", "Between takes two values"),
    ],
)
async def test_what_dataverse_does_not_filter_by_is_refused(
    http: httpx.AsyncClient, text: str, message: str
) -> None:
    answer = await http.get(f"accounts?$filter={quote(text)}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["_primarycontactid_value", "nothing"])
async def test_query_functions_go_by_logical_names(http: httpx.AsyncClient, name: str) -> None:
    text = f"{CRM}In(PropertyName='{name}',PropertyValues=[\"{ADA}\"])"
    answer = await http.get(f"accounts?$filter={quote(text)}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80041103")
    text = f"{CRM}In(PropertyName='primarycontactid',PropertyValues=[\"{ADA}\"])"
    assert await found(http, "accounts", text) == ["ltd"]


async def test_a_column_of_several_choices_contains_some(
    http: httpx.AsyncClient, dataverse: Dataverse
) -> None:
    dataverse.put("accounts", {"accountid": ADA, "accountnumber": "1,3"})
    text = f'{CRM}ContainValues(PropertyName=\'accountnumber\',PropertyValues=["3","4"])'
    assert await found(http, "accounts", text) == ["ada"]
    text = f"{CRM}DoesNotContainValues(PropertyName='accountnumber',PropertyValues=[\"3\"])"
    assert await found(http, "accounts", text) == ["ltd", "inc", "llc"]
