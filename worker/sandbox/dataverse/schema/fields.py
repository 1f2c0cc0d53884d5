"""Columns as a document describes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.schema.columns import EDM, OWNER, REQUIRED_LEVELS, Column


if TYPE_CHECKING:
    from worker.sandbox.dataverse.schema.entries import Entry


#: What a column's ``type`` may be: an attribute type, or a kind of lookup.
TYPES: Final = (*EDM, "Owner", "Customer")

_LOOKUPS: Final = ("Lookup", "Owner", "Customer")
_TEXT_LENGTHS: Final = {"String": 100, "Memo": 2000}
_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "Integer": (-(2**31), 2**31 - 1),
    "Decimal": (-100_000_000_000, 100_000_000_000),
    "Double": (-100_000_000_000, 100_000_000_000),
    "Money": (-922_337_203_685_477, 922_337_203_685_477),
}
_CHOICES: Final = ("Picklist", "MultiSelectPicklist", "State", "Status")
_KEYS: Final = (
    *("type", "length", "min", "max", "choices", "choice", "navigation", "relations"),
    *("required", "create", "update", "default"),
)


def read_column(name: str, entry: Entry, known: Column | None) -> Column:
    """A column; what the entry leaves out is as in the ``known`` one, or usual for its type."""
    entry.only(*_KEYS)
    if name != name.lower() or not name.replace("_", "a").isalnum():
        entry.mistake(f"is no logical name; write {_logical(name)!r}")
    before = known or _fresh(name, entry)
    kind = before.lookup or before.type
    if known and entry.one_of("type", TYPES, kind) != kind:
        entry.mistake(f"is of the type {kind}, which stays; leave 'type' out or write {kind!r}")
    column = replace(
        before,
        max_length=entry.whole("length", before.max_length),
        minimum=entry.number("min", before.minimum),
        maximum=entry.number("max", before.maximum),
        options={**before.options, **entry.labels("choices")},
        choice=entry.text("choice", before.choice),
        navs={**before.navs, **_navigation(entry)},
        relations={**before.relations, **_texts(entry, "relations")},
        required=entry.one_of("required", REQUIRED_LEVELS, before.required),
        create=entry.flag("create", default=before.create),
        update=entry.flag("update", default=before.update),
        default=entry.value("default") if entry.has("default") else before.default,
    )
    _check(column, entry)
    return column


def _fresh(name: str, entry: Entry) -> Column:
    if not entry.has("type"):
        entry.mistake(f'has no type; write "type": one of {", ".join(sorted(TYPES))}')
    kind = entry.one_of("type", TYPES, "String")
    low, high = _BOUNDS.get(kind, (None, None))
    return Column(
        name,
        "Lookup" if kind in _LOOKUPS else kind,
        lookup=kind if kind in {"Owner", "Customer"} else "",
        max_length=_TEXT_LENGTHS.get(kind),
        minimum=low,
        maximum=high,
        options={0: "No", 1: "Yes"} if kind == "Boolean" else {},
    )


def _navigation(entry: Entry) -> dict[str, tuple[str, ...]]:
    value = entry.value("navigation") or {}
    good = isinstance(value, dict) and all(
        isinstance(tables, list) and all(isinstance(table, str) for table in tables)
        for tables in value.values()
    )
    if not good:
        example = '{"cr8a1_Customer": ["contact"]}'
        entry.mistake(f"'navigation' is no lists of tables by property; write it like {example}")
        return {}
    return {nav: tuple(tables) for nav, tables in value.items()}


def _texts(entry: Entry, key: str) -> dict[str, str]:
    value = entry.value(key) or {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        example = '{"contact": "cr8a1_contact_case"}'
        entry.mistake(f"{key!r} is not names by table; write it like {example}")
        return {}
    return dict(value)


def _check(column: Column, entry: Entry) -> None:
    kind = column.lookup or column.type
    if column.type == "Lookup" and not column.navs and column.name not in COMPLETED:
        nav = column.name
        entry.mistake(f'leads nowhere; write "navigation": {{"{nav}": ["contact"]}}')
    if column.type != "Lookup" and (column.navs or column.relations):
        entry.mistake(f"is no lookup but {kind}; leave 'navigation' out or write \"Lookup\"")
    if kind in _CHOICES and not column.options:
        entry.mistake('has no choices; write "choices": {"1": "Phone"}')
    unknown = set(column.relations) - {*column.targets, OWNER}
    if unknown:
        entry.mistake(f"leads to no table {', '.join(sorted(unknown))}; leave its relation out")
    _check_default(column, entry)


def _check_default(column: Column, entry: Entry) -> None:
    default: Any = column.default
    if default is None:
        return
    if kind_of(default) != _JSON.get(column.type):
        entry.mistake(f"has no default like {default!r}; write one of its type {column.type}")
    elif column.options and int(default) not in column.options:
        choices = ", ".join(map(str, sorted(column.options)))
        entry.mistake(f"has no choice {default}; write one of {choices} as its default")


#: Lookups that lead to every table of a kind without being told.
COMPLETED: Final = ("regardingobjectid", "objectid")

_JSON: Final = {
    "Boolean": "flag",
    **dict.fromkeys(("Integer", "BigInt", "Picklist", "State", "Status"), "number"),
    **dict.fromkeys(("Decimal", "Double", "Money"), "number"),
    **dict.fromkeys(("String", "Memo", "MultiSelectPicklist"), "text"),
}


def kind_of(value: Any) -> str:
    """``flag``, ``number`` or ``text``."""
    if isinstance(value, bool):
        return "flag"
    return "number" if isinstance(value, int | float) else "text"


def _logical(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.lower())
