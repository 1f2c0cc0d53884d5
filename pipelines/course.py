"""The course of a contact: how far it came, who took part, and how long it took.

An agent's connect is not the customer's: of a call that the contact centre dials, the agent is
connected first. And a contact may exist long before anything happens: a callback waits in a queue,
a task for its hour (Administrator Guide, "about-queued-callbacks", "ctr-data-model").

Before the contact record has come, some of this is not known, and such a name has no value. What
is not known either when the wait for the record is over is judged by what was heard until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeGuard

from pipelines.direction import INHERITING
from pipelines.fact import EVENT, Fact
from pipelines.names import member, second
from pipelines.verdict import REASONS


#: The names made here.
NAMES: Final = frozenset(
    [
        "Phase",
        "Answered",
        "CustomerAnswered",
        "Abandoned",
        "AgentName",
        "StartTimestamp",
        "DurationSeconds",
        "DurationMinutes",
        "TotalSeconds",
        "TalkSeconds",
        "HoldSeconds",
        "AfterContactWorkSeconds",
        "QueueSeconds",
    ]
)

#: What stands for an agent whose name is not known yet.
NAMELESS: Final = "an agent"

#: Methods of calls that wait in a queue until somebody is dialled. A customer-first callback is two
#: contacts: one waits, the other (…_DIALED) begins with the dialling.
CALLED_BACK: Final = frozenset(("CALLBACK", "CALLBACK_CUSTOMER_FIRST_QUEUED"))

#: Answering machine detection that found nobody (same guide, "contact-events"); some are families.
NOBODY: Final = ("AMD_UNANSWERED", "FAX_", "SIT_", "VOICEMAIL_")

#: Channels on which the customer waits while the contact is queued.
WAITED_ON: Final = frozenset(("CHAT", "VOICE"))

#: Why a contact ended that the customer may have left. Others that are documented tell that he did
#: not; null and those of the future do not tell.
MAY_HAVE_LEFT: Final = frozenset(("CUSTOMER_DISCONNECT", "OTHER", "TELECOM_ORIGINATOR_CANCEL"))

#: Names of durations -> where the contact record has them.
_RECORDED: Final = {
    "TalkSeconds": ("Agent", "AgentInteractionDuration"),
    "HoldSeconds": ("Agent", "CustomerHoldDuration"),
    "AfterContactWorkSeconds": ("Agent", "AfterContactWorkDuration"),
    "QueueSeconds": ("Queue", "Duration"),
}

Values = Mapping[str, Any]


def course_names(
    values: Values,
    phase: str,
    reached: Mapping[str, str],
    events: Iterable[Fact] = (),
    *,
    final: bool,
) -> dict[str, Any]:
    """The names of this module.

    Args:
        values: The contact's names and values so far, direction and other legs among them.
        phase: The furthest phase it has reached.
        reached: Its milestones and when they were.
        events: Its contact events.
        final: Nothing more is to come: its contact record is there, or the wait for it is over.
    """
    customer = _customer_answered(values, final=final)
    names: dict[str, Any] = {
        "Phase": phase,
        "CustomerAnswered": customer,
        "Answered": "answered" in reached and (customer if _dialled(values) else True),
        "Abandoned": _abandoned(values, reached, final=final),
        "AgentName": member(values, "Agent", "Username")
        or (NAMELESS if "answered" in reached else None),
        **_durations(values, final=final),
        **_work(values, events, final=final),
    }
    return {name: value for name, value in names.items() if value is not None}


def _dialled(values: Values) -> bool:
    """Whether the customer was called; whoever is handed on was there already."""
    method = values.get("InitiationMethod")
    outgoing = values.get("Outbound") is True and values.get("Channel") == "VOICE"
    return outgoing and method not in INHERITING


def _customer_answered(values: Values, *, final: bool) -> bool | None:
    if str(values.get("AnsweringMachineDetectionStatus", "")).startswith(NOBODY):
        return False
    if values.get("ConnectedToSystemTimestamp") or values.get("InitiationMethod") in INHERITING:
        return True
    return False if final else None


def _abandoned(values: Values, reached: Mapping[str, str], *, final: bool) -> bool | None:
    """Whether the customer left it while in the queue; None: that is not known yet."""
    went_on = (
        "Next",
        "NextContactId",
        "TransferCompletedTimestamp",
        "TransferredToEndpoint",
    )
    if (
        "answered" in reached
        or values.get("Outbound") is True
        or values.get("Channel", "VOICE") not in WAITED_ON
        or values.get("DisconnectReason") in REASONS.keys() - MAY_HAVE_LEFT
        or any(map(values.get, went_on))
    ):
        return False
    return {"queued", "ended"} <= reached.keys() if final else None


# --- times --------------------------------------------------------------------------------------


def _work(values: Values, events: Iterable[Fact], *, final: bool) -> dict[str, Any]:
    """When conversation or work began, and how long it was; begun minutes count, as on a bill."""
    start, idle = _start(values, final=final)
    seconds = _between(start, values.get("DisconnectTimestamp"))
    if seconds is not None:
        seconds = 0 if idle else max(0, seconds - _paused(values, events, start))
    minutes = None if seconds is None else -(-seconds // 60)
    return {"StartTimestamp": start, "DurationSeconds": seconds, "DurationMinutes": minutes}


def _start(values: Values, *, final: bool) -> tuple[str | None, bool]:
    """When conversation or work began (UTC second), and whether neither ever did."""
    begun, end = values.get("InitiationTimestamp"), values.get("DisconnectTimestamp")
    connected = member(values, "Agent", "ConnectedToAgentTimestamp")
    if values.get("Channel") == "TASK":
        waited = max(filter(None, (begun, values.get("ScheduledTimestamp"))), default=None)
        never = min(filter(None, (waited, end)), default=None)
    elif values.get("InitiationMethod") in CALLED_BACK:
        dequeued = member(values, "Queue", "DequeueTimestamp")
        connected = min(filter(None, (dequeued, connected))) if connected else None
        never = end  # where it was given up, not where it was asked for
    else:
        return begun, False
    if connected:
        return connected, False
    return (never, True) if final and end else (None, True)


def _paused(values: Values, events: Iterable[Fact], start: str | None) -> int:
    """For how long (s) the work was put aside: what the record sums up, else by the events."""
    if values.get("Channel") == "VOICE":
        return 0  # a call is held, not paused
    total = values.get("TotalPauseDurationInSeconds")
    if _is_number(total):
        return int(total)
    end = values.get("DisconnectTimestamp")
    paused, since = 0, None
    for fact in events:
        kind = fact.register.removeprefix(EVENT).partition("/")[0]
        at = second(fact.at)
        if kind == "PAUSED" and since is None:
            since = max(at or "", start or "") or None
        elif kind == "RESUMED" and since is not None:
            paused, since = paused + (_between(since, at) or 0), None
    return paused + (_between(since, end) or 0)


def _durations(values: Values, *, final: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "TotalSeconds": _between(
            values.get("InitiationTimestamp"), values.get("DisconnectTimestamp")
        ),
        "QueueSeconds": _queued(values, final=final),
        "AfterContactWorkSeconds": _between(
            member(values, "Agent", "AfterContactWorkStartTimestamp"),
            member(values, "Agent", "AfterContactWorkEndTimestamp"),
        ),
    }
    recorded = {name: member(values, *path) for name, path in _RECORDED.items()}
    return found | {name: value for name, value in recorded.items() if _is_number(value)}


def _queued(values: Values, *, final: bool) -> int | None:
    """For how long (s) it was queued: until it left the queue, was answered or, without, ended."""
    left = (
        member(values, "Queue", "DequeueTimestamp")
        or member(values, "Agent", "ConnectedToAgentTimestamp")
        or (values.get("DisconnectTimestamp") if final else None)
    )
    return _between(member(values, "Queue", "EnqueueTimestamp"), left)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between(start: str | None, end: str | None) -> int | None:
    """From one UTC second to another (s), 0 where clocks disagree; None without one of them."""
    if not start or not end:
        return None
    length = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return max(0, int(length.total_seconds()))
