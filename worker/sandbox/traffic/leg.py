"""A leg: what happened on one contact, fixed before any message about it is written.

Events, records, object keys and the truth checkers compare with are all read from here, so they
cannot disagree. All times are milliseconds since 1970 (UTC), ``_ms`` durations too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal


if TYPE_CHECKING:
    from random import Random

    from worker.sandbox.traffic.people import Agent, Customer, Queue


#: Ways of beginning in which the contact centre turns to the customer; calls dialled by an API too.
_OUTGOING = frozenset(
    {"OUTBOUND", "CALLBACK", "EXTERNAL_OUTBOUND", "AGENT_REPLY", "FLOW", "CAMPAIGN_PREVIEW"}
)

#: What becomes of a contact on the customer's timeline: a record that is completed, one that is
#: cancelled, or none.
Fate = Literal["completed", "cancelled", "none"]


@dataclass(frozen=True, slots=True)
class Stored:
    """An object S3 will hold.

    ``kind``: recording, ivr_recording, transcript, analysis, redacted_recording, redacted_analysis.
    """

    kind: str
    key: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Resent:
    """A contact record that Connect sends again.

    Attributes:
        at_ms: When it is sent.
        updated_ms: Its ``LastUpdateTimestamp``, which may be that of the one before.
        attributes: The attributes that are new or changed.
        changes: The record's members that are new or changed.
    """

    at_ms: int
    updated_ms: int
    attributes: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Leg:
    """One contact from its first moment to its last.

    ``now_ms`` is how far its story has got; the verbs below move it on. ``before`` and ``after``
    are the legs that it came of and that it went on as.
    """

    id: str
    kind: str
    channel: str
    method: str
    customer: Customer
    now_ms: int
    line: str | None = None
    initial_id: str | None = None
    previous_id: str | None = None
    next_id: str | None = None
    related_id: str | None = None
    system_ms: int | None = None
    queued_ms: int | None = None
    answered_ms: int | None = None
    transferred_ms: int | None = None
    transferred_to: dict[str, str] | None = None
    disconnected_ms: int = 0
    after_work_ms: tuple[int, int] | None = None
    queue: Queue | None = None
    agent: Agent | None = None
    reason: str | None = None
    amd: str | None = None
    campaign_id: str | None = None
    hold_ms: int = 0
    attempts: int = 0
    pauses_ms: list[tuple[int, int]] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    survey: tuple[int, dict[str, str]] | None = None
    stored: list[Stored] = field(default_factory=list)
    completes: bool = True
    name: str | None = None
    segments: dict[str, str] = field(default_factory=dict)
    scheduled_ms: int | None = None
    began_ms: int | None = None
    dialled: bool | None = None
    fate: Fate = "completed"
    resent: list[Resent] = field(default_factory=list)
    deleted: bool = False
    redacted: bool = False
    record_names_recording: bool = True
    before: Leg | None = field(default=None, repr=False, compare=False)
    after: Leg | None = field(default=None, repr=False, compare=False)
    initiated_ms: int = field(init=False)

    def __post_init__(self) -> None:
        self.initiated_ms = self.now_ms

    @property
    def answered(self) -> bool:
        """Whether an agent and the customer were connected."""
        return self.answered_ms is not None

    @property
    def outgoing(self) -> bool:
        """Whether the contact centre turned to the customer."""
        if self.dialled is not None:
            return self.dialled
        return self.method in _OUTGOING or (self.method == "API" and self.channel == "VOICE")

    @property
    def ended_ms(self) -> int:
        """When everything about it was over, after-contact work too."""
        return max(self.disconnected_ms, self.after_work_ms[1] if self.after_work_ms else 0)

    def key_of(self, kind: str) -> str | None:
        """The key of its object of this kind, if there is one."""
        return next((stored.key for stored in self.stored if stored.kind == kind), None)

    def reach_system(self, after_ms: int = 0) -> None:
        """Media are established."""
        self.now_ms += after_ms
        self.system_ms = self.now_ms

    def wait_in(self, queue: Queue, after_ms: int) -> None:
        """The contact enters a queue."""
        self.now_ms += after_ms
        self.queue, self.queued_ms = queue, self.now_ms

    def answer(self, agent: Agent, after_ms: int) -> None:
        """Agent and customer are connected."""
        self.now_ms += after_ms
        self.agent, self.answered_ms = agent, self.now_ms
        self.attempts += 1

    def pause(self, after_ms: int, for_ms: int) -> None:
        """The agent puts a task aside and comes back to it."""
        begin = self.now_ms + after_ms
        self.now_ms = begin + for_ms
        self.pauses_ms.append((begin, self.now_ms))

    def disconnect(self, reason: str | None, after_ms: int) -> None:
        """The conversation, or the attempt, is over."""
        self.now_ms += after_ms
        self.reason, self.disconnected_ms = reason, self.now_ms

    def wrap_up(self, for_ms: int) -> None:
        """The agent's after-contact work."""
        self.after_work_ms = (self.now_ms, self.now_ms + for_ms)
        self.now_ms += for_ms


def new_id(rng: Random) -> str:
    """An id in the form of a random UUID (version 4)."""
    bits = rng.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
