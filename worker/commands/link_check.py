"""Links of a body, and the parties of an activity, held against what metadata says of them.

Pure, like ``body_check``: each text says what is wrong and what to write instead.
"""

from __future__ import annotations

import difflib
import re

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.address import PLACEHOLDER, Address, address_in, named_in, source_of
from pipelines.conversion import Kind
from pipelines.link import LINK
from pipelines.note import type_doubt
from pipelines.odata import GUID
from pipelines.template import Template
from pipelines.value import ABSENT
from worker.dynamics.definitions import Definition


#: How findings name the type of a value in a pipeline.
WORDS: Final[Mapping[type, str]] = {
    str: "a text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}

_KINDS: Final[Mapping[type, Kind]] = {bool: "boolean", int: "integer", float: "decimal"}

#: Tables that an owner is one of.
_OWNERS: Final = ("systemuser", "team")

#: Columns of an activity's party, and what else one may have (entity reference ``activityparty``).
_PARTY: Final[Mapping[str, type]] = {
    "addressused": str,
    "addressusedemailcolumnnumber": int,
    "donotemail": bool,
    "donotfax": bool,
    "donotphone": bool,
    "donotpostalmail": bool,
    "effort": float,
    "exchangeentryid": str,
    "instancetypecode": int,
    "participationtypemask": int,
    "resourcespecid": str,
    "scheduledend": str,
    "scheduledstart": str,
    "unresolvedpartyname": str,
}
_MASKS: Final = range(1, 14)
_AS_LIST: Final = 'is a list of parties: [{"partyid_contact@odata.bind": "/contacts(ID)", …}]'

_KEY_NAMES: Final = re.compile(r"(\w+)\s*=")


@dataclass(frozen=True, slots=True)
class Tables:
    """What is known of the environment's tables.

    Attributes:
        sets: Entity set -> logical name, of all tables.
        definitions: By entity set, of those that steps write to or refer to by an alternate key.
    """

    sets: Mapping[str, str]
    definitions: Mapping[str, Definition]

    def set_of(self, logical: str) -> str:
        """The entity set of a table, or ""."""
        return next((name for name, one in self.sets.items() if one == logical), "")

    def meant(self, name: str) -> str:
        """The logical name of the table that a set's or a table's name is of, or ""."""
        return self.sets.get(name, name if name in self.sets.values() else "")


def addressed(data: Any) -> Iterator[str]:
    """Entity sets to whose rows a body refers by a key of columns."""
    if isinstance(data, list):
        for one in data:
            yield from addressed(one)
    elif isinstance(data, dict):
        for name, value in data.items():
            row = address_in(value) if name.endswith(LINK) else None
            if row and "=" in row.key:
                yield row.named
            yield from addressed(value)


def linked(data: Any) -> Iterator[tuple[str, str]]:
    """The links of a body and of its parties: navigation property and entity set.

    The set is "" if only a placeholder says which row it is.
    """
    if isinstance(data, list):
        for one in data:
            yield from linked(one)
    elif isinstance(data, dict):
        for name, value in data.items():
            if name.endswith(LINK):
                row = address_in(value)
                yield name.removesuffix(LINK), row.named if row else ""
            else:
                yield from linked(value)


def link_mistakes(nav: str, value: Any, table: Definition, tables: Tables) -> Iterator[str]:
    """A navigation property, and the row it is to lead to."""
    if nav in table.collections and isinstance(value, list):
        return  # rows that are there, to be associated with this one
    row = address_in(value)
    name = link_name(nav, table)
    if name is None:
        yield _wrong_name(nav, tables.meant(named_in(value)), table)
        return
    column, leads = table.links[name]
    known = table.columns.get(column, {})
    if known.get("IsValidForCreate") is False and known.get("IsValidForUpdate") is False:
        yield "is read-only; leave it out"
    if row and row.named:
        yield from _row(row, (nav, column, leads), table, tables)
    elif value is not None:
        yield from _no_address(value, leads, tables)


def _no_address(value: Any, leads: str, tables: Tables) -> Iterator[str]:
    """A link's value that is no address of a row; that of an owner may be one placeholder."""
    if address_in(value) and leads in ("owner", *_OWNERS):
        return
    held = PLACEHOLDER.findall(source_of(value))
    key = held[0] if len(held) == 1 else "ID"
    name = tables.set_of("systemuser" if leads == "owner" else leads) or "…"
    yield f'is no address of a row; write "/{name}({key})"'


def link_name(nav: str, table: Definition) -> str | None:
    """The navigation property; an activity has those of all activities without its own name."""
    long = f"{nav}_{table.logical}"
    return nav if nav in table.links else long if table.activity and long in table.links else None


def _wrong_name(nav: str, target: str, table: Definition) -> str:
    text = f"{table.set} has no navigation property {nav!r}"
    folded = {name.lower(): name for name in table.links}
    if nav.lower() in folded:
        return f"{text}: case matters; write {folded[nav.lower()]}{LINK}"
    if nav.lower() in table.columns:
        names = sorted(name for name, (column, _) in table.links.items() if column == nav.lower())
        best = table.link_to(nav.lower(), target)
        choice = best or " or ".join(names[:4]) or "another"
        return f"{text}; name the table that the lookup leads to: write {choice}{LINK}"
    return f"{text}; {suggestion(nav, table.links)}"


def _row(
    row: Address, link: tuple[str, str, str], table: Definition, tables: Tables
) -> Iterator[str]:
    """The row that a link names: its table, and its key."""
    nav, column, leads = link
    named = row.named
    target = tables.sets.get(named)
    if target is None:
        by_name = tables.set_of(named.lower()) or tables.set_of(leads)
        right = by_name if named.lower() in tables.sets.values() or leads else ""
        yield (
            f"there is no entity set {named!r}; write the set, not the table's name: "
            f"/{right or '…'}(…)"
        )
        return
    if leads not in (target, "owner") or (leads == "owner" and target not in _OWNERS):
        better = table.link_to(column, target)
        allowed = tables.set_of(leads) or "systemusers or teams"
        instead = f"write {better}{LINK}" if better else f"it leads to {allowed} only"
        yield f"{nav} does not lead to {named}; {instead}"
    else:
        yield from _key(row, tables)


def _key(row: Address, tables: Tables) -> Iterator[str]:
    """The key of a row that a link names."""
    if other := tables.definitions.get(row.named):
        yield from key_mistakes(f"({row.key})", other)
    elif "=" not in row.key and "{" not in row.key and not GUID.fullmatch(row.key.strip()):
        yield f"{row.key!r} is no id of a row; write a GUID"


def key_mistakes(source: str, table: Definition) -> Iterator[str]:
    """The key of a row in parentheses: an id, or all columns of an alternate key."""
    inner = source.strip().removeprefix("(").removesuffix(")")
    bare = re.sub(r"'(?:[^']|'')*'", "''", re.sub(r"\{\{.*?\}\}", "", inner, flags=re.DOTALL))
    # A lookup in a key is named as a query names it.
    names = frozenset(re.sub(r"^_(\w+)_value$", r"\1", one) for one in _KEY_NAMES.findall(bare))
    if names and names not in ({table.key}, {table.key, "partitionid"}, *table.keys):
        there = " or ".join(", ".join(sorted(one)) for one in table.keys) or "none"
        yield (
            f"{table.set} has no alternate key of {', '.join(sorted(names))}; there is {there}; "
            f"write the id, or make the key in Dynamics"
        )
    if not names and "{{" not in inner and not GUID.fullmatch(inner.strip("{} ")):
        yield f"{inner!r} is no id of a row; write a GUID, or a name in braces"


def party_mistakes(column: str, value: Any, table: Definition, tables: Tables) -> Iterator[str]:
    """The list of an activity's parties."""
    if not table.activity:
        yield f"{table.set} are no activities and have no parties; leave it out"
        return
    right = f"{table.logical}_activity_parties"
    if column != right:
        yield f"{table.set} has no such list; write {right}"
    if isinstance(value, Template):
        right_shape = value.whole or value.conditional
    else:
        right_shape = value is None or isinstance(value, list)
    if not right_shape:
        yield _AS_LIST
    for party in value if isinstance(value, list) else ():
        if isinstance(party, dict):
            yield from _party(party, tables)
        elif not isinstance(party, Template):
            yield _AS_LIST


def _party(party: Mapping[str, Any], tables: Tables) -> Iterator[str]:
    if "participationtypemask" not in party:
        yield "a party needs participationtypemask: 1 from, 2 to, 3 cc"
    for name, value in party.items():
        if name.endswith(LINK):
            yield from _party_link(name.removesuffix(LINK), value, tables)
            continue
        wanted = _PARTY.get(name)
        if wanted is None:
            yield from _party_unknown(name, tables)
        elif isinstance(value, Template):
            doubt = type_doubt(value, _KINDS.get(wanted), converted=False)
            yield from [f"{name}: {doubt}"] if doubt else ()
            for one in constants(value):
                yield from _party_value(name, one, wanted)
        elif value is not None:
            yield from _party_value(name, value, wanted)


def _party_unknown(name: str, tables: Tables) -> Iterator[str]:
    if name.removeprefix("partyid_") in tables.sets.values() and name.startswith("partyid_"):
        yield f"{name} is a link, which is written by its name with {LINK}; write {name}{LINK}"
    else:
        yield f"a party has no column {name!r}; {suggestion(name, _PARTY)}"


def _party_value(name: str, value: Any, wanted: type) -> Iterator[str]:
    fitting = (int, float) if wanted is float else (wanted,)
    if not isinstance(value, fitting) or bool_for_int(value, fitting):
        yield f"{name} is {word(value)}: write {WORDS[wanted]}{unquoted(value)}"
    elif name == "participationtypemask" and value not in _MASKS:
        yield f"{name} {value} is none; 1 is from, 2 to, 3 cc"


def _party_link(nav: str, value: Any, tables: Tables) -> Iterator[str]:
    row = address_in(value)
    named = row.named if row else ""
    target = tables.meant(named or named_in(value))
    leads = nav.removeprefix("partyid_")
    if nav in ("partyid", leads) or leads not in tables.sets.values():
        right = f"partyid_{target or 'contact'}"
        yield f"a party has no navigation property {nav!r}; write {right}{LINK}"
    elif named and named not in tables.sets:
        yield f"there is no entity set {named!r}; write /{tables.set_of(leads)}(…)"
    elif named and target != leads:
        yield f"{nav} does not lead to {named}; write partyid_{target}{LINK}"
    elif row and named:
        yield from _key(row, tables)
    elif value is not None:
        yield from _no_address(value, leads, tables)


def link_names(column: str, table: Definition) -> str:
    """How a lookup is written."""
    names = sorted(name for name, (own, _) in table.links.items() if own == column)
    return " or ".join(f"{name}{LINK}" for name in names[:3]) or f"{column}{LINK}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """What somebody may have meant."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]}?" if near else "mind the publisher's prefix"


def word(value: Any) -> str:
    """What a value is, in words."""
    return WORDS.get(type(value), "a structure")


def unquoted(value: Any) -> str:
    """How to write what stands in quotes, and should not."""
    return ", without quotes" if isinstance(value, str) else ""


def constants(template: Template) -> list[Any]:
    """What a template gives whatever happened: placeholders without names, and defaults."""
    return [one.value for one in template.possibilities if one.value is not ABSENT]


def bool_for_int(value: Any, fitting: tuple[type, ...]) -> bool:
    """Whether a truth stands where a number should, which Python takes it for."""
    return isinstance(value, bool) and bool not in fitting
