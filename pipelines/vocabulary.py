"""Vocabulary: what the values of names can be, where they are not people's own to choose.

From the Administrator Guide ("contact-events", "ctr-data-model") and the API model's enumerations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


_BOTH: Final = ("true", "false")

#: Name, in lower case -> the values that it can have.
VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "channel": ("VOICE", "CHAT", "TASK", "EMAIL"),
    "initiationmethod": (
        *("INBOUND", "OUTBOUND", "TRANSFER", "QUEUE_TRANSFER", "CALLBACK", "API", "DISCONNECT"),
        *("CALLBACK_CUSTOMER_FIRST_QUEUED", "CALLBACK_CUSTOMER_FIRST_DIALED", "WEBRTC_API"),
        *("EXTERNAL_OUTBOUND", "MONITOR", "AGENT_REPLY", "FLOW", "CAMPAIGN_PREVIEW"),
    ),
    "outbound": _BOTH,
    "answered": _BOTH,
    "abandoned": _BOTH,
    "createtimeline": _BOTH,
}

#: What people call some of these, in lower case.
ALSO: Final[Mapping[str, str]] = {
    **dict.fromkeys(("phone", "call", "calls", "telephone", "telephony", "voicecall"), "VOICE"),
    **dict.fromkeys(("sms", "messaging", "webchat", "whatsapp"), "CHAT"),
    **dict.fromkeys(("mail", "e-mail"), "EMAIL"),
    **dict.fromkeys(("incoming", "in"), "INBOUND"),
    **dict.fromkeys(("outgoing", "out"), "OUTBOUND"),
    **dict.fromkeys(("yes", "1"), "true"),
    **dict.fromkeys(("no", "0"), "false"),
}
