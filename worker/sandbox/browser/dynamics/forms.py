"""What a record's page shows of it: labels, columns, phone numbers."""

from __future__ import annotations

from typing import Final


#: Tables as people call them, one and several.
NAMES: Final = {
    "phonecall": ("Phone call", "Phone calls"),
    "task": ("Task", "Tasks"),
    "email": ("Email", "Emails"),
    "appointment": ("Appointment", "Appointments"),
    "fax": ("Fax", "Faxes"),
    "letter": ("Letter", "Letters"),
    "campaignresponse": ("Campaign response", "Campaign responses"),
    "incident": ("Case", "Cases"),
    "opportunity": ("Opportunity", "Opportunities"),
    "queue": ("Queue", "Queues"),
    "queueitem": ("Queue item", "Queue items"),
    "contact": ("Contact", "Contacts"),
    "account": ("Account", "Accounts"),
    "lead": ("Lead", "Leads"),
    "annotation": ("Note", "Notes"),
    "systemuser": ("User", "Users"),
    "team": ("Team", "Teams"),
}

#: What a search looks through, and in which columns.
SEARCHED: Final = {
    "contact": (
        *("fullname", "telephone1", "telephone2", "telephone3", "mobilephone", "home2"),
        *("business2", "company", "emailaddress1", "emailaddress2", "emailaddress3"),
    ),
    "account": (
        *("name", "accountnumber", "telephone1", "telephone2", "telephone3"),
        *("emailaddress1", "emailaddress2", "emailaddress3"),
    ),
    "lead": (
        *("fullname", "companyname", "telephone1", "telephone2", "mobilephone"),
        *("emailaddress1", "emailaddress2"),
    ),
}

#: Columns that hold a number to dial.
PHONES: Final = frozenset(
    {
        *("telephone1", "telephone2", "telephone3", "mobilephone", "home2", "business2"),
        *("company", "callback", "phonenumber", "homephone", "address1_telephone1"),
    }
)

#: Columns of several lines.
LONG: Final = frozenset({"description", "notetext"})

_COMMON: Final = {
    "telephone1": "Business phone",
    "telephone2": "Phone 2",
    "telephone3": "Phone 3",
    "mobilephone": "Mobile phone",
    "home2": "Home phone 2",
    "business2": "Business phone 2",
    "company": "Company phone",
    "callback": "Callback number",
    "emailaddress1": "Email",
    "emailaddress2": "Email 2",
    "emailaddress3": "Email 3",
}
_ACTIVITY: Final = {
    "statuscode": "Status reason",
    "prioritycode": "Priority",
    "_regardingobjectid_value": "Regarding",
    "actualstart": "Actual start",
    "actualend": "Actual end",
    "actualdurationminutes": "Duration (minutes)",
    "scheduledstart": "Scheduled start",
    "scheduledend": "Due",
    "category": "Category",
    "subcategory": "Sub-category",
    "_ownerid_value": "Owner",
    "createdon": "Created",
    "modifiedon": "Modified",
    "description": "Description",
}
_OWNED: Final = {"_ownerid_value": "Owner", "createdon": "Created", "modifiedon": "Modified"}

#: Labels of the columns a page shows if they hold anything, in order, by table.
COLUMNS: Final = {
    "phonecall": {
        "directioncode": "Direction",
        "phonenumber": "Phone number",
        "leftvoicemail": "Left voice mail",
        **_ACTIVITY,
    },
    "task": _ACTIVITY,
    "email": {
        "directioncode": "Direction",
        "sender": "Sender",
        "torecipients": "To recipients",
        **_ACTIVITY,
    },
    "appointment": {"location": "Location", **_ACTIVITY},
    "contact": {
        "jobtitle": "Job title",
        "_parentcustomerid_value": "Account",
        **_COMMON,
        "address1_line1": "Street",
        "address1_city": "City",
        "address1_postalcode": "Postal code",
        "address1_country": "Country",
        **_OWNED,
        "description": "Description",
    },
    "account": {
        "accountnumber": "Account number",
        "_primarycontactid_value": "Primary contact",
        **_COMMON,
        "websiteurl": "Website",
        "address1_city": "City",
        **_OWNED,
        "description": "Description",
    },
    "lead": {"companyname": "Company", "subject": "Topic", **_COMMON, **_OWNED},
    "annotation": {
        "_objectid_value": "Regarding",
        "filename": "File name",
        **_OWNED,
        "notetext": "Text",
    },
    "systemuser": {"domainname": "User name", "internalemailaddress": "Email", "title": "Title"},
    "team": {"description": "Description"},
}

#: participationtypemask as a page names it.
ROLES: Final = {1: "From", 2: "To", 3: "Cc", 4: "Bcc", 5: "Required", 6: "Optional", 8: "Regarding"}
