"""The activities: phone calls, tasks, mails, appointments, faxes, letters, campaign responses.

phonecall is Microsoft's table reference
(https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/phonecall), as
are the other tables' navigation properties and relations; the other lengths are those of a real
organisation's generated classes (delegateas/XrmMockup,
``tests/TestPluginAssembly365/Context/tables``); columns a worker never touches are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.schema.columns import Column, StateCode, Table
from worker.sandbox.dataverse.schema.kinds import (
    choice,
    create_only,
    date,
    flag,
    guid,
    memo,
    number,
    read_only,
    required,
    text,
    texts,
)
from worker.sandbox.dataverse.schema.shared import audit, currency, owner, state_columns


if TYPE_CHECKING:
    from collections.abc import Mapping


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
LETTER_STATES: Final = {
    0: StateCode("Open", {1: "Open", 2: "Draft"}, 1),
    1: StateCode("Completed", {3: "Received", 4: "Sent"}, 4),
    2: StateCode("Canceled", {5: "Canceled"}, 5),
}
FAX_STATES: Final = {
    0: StateCode("Open", {1: "Open"}, 1),
    1: StateCode("Completed", {2: "Completed", 3: "Sent", 4: "Received"}, 2),
    2: StateCode("Canceled", {5: "Canceled"}, 5),
}
RESPONSE_STATES: Final = {
    0: StateCode("Open", {1: "Open"}, 1),
    1: StateCode("Closed", {2: "Closed"}, 2),
    2: StateCode("Canceled", {3: "Canceled"}, 3),
}
#: What a new activity of one's own has.
CUSTOM_STATES: Final = {
    0: StateCode("Open", {1: "Open"}, 1),
    1: StateCode("Completed", {2: "Completed"}, 2),
    2: StateCode("Canceled", {3: "Canceled"}, 3),
    3: StateCode("Scheduled", {4: "Scheduled"}, 4),
}


def activity_columns(
    logical: str,
    states: Mapping[int, StateCode],
    *columns: Column,
    subject: int = 200,
    description: int = 2000,
) -> tuple[Column, ...]:
    """The columns every activity has, and these."""
    return (
        required(create_only(guid("activityid"))),
        read_only(text("activitytypecode", 64)),
        required(text("subject", subject), "ApplicationRequired"),
        memo("description", description),
        *texts(250, "category", "subcategory"),
        *(date("actualstart"), date("actualend"), number("actualdurationminutes")),
        *(date("scheduledstart"), date("scheduledend"), date("sortdate"), date("lastonholdtime")),
        read_only(number("scheduleddurationminutes")),
        read_only(number("onholdtime")),
        choice("prioritycode", "Low", "Normal", "High", default=1),
        flag("isbilled", default=False),
        flag("isworkflowcreated", default=False),
        memo("activityadditionalparams", 8192),
        Column("regardingobjectid", "Lookup"),
        *state_columns(states),
        *columns,
        *audit(logical),
        owner(logical),
        currency(logical),
    )


def activity(
    logical: str,
    states: Mapping[int, StateCode],
    *columns: Column,
    subject: int = 200,
    description: int = 2000,
    entity_set: str = "",
    schema_name: str = "",
) -> Table:
    """An activity: ``activityid`` is its key, its parties and what it is regarding come of it."""
    own = activity_columns(logical, states, *columns, subject=subject, description=description)
    return Table(
        logical,
        entity_set or f"{logical}s",
        "activityid",
        "subject",
        own,
        states,
        schema_name=schema_name,
        activity=True,
        has_notes=True,
        in_queues=True,
    )


PHONECALL: Final = activity(
    "phonecall",
    PHONECALL_STATES,
    text("phonenumber", 200),
    Column("directioncode", "Boolean", options={0: "Incoming", 1: "Outgoing"}, default=True),
    flag("leftvoicemail", default=False),
    schema_name="PhoneCall",
)

TASK: Final = activity("task", TASK_STATES, number("percentcomplete", 0, 100))

EMAIL: Final = activity(
    "email",
    EMAIL_STATES,
    Column("directioncode", "Boolean", options={0: "Incoming", 1: "Outgoing"}, default=True),
    text("sender", 250),
    *texts(500, "torecipients"),
    *texts(320, "messageid", "inreplyto"),
    text("trackingtoken", 50),
    subject=800,
    description=1073741823,
)

APPOINTMENT: Final = activity(
    "appointment",
    APPOINTMENT_STATES,
    text("location", 200),
    text("globalobjectid", 300),
    flag("isalldayevent", default=False),
    description=1048576,
)

FAX: Final = activity(
    "fax",
    FAX_STATES,
    text("faxnumber", 200),
    text("coverpagename", 100),
    text("billingcode", 50),
    text("tsid", 20),
    number("numberofpages", 0, 1_000_000_000),
    Column("directioncode", "Boolean", options={0: "Incoming", 1: "Outgoing"}, default=True),
    entity_set="faxes",
)

LETTER: Final = activity(
    "letter",
    LETTER_STATES,
    memo("address", 1000),
    Column("directioncode", "Boolean", options={0: "Incoming", 1: "Outgoing"}, default=True),
)

CAMPAIGN_RESPONSE: Final = activity(
    "campaignresponse",
    RESPONSE_STATES,
    *texts(50, "firstname", "lastname", "telephone", "fax"),
    *texts(100, "companyname", "emailaddress"),
    text("promotioncodename", 250),
    date("receivedon"),
    choice(
        "channeltypecode", *("Email", "Phone", "Fax", "Letter", "Appointment", "Others"), start=1
    ),
    choice(
        "responsecode",
        *("Interested", "Not Interested", "Do Not Send Marketing Materials", "Error"),
        start=1,
        default=1,
    ),
    schema_name="CampaignResponse",
)

ACTIVITIES: Final = (PHONECALL, TASK, EMAIL, APPOINTMENT, FAX, LETTER, CAMPAIGN_RESPONSE)
