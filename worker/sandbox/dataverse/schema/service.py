"""Cases and queues.

Columns, choices, status reasons, navigation properties and relations are those of Microsoft's table
reference (MicrosoftDocs/dynamics-365-customer-engagement and powerapps-docs: incident, queue,
queueitem); columns a worker never touches are left out.
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
    number,
    read_only,
    required,
    text,
)
from worker.sandbox.dataverse.schema.shared import (
    ACTIVE_STATES,
    AUDIT,
    OWNED,
    currency,
    state_columns,
)


INCIDENT_STATES: Final = {
    0: StateCode(
        "Active",
        {1: "In Progress", 2: "On Hold", 3: "Waiting for Details", 4: "Researching"},
        1,
    ),
    1: StateCode("Resolved", {5: "Problem Solved", 1000: "Information Provided"}, 5),
    2: StateCode("Canceled", {6: "Canceled", 2000: "Merged"}, 6),
}

_ORIGINS: Final = {
    1: "Phone",
    2: "Email",
    3: "Web",
    2483: "Facebook",
    3986: "Twitter",
    700610000: "IoT",
}

INCIDENT: Final = Table(
    "incident",
    "incidents",
    "incidentid",
    "title",
    (
        required(create_only(guid("incidentid"))),
        required(text("title", 200), "ApplicationRequired"),
        create_only(text("ticketnumber", 100)),
        memo("description", 2000),
        text("emailaddress", 100),
        text("productserialnumber", 100),
        Column("caseorigincode", "Picklist", options=_ORIGINS),
        choice("casetypecode", "Question", "Problem", "Request", start=1),
        choice("prioritycode", "High", "Normal", "Low", start=1, default=2),
        choice("severitycode", "Default Value", start=1, default=1),
        flag("isescalated", default=False),
        date("followupby"),
        date("resolveby"),
        date("responseby"),
        required(customer("customerid", "incident")),
        lookup(
            "primarycontactid",
            "contact",
            nav="primarycontactid",
            relation="contact_as_primary_contact",
        ),
        lookup(
            "responsiblecontactid",
            "contact",
            nav="responsiblecontactid",
            relation="contact_as_responsible_contact",
        ),
        lookup("parentcaseid", "incident", nav="parentcaseid", relation="incident_parent_incident"),
        *state_columns(INCIDENT_STATES),
        *OWNED,
        currency(),
    ),
    INCIDENT_STATES,
    has_activities=True,
    has_notes=True,
    in_queues=True,
    is_party=True,
    bulk=True,
)

QUEUE: Final = Table(
    "queue",
    "queues",
    "queueid",
    "name",
    (
        required(create_only(guid("queueid"))),
        required(text("name", 200)),
        memo("description", 2000),
        text("emailaddress", 100),
        choice("queueviewtype", "Public", "Private", default=0),
        read_only(number("numberofitems")),
        lookup("primaryuserid", "systemuser", nav="primaryuserid", relation="queue_primary_user"),
        lookup(
            "businessunitid",
            "businessunit",
            nav="businessunitid",
            relation="business_unit_queues",
        ),
        *state_columns(ACTIVE_STATES),
        *OWNED,
        currency(),
    ),
    ACTIVE_STATES,
    is_party=True,
)

QUEUE_ITEM: Final = Table(
    "queueitem",
    "queueitems",
    "queueitemid",
    "title",
    (
        required(create_only(guid("queueitemid"))),
        text("title", 500),
        required(create_only(Column("objectid", "Lookup")), "ApplicationRequired"),
        required(
            create_only(lookup("queueid", "queue", nav="queueid", relation="queue_entries")),
            "ApplicationRequired",
        ),
        Column(
            "workerid",
            "Lookup",
            navs={"workerid_systemuser": ("systemuser",), "workerid_team": ("team",)},
            relations={
                "systemuser": "lk_queueitembase_workerid",
                "team": "team_queueitembase_workerid",
            },
        ),
        number("priority", 0, 1_000_000_000),
        text("sender", 250),
        text("torecipients", 500),
        read_only(date("enteredon")),
        *state_columns(ACTIVE_STATES),
        *AUDIT,
        currency(),
    ),
    ACTIVE_STATES,
    schema_name="QueueItem",
    ownership="None",
)

SERVICE: Final = (INCIDENT, QUEUE, QUEUE_ITEM)
