"""The provider and the templates of an organisation, as the workspace's page reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from worker.sandbox.browser.dynamics import addresses
from worker.sandbox.dataverse.rows.navigation import joined
from worker.sandbox.dataverse.schema import desktop
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


if TYPE_CHECKING:
    from worker.sandbox.browser.dynamics.switches import PageSwitches
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Table


COUNTDOWN_S = 120  # of a notification without one, says Microsoft

_ORDER_LAST = 1_000


def workspace(records: Rows, switches: PageSwitches, origin: str) -> dict[str, Any]:
    """What the workspace's page needs to know, as JSON.

    Args:
        records: The rows.
        switches: How the pages behave.
        origin: The organisation's own (``https://127.0.0.1:1234``).
    """
    return {
        "provider": _provider(records),
        "notifications": _by_name(records, desktop.NOTIFICATION_TEMPLATE, _notification),
        "sessions": _by_name(records, desktop.SESSION_TEMPLATE, _session),
        "tabs": _by_name(records, desktop.APPLICATION_TAB_TEMPLATE, _tab),
        "environment": {
            "appid": addresses.APP_ID,
            "appUrl": f"{origin}{addresses.MAIN}?appid={addresses.APP_ID}",
            "clientUrl": origin,
            "orgId": records.organisation_id,
            "orgUniqueName": "sandbox",
            "userId": f"{{{application_user(CLIENT_ID).upper()}}}",
            "username": "Sandbox Agent",
            "crmVersion": "9.2",
        },
        "switches": {
            "results": switches.results,
            "countdownS": switches.countdown_s,
            "toasts": switches.toasts,
            "focusRequest": switches.focus_request,
            "clickEntityId": switches.click_entity_id,
            "presences": list(switches.presences),
            "panelSandbox": switches.panel_sandbox,
        },
    }


def _by_name(records: Rows, table: Table, read: Any) -> dict[str, Any]:
    """Active templates by unique name."""
    return {
        row.columns["msdyn_uniquename"]: read(records, row)
        for row in records.all(table)
        if row.columns.get("msdyn_uniquename") and _active(row)
    }


def _active(row: Row) -> bool:
    return row.columns.get("statecode") == 0


def _provider(records: Rows) -> dict[str, Any] | None:
    """The active provider that comes first."""
    rows = [row for row in records.all(desktop.CHANNEL_PROVIDER) if _active(row)]
    rows = [row for row in rows if row.columns.get("msdyn_channelurl")]
    if not rows:
        return None
    columns = min(rows, key=_order).columns
    return {
        "name": columns.get("msdyn_name", ""),
        "label": columns.get("msdyn_label", "Softphone"),
        "url": columns["msdyn_channelurl"],
        "customParams": columns.get("msdyn_customparams", ""),
        "trustedDomain": columns.get("msdyn_trusteddomain", ""),
        "sandbox": columns.get("msdyn_sandboxconfiguration", ""),
        "outbound": bool(columns.get("msdyn_enableoutbound")),
    }


def _order(row: Row) -> tuple[int, int]:
    return row.columns.get("msdyn_sortorder", _ORDER_LAST), row.version


def _notification(records: Rows, row: Row) -> dict[str, Any]:
    fields = joined(records, desktop.NOTIFICATION_FIELDS, desktop.NOTIFICATION_TEMPLATE, row)
    fields.sort(key=lambda item: item.columns.get("msdyn_order", 0))
    columns = row.columns
    return {
        "title": columns.get("msdyn_title", ""),
        "fields": [
            {
                "title": item.columns.get("msdyn_title", ""),
                "value": item.columns.get("msdyn_value", ""),
            }
            for item in fields
        ],
        "accept": columns.get("msdyn_acceptbuttontext") or "Accept",
        "reject": columns.get("msdyn_rejectbuttontext") or "Reject",
        "rejectShown": bool(columns.get("msdyn_showrejectbutton", True)),
        "countdownS": columns.get("msdyn_timeout") or COUNTDOWN_S,
        "countdownShown": bool(columns.get("msdyn_showtimeout", True)),
        "autoAccept": bool(columns.get("msdyn_autoacceptnotification")),
    }


def _session(records: Rows, row: Row) -> dict[str, Any]:
    tabs = joined(records, desktop.SESSION_TABS, desktop.SESSION_TEMPLATE, row)
    anchor = row.columns.get("_msdyn_anchortab_value")
    found = records.get(desktop.APPLICATION_TAB_TEMPLATE, anchor) if anchor else None
    return {
        "title": row.columns.get("msdyn_title", ""),
        "generic": row.columns.get("msdyn_sessiontype") == desktop.GENERIC_SESSION,
        "anchor": found.columns.get("msdyn_uniquename", "") if found else "",
        "tabs": [
            tab.columns["msdyn_uniquename"] for tab in tabs if tab.columns.get("msdyn_uniquename")
        ],
        "titleSync": bool(row.columns.get("msdyn_enabletitlesync")),
    }


def _tab(records: Rows, row: Row) -> dict[str, Any]:
    columns = row.columns
    text = columns.get("msdyn_templateparameters")
    given = _object(text) if text else {}
    for parameter in records.all(desktop.TEMPLATE_PARAMETER):
        name, value = (parameter.columns.get(column) for column in ("msdyn_name", "msdyn_value"))
        if parameter.columns.get("_msdyn_applicationtabtemplateid_value") == row.id and value:
            given[str(name)] = value
    return {
        "title": columns.get("msdyn_title", ""),
        "pageType": columns.get("msdyn_pagetype"),
        "parameters": {name: str(value) for name, value in given.items() if value is not None},
    }


def _object(text: str) -> dict[str, Any]:
    """A JSON object; nothing if it is none, as for Dynamics it then has no parameters."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
