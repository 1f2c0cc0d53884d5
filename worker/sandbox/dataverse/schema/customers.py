"""Whom a company deals with: contacts, accounts, leads and opportunities.

Lengths are those of a real organisation's generated classes (delegateas/XrmMockup,
``tests/TestPluginAssembly365/Context/tables``), navigation properties and relations those of
Microsoft's table reference; columns a worker never touches are left out.
"""

from __future__ import annotations

from typing import Final

from worker.sandbox.dataverse.schema.columns import Column, StateCode, Table
from worker.sandbox.dataverse.schema.kinds import (
    choice,
    create_only,
    customer,
    date,
    flag,
    guid,
    lookup,
    memo,
    money,
    number,
    read_only,
    required,
    text,
    texts,
)
from worker.sandbox.dataverse.schema.shared import ACTIVE_STATES, OWNED, currency, state_columns


LEAD_STATES: Final = {
    0: StateCode("Open", {1: "New", 2: "Contacted"}, 1),
    1: StateCode("Qualified", {3: "Qualified"}, 3),
    2: StateCode("Disqualified", {4: "Lost", 5: "Cannot Contact"}, 4),
}
OPPORTUNITY_STATES: Final = {
    0: StateCode("Open", {1: "In Progress", 2: "On Hold"}, 1),
    1: StateCode("Won", {3: "Won"}, 3),
    2: StateCode("Lost", {4: "Canceled", 5: "Out-Sold"}, 4),
}

#: A global choice: leads and opportunities share it.
BUDGETS: Final = {0: "No Committed Budget", 1: "May Buy", 2: "Can Buy", 3: "Will Buy"}

_LEAD_SOURCES: Final = (
    *("Advertisement", "Employee Referral", "External Referral", "Partner", "Public Relations"),
    *("Seminar", "Trade Show", "Web", "Word of Mouth", "Other"),
)


def _address(prefix: str) -> tuple[Column, ...]:
    return (
        text(f"{prefix}_line1", 250),
        text(f"{prefix}_line2", 250),
        text(f"{prefix}_city", 80),
        text(f"{prefix}_stateorprovince", 50),
        text(f"{prefix}_postalcode", 20),
        text(f"{prefix}_country", 80),
    )


CONTACT: Final = Table(
    "contact",
    "contacts",
    "contactid",
    "fullname",
    (
        create_only(guid("contactid")),
        *texts(50, "firstname", "middlename", "lastname", "nickname"),
        read_only(text("fullname", 160)),
        *texts(100, "salutation", "jobtitle", "department", "managername", "assistantname"),
        *texts(50, "telephone1", "telephone2", "telephone3", "mobilephone", "home2", "business2"),
        *texts(50, "company", "callback", "fax", "pager", "externaluseridentifier"),
        *texts(100, "emailaddress1", "emailaddress2", "emailaddress3"),
        text("websiteurl", 200),
        memo("description", 2000),
        *_address("address1"),
        *_address("address2"),
        choice("gendercode", "Male", "Female", start=1),
        choice(
            "preferredcontactmethodcode",
            *("Any", "Email", "Phone", "Fax", "Mail"),
            start=1,
            default=1,
        ),
        flag("donotphone", default=False),
        flag("donotemail", default=False),
        flag("donotbulkemail", default=False),
        flag("creditonhold", default=False),
        customer("parentcustomerid", "contact"),
        read_only(lookup("accountid", "account", nav="accountid")),
        *state_columns(ACTIVE_STATES),
        *OWNED,
        currency(),
    ),
    ACTIVE_STATES,
    has_activities=True,
    has_notes=True,
    is_party=True,
    bulk=True,
)

ACCOUNT: Final = Table(
    "account",
    "accounts",
    "accountid",
    "name",
    (
        create_only(guid("accountid")),
        text("name", 160),
        text("accountnumber", 20),
        *texts(50, "telephone1", "telephone2", "telephone3", "fax"),
        *texts(100, "emailaddress1", "emailaddress2", "emailaddress3"),
        text("websiteurl", 200),
        memo("description", 2000),
        *_address("address1"),
        number("numberofemployees"),
        flag("donotphone", default=False),
        flag("creditonhold", default=False),
        lookup(
            "parentaccountid", "account", nav="parentaccountid", relation="account_parent_account"
        ),
        lookup(
            "primarycontactid",
            "contact",
            nav="primarycontactid",
            relation="account_primary_contact",
        ),
        *state_columns(ACTIVE_STATES),
        *OWNED,
        currency(),
    ),
    ACTIVE_STATES,
    has_activities=True,
    has_notes=True,
    is_party=True,
    bulk=True,
)

LEAD: Final = Table(
    "lead",
    "leads",
    "leadid",
    "fullname",
    (
        create_only(guid("leadid")),
        *texts(50, "firstname", "lastname", "telephone1", "telephone2", "mobilephone"),
        read_only(text("fullname", 160)),
        text("subject", 300),
        text("companyname", 100),
        *texts(100, "emailaddress1", "emailaddress2", "jobtitle"),
        memo("description", 2000),
        customer("customerid", "lead"),
        choice("leadsourcecode", *_LEAD_SOURCES, start=1),
        Column("budgetstatus", "Picklist", options=BUDGETS, choice="budgetstatus"),
        *state_columns(LEAD_STATES),
        *OWNED,
        currency(),
    ),
    LEAD_STATES,
    has_activities=True,
    has_notes=True,
    is_party=True,
)

OPPORTUNITY: Final = Table(
    "opportunity",
    "opportunities",
    "opportunityid",
    "name",
    (
        required(create_only(guid("opportunityid"))),
        required(text("name", 300), "ApplicationRequired"),
        memo("description", 2000),
        text("emailaddress", 100),
        number("closeprobability", 0, 100),
        date("actualclosedate"),
        date("estimatedclosedate"),
        money("estimatedvalue"),
        money("budgetamount"),
        Column("budgetstatus", "Picklist", options=BUDGETS, choice="budgetstatus"),
        customer("customerid", "opportunity"),
        lookup(
            "parentaccountid",
            "account",
            nav="parentaccountid",
            relation="opportunity_parent_account",
        ),
        lookup(
            "parentcontactid",
            "contact",
            nav="parentcontactid",
            relation="opportunity_parent_contact",
        ),
        lookup(
            "originatingleadid",
            "lead",
            nav="originatingleadid",
            relation="opportunity_originating_lead",
        ),
        *state_columns(OPPORTUNITY_STATES),
        *OWNED,
        currency(),
    ),
    OPPORTUNITY_STATES,
    has_activities=True,
    has_notes=True,
    is_party=True,
    bulk=True,
)

CUSTOMERS: Final = (CONTACT, ACCOUNT, LEAD, OPPORTUNITY)
