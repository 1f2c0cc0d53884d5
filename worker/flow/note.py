"""A note on the customer, with what the flow wants to say."""

from __future__ import annotations

from typing import Any

from pipelines.entity import entity
from pipelines.identity import note_id
from pipelines.ledger import digest
from pipelines.odata import GUID
from pipelines.text import cut, sound
from worker.dynamics.errors import Exists
from worker.dynamics.protocol import Request
from worker.flow.asked import Asked
from worker.flow.customers import customers
from worker.flow.errors import Declined
from worker.flow.session import FlowSession


ANNOTATION = entity("annotations")

#: The subject if the flow gives none.
SUBJECT = "Amazon Connect"


async def add(asked: Asked, session: FlowSession) -> dict[str, Any]:
    """Attach the note to the customer; sent twice, it is one note.

    Raises:
        Declined: There is no text, or no customer to attach it to.
        DynamicsError: Dynamics refuses it, or does not answer.
    """
    table = customers(asked.customer_entity).table
    if not GUID.fullmatch(asked.customer_id):
        raise Declined("a note needs ms_contact_id, the customer's primary key")
    if not sound(asked.text):
        raise Declined("a note needs notetext")
    customer = f"{table.set}({asked.customer_id})"
    texts = {
        "subject": sound(asked.subject) or SUBJECT,
        "notetext": sound(asked.text),
    }
    texts = {column: cut(text, ANNOTATION.lengths[column]) for column, text in texts.items()}
    key = note_id(customer, digest([asked.contact.id, texts]))
    body = {ANNOTATION.key: key, **texts, f"objectid_{table.logical}@odata.bind": f"/{customer}"}
    outcome = "Created"
    try:
        await session.send(Request("POST", ANNOTATION.set, body=body))
    except Exists:
        outcome = "Exists"
    return {"outcome": outcome, "entity": ANNOTATION.logical, ANNOTATION.key: key}
