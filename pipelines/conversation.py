"""Conversation: whether a leg is one of its own, which gets records, pages and attributes.

A call may be several contacts in Amazon Connect. Not each of them is a conversation: the flow that
runs after one (a survey), a supervisor who listens in and a third party that an agent calls belong
to the leg before them. A pipeline whose ``when`` names InitiationMethod has asked for what it gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final


#: Methods of legs that never are one, though they name an agent (listening in and barging; joining
#: a number outside) -> what they are.
PART_OF_ANOTHER: Final = {
    "MONITOR": "a supervisor who listens in or barges",
    "EXTERNAL_OUTBOUND": "a third party whom an agent joins",
}

#: The method of the flow after a conversation. It may queue the customer again, which makes a
#: conversation of it (Administrator Guide, "sample-disconnect"); else it is no more than a survey.
AFTERWARDS: Final = "DISCONNECT"

#: What shows that a leg is or was queued, or has an agent: the contact record has these structures
#: of no other leg, but may fill them with nulls and zeros, and name a queue in which nobody waited
#: (same guide, "ctr-data-model").
_TAKEN_UP: Final = {
    "Queue": ("EnqueueTimestamp",),
    "Agent": ("ARN", "Username", "ConnectedToAgentTimestamp"),
}


def no_conversation(values: Mapping[str, Any]) -> str:
    """What a leg is that, so far, is no conversation of its own; "" if it is one."""
    method = values.get("InitiationMethod")
    if method in PART_OF_ANOTHER:
        return f"{method} legs ({PART_OF_ANOTHER[method]})"
    if method == AFTERWARDS and not _taken_up(values):
        return f"{method} legs (the flow after another leg) without a queue or an agent"
    return ""


def skipped(values: Mapping[str, Any], *whens: Iterable[str]) -> str:
    """Why a leg gets nothing under these conditions; "" if it does.

    Args:
        values: The leg's names and values.
        whens: The names in the conditions of pipeline and steps.
    """
    reason = no_conversation(values)
    if not reason or any(name.lower() == "initiationmethod" for when in whens for name in when):
        return ""
    return f"no: {reason} get no record unless 'when' names InitiationMethod"


def _taken_up(values: Mapping[str, Any]) -> bool:
    return any(
        isinstance(structure := values.get(name), dict) and any(map(structure.get, members))
        for name, members in _TAKEN_UP.items()
    )
