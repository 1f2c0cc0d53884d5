"""The language FetchXML: which elements and attributes are run here; the rest is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from worker.sandbox.dataverse.odata import refusals


if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


_ROWS: Final = "attribute all-attributes no-attrs order filter link-entity"

TRUE: Final = frozenset({"true", "1"})

#: Attributes of an aggregate query alone.
_TOTALS: Final = frozenset({"aggregate", "groupby", "dategrouping", "distinct"})

_PAGES: Final = "top count page paging-cookie returntotalrecordcount"

#: Children and attributes of each element [DOC fetchxml/reference].
_ELEMENTS: Final = {
    "fetch": (
        "entity",
        f"{_PAGES} aggregate distinct version output-format mapping no-lock useraworderby",
    ),
    "entity": (_ROWS, "name"),
    "link-entity": (_ROWS, "name from to alias link-type intersect visible"),
    "attribute": ("", "name alias aggregate groupby distinct dategrouping usertimezone"),
    "all-attributes": ("", ""),
    "no-attrs": ("", ""),
    "order": ("", "attribute alias descending entityname"),
    "filter": ("filter condition", "type"),
    "condition": ("value", "attribute operator value valueof entityname uiname uitype uihidden"),
    "value": ("", "uiname uitype"),
}


def parse_fetch(text: str) -> Element:
    """Read a query.

    Raises:
        Refusal: It is no XML, or has an element or attribute that is not run here.
    """
    try:
        fetch = ET.fromstring(text)  # noqa: S314 - a stand-in on one machine
    except ET.ParseError:
        raise refusals.Refusal(400, "0x80040201", "Invalid Xml.") from None
    if fetch.tag != "fetch":
        raise invalid(f"The element '{fetch.tag}' is not expected.")
    _check(fetch)
    totals = {name for element in fetch.iter("attribute") for name in element.attrib} & _TOTALS
    if totals and fetch.attrib.get("aggregate") not in TRUE:
        raise invalid(f"The attribute '{min(totals)}' is for aggregate queries.")
    return fetch


def _check(element: Element) -> None:
    children, attributes = (set(names.split()) for names in _ELEMENTS[element.tag])
    for name in element.attrib:
        if name not in attributes:
            raise invalid(f"The attribute '{name}' of '{element.tag}' is not supported here.")
    for child in element:
        if child.tag not in children:
            raise invalid(f"'{child.tag}' in '{element.tag}' is not supported here.")
        _check(child)


def invalid(message: str) -> refusals.Refusal:
    """FetchXML that is not valid, or not run here."""
    return refusals.invalid_argument(f"Invalid FetchXml: {message}")
