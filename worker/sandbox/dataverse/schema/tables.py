"""The tables the sandbox ships with.

Lengths are those of a real organisation's generated classes (delegateas/XrmMockup,
``tests/TestPluginAssembly365/Context/tables``), navigation properties and relations those of
Microsoft's table reference; columns a worker never touches are left out.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

import orjson

from worker.sandbox.dataverse import schema
from worker.sandbox.dataverse.schema.activities import ACTIVITIES
from worker.sandbox.dataverse.schema.columns import Column, Schema, Table
from worker.sandbox.dataverse.schema.customers import CUSTOMERS
from worker.sandbox.dataverse.schema.desktop import DESKTOP
from worker.sandbox.dataverse.schema.document import read_schema
from worker.sandbox.dataverse.schema.kinds import (
    choice,
    create_only,
    decimal,
    flag,
    guid,
    lookup,
    memo,
    number,
    read_only,
    required,
    text,
    texts,
)
from worker.sandbox.dataverse.schema.service import SERVICE
from worker.sandbox.dataverse.schema.shared import (
    ACTIVE_STATES,
    AUDIT,
    OWNED,
    state_columns,
)


_TEAM_TYPES: Final = ("Owner", "Access", "Security Group", "Office Group")
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
        read_only(flag("isdocument", default=False)),
        read_only(number("filesize")),
        Column("objectid", "Lookup"),
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
        *texts(256, "firstname", "lastname"),
        read_only(text("fullname", 200)),
        text("domainname", 1024),
        *texts(100, "internalemailaddress", "personalemailaddress"),
        *texts(64, "mobilephone", "homephone"),
        text("address1_telephone1", 50),
        text("title", 128),
        flag("isdisabled", default=False),
        guid("azureactivedirectoryobjectid"),
        guid("applicationid"),
        text("employeeid", 100),
        lookup(
            "businessunitid",
            "businessunit",
            nav="businessunitid",
            relation="business_unit_system_users",
        ),
        *AUDIT,
    ),
    {},
    schema_name="SystemUser",
    ownership="None",
    is_party=True,
)

TEAM: Final = Table(
    "team",
    "teams",
    "teamid",
    "name",
    (
        create_only(guid("teamid")),
        required(text("name", 160)),
        memo("description", 2000),
        text("emailaddress", 100),
        choice("teamtype", *_TEAM_TYPES, default=0),
        lookup(
            "administratorid",
            "systemuser",
            nav="administratorid",
            relation="lk_teambase_administratorid",
        ),
        lookup(
            "businessunitid", "businessunit", nav="businessunitid", relation="business_unit_teams"
        ),
        *AUDIT,
    ),
    {},
    ownership="None",
)

MEMBERSHIP: Final = Table(
    "teammembership",
    "teammemberships",
    "teammembershipid",
    "teammembershipid",
    (
        *(read_only(guid(key)) for key in ("teammembershipid", "teamid", "systemuserid")),
        read_only(Column("versionnumber", "BigInt")),
    ),
    {},
    schema_name="TeamMembership",
    ownership="None",
    joins=("team", "systemuser"),
    association="teammembership_association",
)

BUSINESS_UNIT: Final = Table(
    "businessunit",
    "businessunits",
    "businessunitid",
    "name",
    (
        create_only(guid("businessunitid")),
        required(text("name", 160)),
        text("divisionname", 100),
        memo("description", 2000),
        flag("isdisabled", default=False),
        lookup(
            "parentbusinessunitid",
            "businessunit",
            nav="parentbusinessunitid",
            relation="business_unit_parent_business_unit",
        ),
        *AUDIT,
    ),
    {},
    schema_name="BusinessUnit",
    ownership="None",
)

CURRENCY: Final = Table(
    "transactioncurrency",
    "transactioncurrencies",
    "transactioncurrencyid",
    "currencyname",
    (
        create_only(guid("transactioncurrencyid")),
        required(text("currencyname", 100)),
        required(text("isocurrencycode", 5)),
        text("currencysymbol", 13),
        number("currencyprecision", 0, 4),
        decimal("exchangerate", 0.0000000001),
        *state_columns(ACTIVE_STATES),
        *AUDIT,
    ),
    ACTIVE_STATES,
    schema_name="TransactionCurrency",
    ownership="OrganizationOwned",
)


def _customised() -> Schema:
    """The tables above with what an organisation has of its own, in ``customised.json``."""
    standard = Schema(
        (
            *(*ACTIVITIES, *SERVICE, *CUSTOMERS, ANNOTATION, SYSTEMUSER),
            *(TEAM, MEMBERSHIP, BUSINESS_UNIT, CURRENCY, *DESKTOP),
        )
    )
    own = resources.files(schema).joinpath("customised.json").read_bytes()
    return read_schema(orjson.loads(own), standard)


#: Every table, as shipped.
SHIPPED: Final = _customised()

#: The same by entity set and by logical name.
TABLES: Final = SHIPPED.tables
BY_LOGICAL: Final = SHIPPED.by_logical
