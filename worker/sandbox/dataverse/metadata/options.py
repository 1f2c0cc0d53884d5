"""Query options on metadata: ``$select``, ``$filter``, nested ``$expand``, ``$count``, ``$top``."""

from __future__ import annotations

import re

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.reading.filters import Shape, parse_filter


if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.dataverse.metadata.definitions import Fields


_KNOWN: Final = frozenset({"$select", "$filter", "$expand", "$count", "$top"})

#: ``Microsoft.Dynamics.CRM.AttributeTypeCode'Picklist'``, a value of an enumeration.
_ENUM: Final = re.compile(r"Microsoft\.Dynamics\.CRM\.\w+(?='\w*')")

_EDMS: Final[dict[type, str]] = {bool: "Edm.Boolean", int: "Edm.Int32", str: "Edm.String"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a question wants of metadata.

    Attributes:
        select: Properties; none for all.
        filter: Text of ``$filter``.
        expand: Options of each expanded property, by name.
        count: Whether the number of rows is wanted.
        top: The most rows; None for all.
        aliases: Values of ``@p1`` and the like.
    """

    select: tuple[str, ...] = ()
    filter: str = ""
    expand: Mapping[str, Wanted] = field(default_factory=dict)
    count: bool = False
    top: int | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)


def read_options(options: Mapping[str, str]) -> Wanted:
    """Read the options of a query.

    Raises:
        Refusal: An option that metadata does not have; ``$orderby`` is one of them.
    """
    for name in options:
        if name.startswith("$") and name not in _KNOWN:
            raise refusals.bad_query(f"The query parameter {name} is not supported for metadata.")
    top = options.get("$top", "")
    return Wanted(
        tuple(filter(None, (name.strip() for name in options.get("$select", "").split(",")))),
        options.get("$filter", ""),
        {
            name: read_options(dict(part.split("=", 1) for part in _split(inner, ";")))
            for name, inner in map(_opened, _split(options.get("$expand", ""), ","))
        },
        options.get("$count") == "true",
        int(top) if top.isdigit() else None,
        options,
    )


def chosen(rows: list[Fields], wanted: Wanted, kind: str) -> list[Fields]:
    """The rows a filter takes.

    Raises:
        Refusal: The filter cannot be understood, or names what is not there.
    """
    if wanted.filter and rows:
        names = {name: value for row in rows for name, value in row.items()}
        edms = {name: edm for name, value in names.items() if (edm := _edm(name, value))}
        test = parse_filter(Shape(kind, edms), _ENUM.sub("", wanted.filter), wanted.aliases)
        rows = [row for row in rows if test(row)]
    return rows[: wanted.top]


def selected(row: Fields, wanted: Wanted) -> Fields:
    """A row with the properties chosen; its class and id are always there."""
    if not wanted.select:
        return dict(row)
    always = ("@odata.type", "MetadataId")
    return {name: value for name, value in row.items() if name in {*wanted.select, *always}}


def _edm(name: str, value: Any) -> str | None:
    return "Edm.Guid" if name == "MetadataId" else _EDMS.get(type(value))


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand outside parentheses and quotes."""
    parts, depth, quoted, start = list[str](), 0, False, 0
    for at, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
        elif character == separator and not (depth or quoted):
            parts.append(text[start:at])
            start = at + 1
    if depth or quoted:
        raise refusals.bad_query(f"Found an unbalanced bracket expression in '{text}'.")
    return [part.strip() for part in (*parts, text[start:]) if part.strip()]


def _opened(text: str) -> tuple[str, str]:
    """``Attributes($select=…)`` as name and inside."""
    name, _, rest = text.partition("(")
    return name.strip(), rest.removesuffix(")")
