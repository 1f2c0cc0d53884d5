"""Query text: what can be said of an OData query without knowing its table.

What Dataverse takes: powerapps-docs ``webapi/query/overview``, ``webapi/query/filter-rows``.
"""

from __future__ import annotations

import re

from collections.abc import Iterator
from typing import Final

from pipelines.source import meant


#: Options of a query, and those that OData has and Dataverse has not.
OPTIONS: Final = ("$select", "$filter", "$expand", "$orderby", "$top", "$count", "$apply")
_NOT_HERE: Final = ("$skip", "$search", "$format")

#: What other languages write, and OData does not.
_OPERATORS: Final = (
    (r"==|(?<![<>!=])=(?!=)", "eq"),
    (r"!=|<>", "ne"),
    (r"<=", "le"),
    (r">=", "ge"),
    (r"<", "lt"),
    (r">", "gt"),
    (r"\|\|", "or"),
    (r"\blike\b", "contains(column,'…')"),
)

_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_QUOTED: Final = re.compile(r"'(?:[^']|'')*'")


def misspelt(source: str) -> Iterator[tuple[str, int]]:
    """What is wrong with a query's text, and where in it.

    Args:
        source: What is appended to the entity set's URI: ``?$select=…&$filter=…``.
    """
    # Placeholders and what stands in quotes hold anything; neither counts, and all keeps its place.
    plain = _PLACEHOLDER.sub(lambda found: "0" * len(found[0]), source)
    plain = _QUOTED.sub(lambda found: f"'{'0' * (len(found[0]) - 2)}'", plain)
    if plain.count("'") % 2:
        yield "a quote is not closed: values stand between two '", plain.rindex("'")
        return
    if '"' in plain:
        yield "values stand in single quotes: eq '{{Name}}'", plain.index('"')
    for part in re.finditer(r"[^?&]+", plain):
        name, equals, value = part[0].partition("=")
        at = part.start() + len(name) - len(name.lstrip())
        yield from _option(name.strip(), at, given=bool(equals))
        at = part.start() + len(name) + len(equals)
        if glued := re.search(r"\s(\$\w+)=", value):
            yield f"{glued[1]}: options are parted by &", at + glued.start(1)
        elif name.strip() == "$filter":
            yield from _filter(value, at)
        elif name.strip() == "$top" and not value.strip().isdigit():
            yield f"$top is a number, like $top=2, not {value.strip()!r}", at


def _option(name: str, at: int, *, given: bool) -> Iterator[tuple[str, int]]:
    if not given:
        yield f"{name!r} is no option: write name=value, as in $filter=…", at
    elif name in _NOT_HERE:
        yield f"Dataverse has no {name}; there are {', '.join(OPTIONS)}", at
    elif name.startswith("$") and name not in OPTIONS:
        yield f"there is no {name}; there are {', '.join(OPTIONS)}{meant(name, OPTIONS)}", at
    elif f"${name.lower()}" in (*OPTIONS, *_NOT_HERE):
        yield f"options begin with $: write ${name.lower()}", at


def _filter(value: str, at: int) -> Iterator[tuple[str, int]]:
    for pattern, right in _OPERATORS:
        if found := re.search(pattern, value, re.IGNORECASE):
            yield f"$filter: write {right}, not {found[0]}", at + found.start()
            return
