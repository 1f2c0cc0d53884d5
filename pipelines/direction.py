"""Direction: who began a contact, the customer or the contact centre."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


#: The names made here.
NAMES = frozenset(["Direction", "Outbound"])

#: Methods by which the contact centre calls the customer (Connect "contact-events").
OUTBOUND = frozenset(
    ["OUTBOUND", "EXTERNAL_OUTBOUND", "CALLBACK", "CAMPAIGN_PREVIEW", "API", "AGENT_REPLY"]
)


def direction_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The names of this module for a contact with these values."""
    outbound = values.get("InitiationMethod") in OUTBOUND and _dialled(values)
    return {"Outbound": outbound, "Direction": "outbound" if outbound else "inbound"}


def _dialled(values: Mapping[str, Any]) -> bool:
    # A chat or task that an API started came from the customer's side; a call was dialled.
    return values.get("InitiationMethod") != "API" or values.get("Channel") == "VOICE"
