"""Direction: who turned to whom, the customer to the contact centre or the other way round.

Amazon Connect says so in the segment attribute ``connect:Direction`` of many contacts. Elsewhere
the initiation method tells (Administrator Guide, "contact-initiation-methods", "ctr-data-model"),
and a leg that came of another has the direction of what it came of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipelines.names import segment


#: The names made here.
NAMES = frozenset(["Direction", "Outbound"])

#: Methods by which the contact centre turns to the customer, whatever the channel.
OUTBOUND: Final = frozenset(
    (
        "CALLBACK",
        "CALLBACK_CUSTOMER_FIRST_DIALED",
        "CALLBACK_CUSTOMER_FIRST_QUEUED",
        "CAMPAIGN_PREVIEW",
        "EXTERNAL_OUTBOUND",
        "OUTBOUND",
    )
)

#: Methods by which it does so on these channels: a chat or task that an API started came from the
#: customer's side, a call was dialled.
OUTBOUND_ON: Final = {
    "AGENT_REPLY": frozenset(("EMAIL", "CHAT")),
    "API": frozenset(("VOICE",)),
    "FLOW": frozenset(("EMAIL", "CHAT")),
}

#: Methods of legs that go on in the direction of their initial contact.
INHERITING: Final = frozenset(("TRANSFER", "QUEUE_TRANSFER", "DISCONNECT"))

#: Kinds of chats (``connect:Subtype``) that the customer began, unless ``connect:Direction`` says
#: otherwise.
_INCOMING_SUBTYPES: Final = frozenset(("connect:sms", "connect:whatsapp"))

#: Legs that say nothing of the direction of the one that came of them.
_ASIDE: Final = frozenset(("MONITOR", "EXTERNAL_OUTBOUND"))

Values = Mapping[str, Any]


def direction_names(values: Values, initial: Values, previous: Values) -> dict[str, Any]:
    """The names of this module for a contact with these values.

    Args:
        values: The contact's.
        initial: Those of its chain's initial contact; empty while they are not known.
        previous: The same of its previous contact.
    """
    outbound = _outbound(values, initial, previous)
    return {"Outbound": outbound, "Direction": "outbound" if outbound else "inbound"}


def _outbound(values: Values, initial: Values, previous: Values) -> bool:
    told = (_own(one) for one in (values, *_origins(initial, previous)))
    return next((own for own in told if own is not None), False)


def _origins(initial: Values, previous: Values) -> list[Values]:
    """Whose direction a leg has that has none of its own, best first."""
    method = str(previous.get("InitiationMethod", ""))
    if method in _ASIDE:
        return [initial]
    # A callback is a call of its own, though its initial contact is the one that asked for it.
    called_back = method.startswith("CALLBACK")
    return [previous, initial] if called_back else [initial, previous]


def _own(values: Values) -> bool | None:
    """Whether a contact is outgoing by what is said of itself; None: that does not tell."""
    said = _lower(segment(values, "connect:direction"))
    if said in ("inbound", "outbound"):
        return said == "outbound"
    method = values.get("InitiationMethod")
    if method is None or method in INHERITING:
        return None
    if _lower(segment(values, "connect:subtype")) in _INCOMING_SUBTYPES:
        return False
    return method in OUTBOUND or values.get("Channel") in OUTBOUND_ON.get(method, ())


def _lower(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else ""
