"""What must be known of a Dataverse table to write to it.

Names, lengths and states are from the Web API entity reference
(https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/phonecall
and its neighbours) and, for lengths of other tables, a real organisation's classes
(delegateas/XrmMockup ``tests/TestPluginAssembly365``). ``check --online`` compares them. Which
columns are rich text: power-platform ``admin/enable-rich-text-experience`` (appointments), the
timeline's own editor (notes), and mails, whose text is HTML.
"""

from __future__ import annotations

import re

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.conversion import Holds, Kind


#: Dataverse's attribute types (``AttributeTypeCode``), and what their columns hold.
HOLDS: Mapping[str, Holds] = {
    **dict.fromkeys(("String", "Memo"), "text"),
    "Boolean": "boolean",
    **dict.fromkeys(("Integer", "BigInt", "Picklist", "State", "Status"), "integer"),
    **dict.fromkeys(("Decimal", "Double", "Money"), "decimal"),
    **dict.fromkeys(("Uniqueidentifier", "Lookup", "Customer", "Owner"), "guid"),
    "DateTime": "date",
}

#: Those of them that point to a record: a read has their values under other names.
LINKING = frozenset(("Lookup", "Customer", "Owner"))


@dataclass(frozen=True, slots=True)
class Entity:
    """A table.

    Attributes:
        set: Entity set, what stands in the URI: ``phonecalls``.
        logical: Logical name: ``phonecall``.
        key: Primary key column: ``activityid``.
        lengths: Column -> most characters.
        kinds: Column -> what it holds, as far as known; those with a length hold text.
        defaults: Column -> the value Dataverse gives it by itself.
        open_status: ``statuscode`` of an open record.
        active: Filter that leaves out deactivated records: one of two merged customers is one.
        rich: Columns that are shown as HTML: text of people must be escaped for them.
        links: Columns that point to a record; a read has their values under other names.
        parent: That of them which points to the customer that a customer belongs to.
        title: Column of its rows' names; "" if that is not known.
        known: False if derived from the set's name by rule: its key and logical name are guesses.
        types: Column -> its attribute type, where metadata told it.
        stated: The key is the pipeline's, which names it.
    """

    set: str
    logical: str
    key: str
    lengths: Mapping[str, int] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    open_status: int = 1
    active: str = ""
    rich: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()
    parent: str = ""
    title: str = ""
    known: bool = True
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    stated: bool = False

    def holds(self, column: str) -> Holds | None:
        """What a column holds; None if that is not known."""
        if column == self.key or column in self.links:
            return "guid"
        return HOLDS.get(self.types.get(column, ""), self.kind(column))

    def kind(self, column: str) -> Kind | None:
        """What a column holds, if that is known."""
        return "text" if column in self.lengths else self.kinds.get(column)

    def fixes(self, column: str) -> bool:
        """Whether a column can be set by a create alone; an update of it is no error, but none."""
        return column in (self.key, PARTITION) or column in CREATE_ONLY

    def read_as(self, column: str) -> str:
        """The column's name in a query and its answer."""
        return f"_{column}_value" if column in self.links else column


#: Columns of every table that are valid for create and not for update (entity reference).
CREATE_ONLY = frozenset(("overriddencreatedon", "importsequencenumber"))

_ACTIVITY = {"subject": 200, "category": 250, "subcategory": 250, "description": 2000}
_ACTIVITY_DEFAULTS = {"prioritycode": 1, "isbilled": False, "isworkflowcreated": False}
_STATES: dict[str, Kind] = {"statecode": "integer", "statuscode": "integer"}
_ACTIVITY_KINDS: dict[str, Kind] = {
    **_STATES,
    "prioritycode": "integer",
    "actualdurationminutes": "integer",
    "scheduleddurationminutes": "integer",
    "community": "integer",
    "isbilled": "boolean",
    "isworkflowcreated": "boolean",
    "ismapiprivate": "boolean",
}
_PHONES = dict.fromkeys(
    [
        "telephone1",
        "telephone2",
        "telephone3",
        "mobilephone",
        "home2",
        "business2",
        "company",
        "callback",
        "fax",
        "pager",
    ],
    50,
)
_ACTIVE = "statecode eq 0"
_EMAILS = {"emailaddress1": 100, "emailaddress2": 100, "emailaddress3": 100}

