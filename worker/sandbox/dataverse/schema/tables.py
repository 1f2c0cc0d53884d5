"""The tables the sandbox has: columns, types, lengths, states.

phonecall is Microsoft's table reference
(https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/phonecall); the
other lengths are those of a real organisation's generated classes (delegateas/XrmMockup,
``tests/TestPluginAssembly365/Context/tables``); columns a worker never touches are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.schema.columns import (
    Column,
    StateCode,
    Table,
    choice,
    create_only,
    date,
    flag,
    guid,
    lookup,
    memo,
    number,
    read_only,
    regarding,
    text,
)
from worker.sandbox.dataverse.schema.desktop import DESKTOP
from worker.sandbox.dataverse.schema.shared import ACTIVE_STATES, AUDIT, OWNED, state_columns


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


REGARDING: Final = ("contact", "account", "lead")

PHONECALL_STATES: Final = {
    0: StateCode("Open", {1: "Open"}, 1),
    1: StateCode("Completed", {2: "Made", 4: "Received"}, 2),
    2: StateCode("Canceled", {3: "Canceled"}, 3),
}
TASK_STATES: Final = {
    0: StateCode("Open", {2: "Not Started", 3: "In Progress", 4: "Waiting on someone else"}, 2),
    1: StateCode("Completed", {5: "Completed"}, 5),
    2: StateCode("Canceled", {6: "Canceled"}, 6),
}
EMAIL_STATES: Final = {
    0: StateCode("Open", {1: "Draft"}, 1),
    1: StateCode("Completed", {2: "Completed", 3: "Sent", 4: "Received"}, 2),
    2: StateCode("Canceled", {5: "Canceled"}, 5),
}
APPOINTMENT_STATES: Final = {
    0: StateCode("Open", {1: "Free", 2: "Tentative"}, 1),
    1: StateCode("Completed", {3: "Completed"}, 3),
    2: StateCode("Canceled", {4: "Canceled"}, 4),
    3: StateCode("Scheduled", {5: "Busy", 6: "Out of Office"}, 5),
}
LEAD_STATES: Final = {
    0: StateCode("Open", {1: "New", 2: "Contacted"}, 1),
    1: StateCode("Qualified", {3: "Qualified"}, 3),
    2: StateCode("Disqualified", {4: "Lost", 5: "Cannot Contact"}, 4),
}


def _activity(
    logical: str, subject: int, description: int, states: Mapping[int, StateCode], *columns: Column
) -> Table:
    own = (
        create_only(guid("activityid")),
        read_only(text("activitytypecode", 64)),
        text("subject", subject),
        memo("description", description),
        text("category", 250),
        text("subcategory", 250),
        date("actualstart"),
        date("actualend"),
        number("actualdurationminutes"),
        date("scheduledstart"),
        date("scheduledend"),
        date("sortdate"),
        date("lastonholdtime"),
        read_only(number("scheduleddurationminutes")),
        read_only(number("onholdtime")),
        choice("prioritycode", "Low", "Normal", "High", default=1),
        flag("isbilled", default=False),
        flag("isworkflowcreated", default=False),
        memo("activityadditionalparams", 8192),
        regarding(logical, *REGARDING),
        *state_columns(states),
    )
    everything = own + columns + OWNED
    return Table(logical, f"{logical}s", "activityid", "subject", everything, states, activity=True)


def _address(prefix: str) -> tuple[Column, ...]:
    return (
        text(f"{prefix}_line1", 250),
        text(f"{prefix}_line2", 250),
        text(f"{prefix}_city", 80),
        text(f"{prefix}_stateorprovince", 50),
        text(f"{prefix}_postalcode", 20),
        text(f"{prefix}_country", 80),
    )


def _texts(max_length: int, *names: str) -> tuple[Column, ...]:
    return tuple(text(name, max_length) for name in names)


PHONECALL: Final = _activity(
    "phonecall",
    200,
    2000,
    PHONECALL_STATES,
    text("phonenumber", 200),
    Column("directioncode", "Boolean", options={0: "Incoming", 1: "Outgoing"}, default=True),
    flag("leftvoicemail", default=False),
)

TASK: Final = _activity("task", 200, 2000, TASK_STATES, number("percentcomplete", 0, 100))

EMAIL: Final = _activity(
    "email",
    800,
    1073741823,
    EMAIL_STATES,
    Column("directioncode", "Boolean", options={0: "Incoming", 1: "Outgoing"}, default=True),
    text("sender", 250),
    *_texts(500, "torecipients"),
    *_texts(320, "messageid", "inreplyto"),
    text("trackingtoken", 50),
)

APPOINTMENT: Final = _activity(
    "appointment",
    200,
    1048576,
    APPOINTMENT_STATES,
    text("location", 200),
    text("globalobjectid", 300),
    flag("isalldayevent", default=False),
)

CONTACT: Final = Table(
    "contact",
    "contacts",
    "contactid",
    "fullname",
    (
        create_only(guid("contactid")),
        *_texts(50, "firstname", "middlename", "lastname", "nickname"),
        read_only(text("fullname", 160)),
        *_texts(100, "salutation", "jobtitle", "department", "managername", "assistantname"),
        *_texts(50, "telephone1", "telephone2", "telephone3", "mobilephone", "home2", "business2"),
        *_texts(50, "company", "callback", "fax", "pager", "externaluseridentifier"),
        *_texts(100, "emailaddress1", "emailaddress2", "emailaddress3"),
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
        lookup("parentcustomerid", "account", "contact"),
        read_only(lookup("accountid", "account", nav="accountid")),
        *state_columns(ACTIVE_STATES),
        *OWNED,
    ),
    ACTIVE_STATES,
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
        *_texts(50, "telephone1", "telephone2", "telephone3", "fax"),
        *_texts(100, "emailaddress1", "emailaddress2", "emailaddress3"),
        text("websiteurl", 200),
        memo("description", 2000),
        *_address("address1"),
        number("numberofemployees"),
        flag("donotphone", default=False),
        flag("creditonhold", default=False),
        lookup("parentaccountid", "account", nav="parentaccountid"),
        lookup("primarycontactid", "contact", nav="primarycontactid"),
        *state_columns(ACTIVE_STATES),
        *OWNED,
    ),
    ACTIVE_STATES,
    bulk=True,
)

LEAD: Final = Table(
    "lead",
    "leads",
    "leadid",
    "fullname",
    (
        create_only(guid("leadid")),
        *_texts(50, "firstname", "lastname", "telephone1", "telephone2", "mobilephone"),
        read_only(text("fullname", 160)),
        text("subject", 300),
        text("companyname", 100),
        *_texts(100, "emailaddress1", "emailaddress2", "jobtitle"),
        memo("description", 2000),
        lookup("customerid", "account", "contact"),
        *state_columns(LEAD_STATES),
        *OWNED,
    ),
    LEAD_STATES,
)

ANNOTATION: Final = Table(
    "annotation",
    "annotations",
    "annotationid",
    "subject",
    (
        create_only(guid("annotationid")),
        text("subject", 500),
        memo("notetext", 100000),
        text("filename", 255),
        text("mimetype", 256),
        text("documentbody", 1073741823),
        text("langid", 2),
        read_only(Column("isdocument", "Boolean", options={0: "No", 1: "Yes"}, default=False)),
        read_only(number("filesize")),
        lookup(
            "objectid", "phonecall", "task", "email", "appointment", "contact", "account", "lead"
        ),
        *OWNED,
    ),
    {},
)

SYSTEMUSER: Final = Table(
    "systemuser",
    "systemusers",
    "systemuserid",
    "fullname",
    (
        create_only(guid("systemuserid")),
        *_texts(256, "firstname", "lastname"),
        read_only(text("fullname", 200)),
        text("domainname", 1024),
        *_texts(100, "internalemailaddress", "personalemailaddress"),
        *_texts(64, "mobilephone", "homephone"),
        text("address1_telephone1", 50),
        text("title", 128),
        flag("isdisabled", default=False),
        guid("azureactivedirectoryobjectid"),
        guid("applicationid"),
        text("employeeid", 100),
        *AUDIT,
    ),
    {},
)


TEAM: Final = Table(
    "team",
    "teams",
    "teamid",
    "name",
    (create_only(guid("teamid")), text("name", 160), memo("description", 2000), *AUDIT),
    {},
)


def _by_set(tables: Iterable[Table]) -> dict[str, Table]:
    return {table.entity_set: table for table in tables}


#: Every table by entity set.
TABLES: Final = _by_set(
    (
        *(PHONECALL, TASK, EMAIL, APPOINTMENT, CONTACT, ACCOUNT, LEAD, ANNOTATION, SYSTEMUSER),
        *(TEAM, *DESKTOP),
    )
)

#: The same by logical name.
BY_LOGICAL: Final = {table.logical: table for table in TABLES.values()}

#: Tables of many-to-many relations, by the navigation property both sides have.
RELATIONS: Final = {table.logical: table for table in TABLES.values() if table.joins}

#: Navigation properties of a party, by the table it leads to.
PARTY_NAVS: Final = {f"partyid_{name}": name for name in (*REGARDING, "systemuser")}
