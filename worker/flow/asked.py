"""What a flow asks: the event that Amazon Connect gives a Lambda, read.

Its form is the Administrator Guide's ("connect-lambda-functions"); the parameters' names are the
CornerstoneCX D365 module's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.contact import Contact
from pipelines.decode.seal import seal
from pipelines.fact import EVENT, Fact
from pipelines.link import unbraced
from pipelines.view import view, wanted
from worker.flow.errors import Declined


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a flow.

    Attributes:
        contact: The contact the flow is run for, as far as the flow knows it.
        operation: ``lookup`` or ``addnote`` (``ms_operation``).
        entity: Logical name of the table it is about, "" for the usual one (``entity``).
        customer_id: Primary key of the customer, "" if not known (``ms_contact_id``).
        customer_entity: Logical name of the customer's table (``ms_customer_entity_name``).
        wants_activity: Whether to make an activity (``CreateTimeline``, a parameter or an
            attribute; see ``pipelines.view.wanted``).
        subject: An annotation's subject (``subject``).
        text: An annotation's text (``notetext``).
    """

    contact: Contact
    operation: str = ""
    entity: str = ""
    customer_id: str = ""
    customer_entity: str = "contact"
    wants_activity: bool = True
    subject: str = ""
    text: str = ""


def read(event: Any) -> Asked:
    """The question in a flow's event.

    Raises:
        Declined: It is not a flow's event.
    """
    details = _table(_table(event).get("Details"))
    parameters = {
        name: value.strip()
        for name, value in _table(details.get("Parameters")).items()
        if isinstance(value, str)
    }
    contact = _contact(_table(details.get("ContactData")))
    return Asked(
        contact,
        operation=parameters.get("ms_operation", "").lower(),
        entity=parameters.get("entity", "").lower(),
        customer_id=unbraced(parameters.get("ms_contact_id", "").lower()),
        customer_entity=parameters.get("ms_customer_entity_name", "").lower() or "contact",
        wants_activity=wanted(parameters.get("CreateTimeline", "")) and _says_so(contact),
        subject=parameters.get("subject", ""),
        text=parameters.get("notetext", ""),
    )


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _says_so(contact: Contact) -> bool:
    return bool(view(contact)["CreateTimeline"])


def _contact(data: Mapping[str, Any]) -> Contact:
    """A contact that has begun. The flow does not know when, so no column gets a start."""
    fact = seal(data.get("ContactId"), f"{EVENT}INITIATED", "", dict(data), "")
    if not isinstance(fact, Fact):
        raise Declined("the event is not a contact flow's")
    contact = Contact(fact.contact_id)
    contact.observe(fact)
    return contact
