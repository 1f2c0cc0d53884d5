"""What the peers make of a message: a call's address by its alternate key, and its columns."""

from __future__ import annotations

from typing import Any, Final


#: A constant: the benchmark's Dynamics looks at no token.
HEADERS: Final = {
    "Authorization": "Bearer benchmark",
    "Content-Type": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
}


def phonecall(message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The path to upsert a contact event or contact record to, and the columns that it knows."""
    if event := message.get("detail"):
        return _path(event["contactId"]), _known(
            subject="Call",
            actualstart=event.get("initiationTimestamp"),
            actualend=event.get("disconnectTimestamp"),
            category=event.get("channel"),
        )
    agent, queue = message["Agent"] or {}, message["Queue"] or {}
    number = message["CustomerEndpoint"]["Address"]
    return _path(message["ContactId"]), _known(
        subject=f"Call between {agent.get('Username', 'no agent')} and {number}",
        phonenumber=number,
        actualstart=message["InitiationTimestamp"],
        actualend=message["DisconnectTimestamp"],
        category=message["Channel"],
        subcategory=queue.get("Name"),
    )


def _path(contact_id: str) -> str:
    return f"/api/data/v9.2/phonecalls(new_contactid='{contact_id}')"


def _known(**columns: Any) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if value is not None}
