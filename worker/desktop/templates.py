"""What the desktop needs in Dynamics: the channel provider, and templates of sessions and toasts.

Tables, columns and choices are from MicrosoftDocs/dynamics-365-customer-engagement
(``ce/developer/reference/entities``, ``ce/channel-integration-framework/v2``). Sessions are
Generic: ``createSession`` takes no others, and only they have an anchor tab. A tab of a record that
is not there yet would open a form to create one, unless it validates the record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid5

from pipelines.identity import NAMESPACE
from worker.desktop.addresses import origin
from worker.desktop.configuration import CHANNELS, brief
from worker.errors import ConfigError


#: Choices: Channel Integration Framework 2, Generic, Docked, Entity Record, Search, "When app is in
#: background".
API_2: Final = 162450000
GENERIC: Final = 0
DOCKED: Final = 162450002
ENTITY_RECORD: Final = 509180001
SEARCH: Final = 509180005
IN_BACKGROUND: Final = 509180001

#: A toast lasts so long (s), longer than any agent's phone rings; the page takes it away.
TOAST_S: Final = 120

#: Most characters of a provider's address and of its custom parameters.
URL_LENGTH: Final = 1024
PARAMETERS_LENGTH: Final = 2000

PROVIDERS: Final = "msdyn_channelproviders"
NOTIFICATIONS: Final = "msdyn_notificationtemplates"
FIELDS: Final = "msdyn_notificationfields"
SESSIONS: Final = "msdyn_sessiontemplates"
TABS: Final = "msdyn_applicationtabtemplates"
PARAMETERS: Final = "msdyn_templateparameters"

#: Many-to-many: which fields a toast shows.
HAS_FIELDS: Final = "msdyn_notificationtemplate_notificationfield"

PROVIDER: Final = "connect_dynamics"

#: What a toast shows: its unique name's end, its title, its value.
_SHOWN: Final = (
    ("number", "Number", "{number}"),
    ("queue", "Queue", "{queue}"),
    ("reason", "Reason", "{CallReason}"),
)

_KINDS: Final[Mapping[str, str]] = {
    "match": "one customer was found",
    "search": "no customer, or several",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it should be.

    Attributes:
        table: Its entity set.
        name: Its unique name, by which it is looked for.
        columns: Column -> value.
        anchor: The unique name of a session's anchor tab; "" for other rows.
        parameters: A tab's parameters: name -> value.
        fields: The unique names of the fields that a toast shows.
    """

    table: str
    name: str
    columns: Mapping[str, Any]
    anchor: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The primary key that it gets if it has to be made."""
        return key_of(self.table, self.name)


def key_of(table: str, name: str) -> str:
    """A primary key made of the name, so that making a row twice is making it once."""
    return str(uuid5(NAMESPACE, f"desktop/{table}/{name}"))


def key_column(table: str) -> str:
    """The primary key's column of one of these tables."""
    return f"{table.removesuffix('s')}id"


def rows(content: Mapping[str, Any], desktop_url: str) -> list[Row]:
    """All rows, each after those that it needs.

    Args:
        content: What ``config.json`` holds.
        desktop_url: Where browsers find the pages.

    Raises:
        ConfigError: The address or the configuration is too long for the provider.
    """
    names = content["names"]
    fields = list(_fields(names))
    return [
        *_tabs(names["tabs"]),
        *_sessions(names),
        *fields,
        *_notifications(names, tuple(one.name for one in fields)),
        _provider(content, desktop_url),
    ]


def _tabs(names: Mapping[str, str]) -> Iterator[Row]:
    yield _record_tab(names["customer"], "Customer", "{customerEntityName}", "{customerRecordId}")
    yield _record_tab(
        names["activity"],
        "Activity",
        "{ms_entityrecord_entity_name}",
        "{ms_entityrecord_record_id}",
    )
    yield Row(
        TABS,
        names["search"],
        {"msdyn_name": "Connect: search", "msdyn_title": "Search", "msdyn_pagetype": SEARCH},
        parameters={"searchType": "{ms_search_type}", "searchText": "{ms_search_text}"},
    )


def _record_tab(name: str, title: str, table: str, key: str) -> Row:
    columns = {
        "msdyn_name": f"Connect: {title.lower()}",
        "msdyn_title": title,
        "msdyn_pagetype": ENTITY_RECORD,
    }
    parameters = {"entityName": table, "entityId": key, "validateRecord": "True"}
    return Row(TABS, name, columns, parameters=parameters)


def _sessions(names: Mapping[str, Any]) -> Iterator[Row]:
    anchors = {"match": names["tabs"]["customer"], "search": names["tabs"]["search"]}
    seen = set()
    for channel in CHANNELS:
        for kind, meaning in _KINDS.items():
            name = names["session"][channel][kind]
            if name in seen:
                continue
            seen.add(name)
            columns = {
                "msdyn_name": f"Connect: {channel}, {meaning}",
                "msdyn_title": names["titles"][channel],
                "msdyn_sessiontype": GENERIC,
                "msdyn_type": False,
                "msdyn_panelstate": DOCKED,
            }
            yield Row(SESSIONS, name, columns, anchor=anchors[kind])


def _fields(names: Mapping[str, Any]) -> Iterator[Row]:
    prefix = names["tabs"]["customer"].partition("_")[0]
    for order, (end, title, value) in enumerate(_SHOWN):
        columns = {
            "msdyn_name": f"Connect: {title.lower()}",
            "msdyn_title": title,
            "msdyn_value": value,
            "msdyn_order": order,
        }
        yield Row(FIELDS, f"{prefix}_field_{end}", columns)


def _notifications(names: Mapping[str, Any], fields: tuple[str, ...]) -> Iterator[Row]:
    seen = set()
    for channel in CHANNELS:
        pair = names["notification"][channel]
        for kind, meaning in _KINDS.items():
            if pair[kind] in seen:
                continue
            seen.add(pair[kind])
            said = "" if pair["match"] == pair["search"] else f", {meaning}"
            columns = {
                "msdyn_name": f"Connect: {channel}{said}",
                "msdyn_title": names["titles"][channel],
                "msdyn_acceptbuttontext": "Accept",
                "msdyn_rejectbuttontext": "Reject",
                "msdyn_showrejectbutton": True,
                "msdyn_autoacceptnotification": False,
                "msdyn_showtimeout": False,
                "msdyn_timeout": TOAST_S,
                "msdyn_desktopnotificationmode": IN_BACKGROUND,
            }
            yield Row(NOTIFICATIONS, pair[kind], columns, fields=fields)


def _provider(content: Mapping[str, Any], desktop_url: str) -> Row:
    place = origin(desktop_url, "the desktop's address")
    page = f"{desktop_url.strip().rstrip('/')}/cif.html"
    parameters = brief(content)
    if len(page) > URL_LENGTH:
        raise ConfigError(f"the desktop's address is longer than {URL_LENGTH} characters")
    if len(parameters) > PARAMETERS_LENGTH:
        raise ConfigError(
            f"the configuration has {len(parameters)} characters, and a channel provider has room "
            f"for {PARAMETERS_LENGTH}: choose shorter names of templates"
        )
    columns = {
        "msdyn_name": "Amazon Connect",
        "msdyn_label": "Amazon Connect",
        "msdyn_channelurl": page,
        "msdyn_trusteddomain": place,
        "msdyn_enableoutbound": content["dial"]["enabled"],
        "msdyn_enableanalytics": False,
        "msdyn_sortorder": 0,
        "msdyn_apiversion": API_2,
        "msdyn_customparams": parameters,
    }
    return Row(PROVIDERS, PROVIDER, columns)
