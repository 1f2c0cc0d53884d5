"""Write-back: what a pipeline writes to Connect about a contact in progress, as its attributes.

Agents' desktops and flows read contact attributes. Each is a template; what is written is compared
with our own ledger alone, so the contact record that Connect sends again after every change
(API reference, UpdateContactAttributes) causes no further request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pipelines.action import WriteBack
from pipelines.contact import Contact
from pipelines.ledger import ATTRIBUTES, digest
from pipelines.legs import first_of_chain
from pipelines.template import Template, render_data, resolve, templates
from pipelines.value import ABSENT, HELD, as_text
from pipelines.view import Names, instance_id


#: All attributes of a chain of contacts together, in UTF-8 (API reference, the same page).
MOST_BYTES = 32_768


@dataclass(frozen=True, slots=True)
class AttributeTable:
    """A pipeline's table of attributes.

    Attributes:
        path: ``<pipeline>/writeback``, its name among the pipeline's steps.
        attributes: Attribute -> text or template.
    """

    path: str
    attributes: dict[str, str | Template]

    def names(self) -> Iterator[tuple[str, ...]]:
        """Every path of names its templates read."""
        for template in templates(self.attributes):
            yield from (path for path, _ in template.names)


def attributes_for(
    table: AttributeTable,
    contact: Contact,
    names: Names,
    newest: str,
    ready: Callable[[str], bool],
) -> WriteBack | None:
    """The attributes that are not as the ledger has them; None if all are.

    A chain shares its attributes, and whoever begins a chat can set some. So what is written first
    of all empties those without a value yet, in the same request: nothing of another leg, or of a
    stranger, is taken for this contact's. Unless its flow has written them: then they are its own.

    Args:
        table: What is to be written.
        contact: The contact.
        names: What templates read.
        newest: The newest leg of its chain: another leg's attributes have replaced ours, so each
            new leg begins a ledger of its own.
        ready: Whether a value may be written: the records whose ids it holds exist.
    """
    record = f"{ATTRIBUTES}({newest}/{table.path.partition('/')[0]})"
    known = contact.ledger.get(record)
    acknowledged = known.columns if known else {}
    theirs = resolve(names, ("Attributes",))
    begins = known is None and not _is_written(theirs, contact.id)
    values: dict[str, str] = {}
    for attribute, compiled in table.attributes.items():
        value = render_data(compiled, names)
        if value is HELD:
            continue
        text = "" if value is ABSENT else as_text(value)
        is_ready = ready(text)
        if begins or (is_ready and (text or attribute in acknowledged)):
            values[attribute] = text if is_ready else ""
    fitting = _fitting(values, theirs)
    differing = {a: text for a, text in fitting.items() if acknowledged.get(a) != digest(text)}
    if not any(differing.values()) and (begins or not differing):
        return None  # no id of the contact is among them, so that those of another do not count
    first = first_of_chain(names, contact.id)
    return WriteBack(table.path, record, instance_id(names), contact.id, first, differing, begins)


def _is_written(attributes: Any, contact_id: str) -> bool:
    """Whether a flow has written this contact's attributes already: one of them is its id."""
    return isinstance(attributes, dict) and contact_id in attributes.values()


def _fitting(values: dict[str, str], others: Any) -> dict[str, str]:
    """As many of the values as there is room for beside the flow's own: empty ones, then in order.

    Attributes of contacts are texts (API reference, the same page): anything else does not count.
    """
    theirs = others.items() if isinstance(others, dict) else ()
    texts = ((name, text) for name, text in theirs if isinstance(text, str))
    room = MOST_BYTES - sum(_bytes(name, text) for name, text in texts if name not in values)
    fitting = {}
    for attribute, text in sorted(values.items(), key=lambda value: value[1] != ""):
        if (size := _bytes(attribute, text)) <= room:
            fitting[attribute] = text
            room -= size
    return fitting


def _bytes(name: str, value: str) -> int:
    return len(name.encode()) + len(value.encode())