ENTITIES = {
    entity.set: entity
    for entity in (
        Entity(
            "phonecalls",
            "phonecall",
            "activityid",
            {**_ACTIVITY, "phonenumber": 200, "activityadditionalparams": 8192},
            {**_ACTIVITY_DEFAULTS, "directioncode": True, "leftvoicemail": False},
            kinds={**_ACTIVITY_KINDS, "directioncode": "boolean", "leftvoicemail": "boolean"},
        ),
        Entity(
            "tasks",
            "task",
            "activityid",
            {**_ACTIVITY, "activityadditionalparams": 8192},
            _ACTIVITY_DEFAULTS,
            open_status=2,
            kinds={**_ACTIVITY_KINDS, "percentcomplete": "integer"},
        ),
        Entity(
            "emails",
            "email",
            "activityid",
            {
                **_ACTIVITY,
                "subject": 800,
                "description": 1073741823,
                "sender": 250,
                "torecipients": 500,
                "messageid": 320,
            },
            {**_ACTIVITY_DEFAULTS, "directioncode": True},
            rich=frozenset(("description",)),
            kinds={
                **_ACTIVITY_KINDS,
                "directioncode": "boolean",
                "deliveryreceiptrequested": "boolean",
                "readreceiptrequested": "boolean",
                "deliveryprioritycode": "integer",
            },
        ),
        Entity(
            "appointments",
            "appointment",
            "activityid",
            {**_ACTIVITY, "location": 200, "description": 1048576, "globalobjectid": 300},
            _ACTIVITY_DEFAULTS,
            rich=frozenset(("description",)),  # where an administrator has it so
            kinds={**_ACTIVITY_KINDS, "isalldayevent": "boolean"},
        ),
        Entity(
            "contacts",
            "contact",
            "contactid",
            {**_PHONES, **_EMAILS, "firstname": 50, "lastname": 50, "description": 2000},
            active=_ACTIVE,
            links=frozenset(("accountid", "parentcustomerid")),
            parent="parentcustomerid",
            title="fullname",
            kinds=_STATES,
        ),
        Entity(
            "accounts",
            "account",
            "accountid",
            {"name": 160, "description": 2000},
            active=_ACTIVE,
            links=frozenset(("primarycontactid", "parentaccountid")),
            parent="parentaccountid",
            title="name",
            kinds=_STATES,
        ),
        Entity(
            "leads",
            "lead",
            "leadid",
            {"subject": 300, "description": 2000},
            active=_ACTIVE,
            title="fullname",
            kinds={**_STATES, "leadqualitycode": "integer", "leadsourcecode": "integer"},
        ),
        Entity(
            "incidents",
            "incident",
            "incidentid",
            {"title": 200, "description": 2000},
            kinds={
                **_STATES,
                "prioritycode": "integer",
                "severitycode": "integer",
                "caseorigincode": "integer",
                "casetypecode": "integer",
            },
        ),
        *(
            Entity(
                entity_set,
                logical,
                "activityid",
                {"subject": 200, "category": 250, "subcategory": 250},
                _ACTIVITY_DEFAULTS,
                kinds=_ACTIVITY_KINDS,
            )
            for entity_set, logical in (
                ("campaignactivities", "campaignactivity"),
                ("campaignresponses", "campaignresponse"),
                ("faxes", "fax"),
                ("letters", "letter"),
                ("recurringappointmentmasters", "recurringappointmentmaster"),
                ("serviceappointments", "serviceappointment"),
                ("socialactivities", "socialactivity"),
            )
        ),
        Entity("opportunities", "opportunity", "opportunityid", title="name", kinds=_STATES),
        Entity("queueitems", "queueitem", "queueitemid", title="title", kinds=_STATES),
        Entity("queues", "queue", "queueid", title="name", kinds=_STATES),
        Entity("teams", "team", "teamid", title="name"),
        Entity(
            "annotations",
            "annotation",
            "annotationid",
            {"subject": 500, "notetext": 100000, "filename": 255, "mimetype": 256},
            rich=frozenset(("notetext",)),
        ),
        Entity(
            "systemusers",
            "systemuser",
            "systemuserid",
            active="isdisabled eq false",
            title="fullname",
        ),
    )
}

#: A record's owner: there always is one, so it cannot be emptied.
OWNER = "ownerid@odata.bind"

#: The column that says in which partition of an elastic table a record is. Set once, it is part of
#: the record's address (powerapps-docs ``use-elastic-tables``).
PARTITION = "partitionid"

#: Columns that change a record's state; they go last, in a request of their own.
STATE = ("statecode", "statuscode")


#: Ends of plurals and of their singulars; the first that fits is the likeliest.
_PLURALS = (
    ("ies$", "y"),
    ("(?<=ss)es$|(?<=[^aeo]us)es$|(?<=[xz])es$|(?<=[cs]h)es$", ""),
    ("ses$", "se"),
    ("s$", ""),
    ("$", ""),
)


def entity(name: str) -> Entity:
    """The table of an entity set; for a custom one, names by Dataverse's own plural rule."""
    if name in ENTITIES:
        return ENTITIES[name]
    end, singular = next((plural, one) for plural, one in _PLURALS if re.search(plural, name))
    logical = re.sub(end, singular, name)
    return Entity(name, logical, f"{logical}id", known=False)


#: Roles of parties that Dataverse keeps by itself, a record's regarding and its owner
#: (``participationtypemask``; activityparty reference). They are nobody's to write.
AUTOMATIC_ROLES = frozenset((8, 9))


def is_party_list(column: str) -> bool:
    """Whether a column is the list of an activity's parties, which has rules of its own."""
    return column.endswith("_activity_parties")
