"""Names of attributes and templates, one table of them for each product whose names they are."""

from __future__ import annotations

import re

from collections.abc import Mapping
from typing import Any, Final

from worker.errors import ConfigError


CHANNELS: Final = ("voice", "chat", "task", "email")

ATTRIBUTES: Final = (
    "id",
    "contactId",
    "accountId",
    "customerName",
    "customerTable",
    "activityId",
    "recordTable",
    "recordId",
    "sessionTemplate",
    "notificationTemplate",
    "searchType",
    "searchText",
    "reason",
    "status",
)

TABS: Final = ("customer", "activity", "search")

#: Contact attributes as Connect takes them, and templates' names as Dynamics does: a prefix of 3
#: to 8 letters and digits, an underscore, the rest.
_ATTRIBUTE: Final = re.compile(r"[A-Za-z0-9_-]{1,127}")
_TEMPLATE: Final = re.compile(r"[a-z0-9]{3,8}_[A-Za-z0-9_]{1,90}")

#: Titles may hold any text, bounded by the column.
_TITLE: Final = re.compile(r"[^\x00-\x1f]{1,100}")


def checked_names(table: Any, source: str) -> dict[str, Any]:
    """The table, if it is whole.

    Args:
        table: What a file holds.
        source: The file's name, for messages.

    Raises:
        ConfigError: A name is missing, unknown or none that Connect or Dynamics takes.
    """
    sections = ("attributes", "session", "notification", "tabs", "titles")
    _only(table, sections, source)
    _texts(table["attributes"], ATTRIBUTES, _ATTRIBUTE, f"{source}: attributes")
    for section in ("session", "notification"):
        _only(table[section], CHANNELS, f"{source}: {section}")
        for channel in CHANNELS:
            where = f"{source}: {section}.{channel}"
            _texts(table[section][channel], ("match", "search"), _TEMPLATE, where)
    _texts(table["tabs"], TABS, _TEMPLATE, f"{source}: tabs")
    _texts(table["titles"], CHANNELS, _TITLE, f"{source}: titles")
    checked: dict[str, Any] = table
    return checked


def _only(table: Any, keys: tuple[str, ...], where: str) -> None:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: must be an object with {', '.join(keys)}")
    for key in keys:
        if key not in table:
            raise ConfigError(f"{where}: {key} is missing")
    for key in table:
        if key not in keys:
            raise ConfigError(f"{where}: {key!r} is not known; there are {', '.join(keys)}")


def _texts(table: Any, keys: tuple[str, ...], form: re.Pattern[str], where: str) -> None:
    _only(table, keys, where)
    for key in keys:
        if not isinstance(table[key], str) or not form.fullmatch(table[key]):
            raise ConfigError(f"{where}.{key}: {table[key]!r} is no name that can be used here")
