"""The tables that make an agent's desktop: the channel provider, and templates.

Documented (MicrosoftDocs/dynamics-365-customer-engagement, ``ce/developer/reference/entities/``):
tables, entity sets, columns, lengths, choices and the two many-to-many relations, whose navigation
property is named like the relation on both sides. Columns that nothing here reads are left out.

Unverified, since no organisation was at hand:

- That the Web API itself refuses a unique name without a prefix; the admin centre does, and
  ``rows.derived`` is as strict.
- The form of ``msdyn_templateparameters``. Documented is "a JSON string with all pageType
  parameters with template values provided"; here an object of texts by parameter's name. Rows of
  ``msdyn_templateparameter`` say the same one by one, and win where both name a parameter.
- Whether a tab's template made by Web API gets rows for the parameters of its page type, as one
  made in the admin centre does: switch ``tab_parameters``.
- That ``msdyn_sessiontype`` rather than the older ``msdyn_type`` decides what a session is.
"""

from __future__ import annotations

from typing import Final

from worker.sandbox.dataverse.schema.columns import Column, Table
from worker.sandbox.dataverse.schema.kinds import (
    create_only,
    flag,
    guid,
    lookup,
    memo,
    number,
    read_only,
    text,
)
from worker.sandbox.dataverse.schema.shared import ACTIVE_STATES, OWNED, state_columns


#: msdyn_apiversion of a provider: Channel Integration Framework 2.
CIF_2: Final = 162450000

#: msdyn_sessiontype.
GENERIC_SESSION: Final = 0
ENTITY_SESSION: Final = 1

#: msdyn_pagetype.
ENTITY_LIST: Final = 509180000
ENTITY_RECORD: Final = 509180001
SEARCH: Final = 509180005

_PAGE_TYPES: Final = {
    ENTITY_LIST: "Entity List",
    ENTITY_RECORD: "Entity Record",
    509180002: "Web Resource",
    509180003: "Control",
    509180004: "Dashboard",
    SEARCH: "Search",
    509180006: "Third Party Website",
    509180007: "Custom",
}

#: The parameters of a page type, for which saving a template in the admin centre makes rows.
PAGE_PARAMETERS: Final = {
    ENTITY_LIST: ("entityName", "viewId"),
    ENTITY_RECORD: ("entityName", "entityId", "formId", "data"),
    SEARCH: ("searchType", "searchText"),
}
_PANEL_STATES: Final = {162450000: "Minimized", 162450001: "Hidden", 162450002: "Docked"}
_DESKTOP_MODES: Final = {
    509180000: "Never",
    509180001: "When app is in background",
    509180002: "Always",
}


def _named(logical: str, *columns: Column) -> Table:
    """A table with a name and a unique name."""
    own = (
        create_only(guid(f"{logical}id")),
        text("msdyn_name", 100),
        text("msdyn_uniquename", 128),
        *columns,
        *state_columns(ACTIVE_STATES),
        *OWNED,
    )
    return Table(logical, f"{logical}s", f"{logical}id", "msdyn_name", own, ACTIVE_STATES)


def _join(logical: str, *sides: str) -> Table:
    """The table of a many-to-many relation."""
    keys = (f"{logical}id", *(f"{side}id" for side in sides))
    own = (
        *(read_only(guid(key)) for key in keys),
        read_only(Column("versionnumber", "BigInt")),
    )
    return Table(logical, f"{logical}set", keys[0], keys[0], own, {}, ownership="None", joins=sides)


CHANNEL_PROVIDER: Final = _named(
    "msdyn_channelprovider",
    text("msdyn_label", 100),
    text("msdyn_channelurl", 1024),
    memo("msdyn_customparams", 2000),
    text("msdyn_trusteddomain", 2000),
    memo("msdyn_sandboxconfiguration", 2000),
    flag("msdyn_enableoutbound", default=False),
    flag("msdyn_enableanalytics", default=False),
    number("msdyn_sortorder", 0, 1000),
    Column("msdyn_apiversion", "Picklist", options={CIF_2: "2"}, default=CIF_2),
)

NOTIFICATION_TEMPLATE: Final = _named(
    "msdyn_notificationtemplate",
    text("msdyn_title", 100),
    memo("msdyn_description", 2000),
    text("msdyn_icon", 1024),
    text("msdyn_acceptbuttontext", 100),
    text("msdyn_rejectbuttontext", 100),
    flag("msdyn_showrejectbutton", default=True),
    flag("msdyn_showtimeout", default=True),
    flag("msdyn_autoacceptnotification", default=False),
    flag("msdyn_autopopupsession", default=False),
    number("msdyn_timeout", 0, 500),
    Column("msdyn_theme", "Picklist", options={509180000: "Dark", 509180001: "Light"}),
    Column("msdyn_desktopnotificationmode", "Picklist", options=_DESKTOP_MODES, default=509180000),
)

NOTIFICATION_FIELD: Final = _named(
    "msdyn_notificationfield",
    text("msdyn_title", 200),
    text("msdyn_value", 1028),
    number("msdyn_order"),
)

APPLICATION_TAB_TEMPLATE: Final = _named(
    "msdyn_applicationtabtemplate",
    text("msdyn_title", 200),
    memo("msdyn_description", 2000),
    Column("msdyn_pagetype", "Picklist", options=_PAGE_TYPES),
    text("msdyn_templateparameters", 2048),
    flag("msdyn_pinned", default=False),
)

TEMPLATE_PARAMETER: Final = _named(
    "msdyn_templateparameter",
    text("msdyn_value", 2048),
    lookup(
        "msdyn_applicationtabtemplateid",
        "msdyn_applicationtabtemplate",
        nav="msdyn_applicationtabtemplateid",
    ),
)

SESSION_TEMPLATE: Final = _named(
    "msdyn_sessiontemplate",
    text("msdyn_title", 200),
    memo("msdyn_description", 2000),
    text("msdyn_entity", 100),
    Column(
        "msdyn_sessiontype",
        "Picklist",
        options={GENERIC_SESSION: "Generic", ENTITY_SESSION: "Entity"},
        default=ENTITY_SESSION,
    ),
    Column("msdyn_type", "Boolean", options={0: "Generic", 1: "Entity"}, default=False),
    Column("msdyn_panelstate", "Picklist", options=_PANEL_STATES, default=162450002),
    flag("msdyn_enabletitlesync", default=False),
    lookup("msdyn_anchortab", "msdyn_applicationtabtemplate", nav="msdyn_anchortab"),
)

#: The fields of a notification, and the tabs that a session opens beside its anchor tab.
NOTIFICATION_FIELDS: Final = _join(
    "msdyn_notificationtemplate_notificationfield",
    "msdyn_notificationtemplate",
    "msdyn_notificationfield",
)
SESSION_TABS: Final = _join(
    "msdyn_sessiontemplate_applicationtab",
    "msdyn_sessiontemplate",
    "msdyn_applicationtabtemplate",
)

DESKTOP: Final = (
    *(CHANNEL_PROVIDER, NOTIFICATION_TEMPLATE, NOTIFICATION_FIELD, SESSION_TEMPLATE),
    *(APPLICATION_TAB_TEMPLATE, TEMPLATE_PARAMETER, NOTIFICATION_FIELDS, SESSION_TABS),
)
