"""The verdict: what became of a contact, and so whether there is anything to say of it.

Amazon Connect makes contacts of what never happens: a draft that is thrown away, a callback that
nobody makes, a number that is dialled and stays silent. The disconnect reason (Administrator Guide,
"ctr-data-model") tells where it is documented and known; where it is null, new or still to come,
the timestamps do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.direction import INHERITING
from pipelines.names import member


#: The names made here.
NAMES: Final = frozenset(["Happened", "Outcome", "OutcomeText"])


@dataclass(frozen=True, slots=True)
class Reason:
    """A disconnect reason.

    Attributes:
        kind: What sort of end it is; the rules know no more of it.
        text: The same for people, as the second half of a sentence.
    """

    kind: str
    text: str


#: Every documented disconnect reason of every channel.
REASONS: Final = {
    # The customer was not reached, whatever the timestamps say.
    "TELECOM_BUSY": Reason("unreached", "the line was busy"),
    "TELECOM_NUMBER_INVALID": Reason("unreached", "the number is invalid"),
    "TELECOM_POTENTIAL_BLOCKING": Reason("unreached", "the call was probably blocked"),
    "TELECOM_UNANSWERED": Reason("unreached", "nobody picked up"),
    "OUTBOUND_DESTINATION_ENDPOINT_ERROR": Reason("unreached", "the number could not be dialled"),
    "OUTBOUND_RESOURCE_ERROR": Reason("unreached", "there was no capacity to dial"),
    "OUTBOUND_ATTEMPT_FAILED": Reason("unreached", "the attempt to dial failed"),
    # The customer was not there, on incoming contacts too.
    "CUSTOMER_NEVER_ARRIVED": Reason("absent", "the customer never arrived"),
    "CUSTOMER_CONNECTION_NOT_ESTABLISHED": Reason(
        "absent", "the customer's connection was not established"
    ),
    # Before or after the customer was reached.
    "TELECOM_TIMEOUT": Reason("broken", "the line timed out"),
    "TELECOM_ORIGINATOR_CANCEL": Reason("broken", "the caller gave up"),
    "TELECOM_PROBLEM": Reason("broken", "there was a problem with the line"),
    "AGENT_NETWORK_DISCONNECT": Reason("broken", "the agent's connection broke"),
    "SYSTEM_ERROR": Reason("broken", "there was a system error"),
    "AGENT_DISCONNECT": Reason("hung up", "the agent ended it"),
    "CUSTOMER_DISCONNECT": Reason("hung up", "the customer ended it"),
    "THIRD_PARTY_DISCONNECT": Reason("hung up", "a third party ended it"),
    "IDLE_DISCONNECT": Reason("hung up", "nobody wrote any more"),
    "BARGED": Reason("hung up", "a supervisor took over"),
    "AGENT_COMPLETED": Reason("hung up", "the agent completed it"),
    "CONTACT_FLOW_DISCONNECT": Reason("by flow", "the contact flow ended it"),
    "API": Reason("by flow", "another system ended it"),
    "TRANSFERRED": Reason("transferred", "it was transferred"),
    "EXPIRED": Reason("expired", "it expired"),
    "DISCARDED": Reason("discarded", "it was discarded"),
    "OUTBOUND_PREVIEW_DISCARDED": Reason("discarded", "the agent decided not to call"),
    "OTHER": Reason("unknown", ""),
}

#: How the guide's page "contact-events" spells ``OUTBOUND_``.
_MISSPELT: Final = "OUTBUND_"

#: What answering machine detection heard where nobody was reached -> the same for people.
SILENT: Final = {
    "AMD_UNANSWERED": "nobody picked up",
    "SIT_TONE_BUSY": "the line was busy",
    "SIT_TONE_DETECTED": "the network said that the call cannot be put through",
    "SIT_TONE_INVALID_NUMBER": "the number is invalid",
}

#: What it heard where a machine was reached -> the same for people.
MACHINES: Final = {
    "FAX_MACHINE_DETECTED": "a fax machine",
    "VOICEMAIL_BEEP": "a voicemail",
    "VOICEMAIL_NO_BEEP": "a voicemail",
}

#: What it says where a person, or somebody, was reached.
_REACHED: Final = frozenset(("HUMAN_ANSWERED", "AMD_UNRESOLVED", *MACHINES))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a contact.

    Attributes:
        word: ``Outcome``.
        text: The same for people, as a sentence without its end.
        happened: There is something to say of it.
    """

    word: str
    text: str
    happened: bool = True


CONVERSATION: Final = Verdict("conversation", "An agent took it")
UNATTENDED: Final = Verdict("unattended", "It ended without an agent")
MACHINE: Final = Verdict("machine", "A machine answered")
TRANSFERRED: Final = Verdict("transferred", "It went on as another contact")
RECEIVED: Final = Verdict("received", "The mail was received")
SENT: Final = Verdict("sent", "The mail was sent")
FAILED: Final = Verdict("failed", "The customer was not reached", happened=False)
MISSED: Final = Verdict("missed", "The callback was never made", happened=False)
UNDONE: Final = Verdict("undone", "Nobody worked on it", happened=False)
DISCARDED: Final = Verdict("discarded", "It was never sent", happened=False)
NOT_CALLED: Final = Verdict("discarded", "Nobody was called", happened=False)
CONTINUED: Final = Verdict(
    "continued", "The customer was called as another contact", happened=False
)

#: How a contact came about -> what it waits for that may still come to nothing. No record is made
#: of it before it is known what became of it.
TENTATIVE: Final = {
    "draft": "for the mail to be sent",
    "preview": "for the customer to be called",
    "callback in queue": "for the callback to be made",
}

#: Methods by which a system calls the customer first: an agent is connected to nobody else.
_CUSTOMER_FIRST: Final = frozenset(("API", "CALLBACK_CUSTOMER_FIRST_DIALED"))

_CALL: Final = ("dialled", "callback", "preview")


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table: which contacts it is about, and their verdict. None: any.

    Attributes:
        verdict: The verdict.
        channel: The channel.
        way: How it came about, see ``way_of``.
        agent: Whether an agent was connected.
        customer: Whether the customer was.
        kinds: Kinds of disconnect reasons.
        followed: Whether it went on as another contact.
    """

    verdict: Verdict
    channel: str | None = None
    way: tuple[str, ...] | None = None
    agent: bool | None = None
    customer: bool | None = None
    kinds: tuple[str, ...] | None = None
    followed: bool | None = None


#: The first that fits decides.
RULES: Final = (
    Rule(TRANSFERRED, "EMAIL", ("draft",), kinds=("transferred",)),
    Rule(DISCARDED, "EMAIL", ("draft",), kinds=("discarded", "expired")),
    Rule(SENT, "EMAIL", ("draft", "sent by flow")),
    Rule(TRANSFERRED, "EMAIL", kinds=("transferred",)),
    Rule(RECEIVED, "EMAIL"),
    Rule(CONTINUED, "VOICE", ("callback in queue",), followed=True),
    Rule(MISSED, "VOICE", ("callback in queue",)),
    Rule(NOT_CALLED, "VOICE", _CALL, customer=False, kinds=("discarded",)),
    Rule(TRANSFERRED, "VOICE", ("callback",), agent=False, customer=False, followed=True),
    Rule(MISSED, "VOICE", ("callback",), agent=False, customer=False),
    Rule(FAILED, "VOICE", _CALL, customer=False),
    Rule(MACHINE, "VOICE", ("machine",)),
    Rule(FAILED, kinds=("absent",)),
    Rule(FAILED, "CHAT", ("outgoing",), agent=False, customer=False, kinds=("broken",)),
    Rule(UNDONE, "TASK", agent=False, kinds=("expired",)),
    Rule(TRANSFERRED, kinds=("transferred",)),
    Rule(CONVERSATION, agent=True),
    Rule(UNATTENDED),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What the rules look at."""

    channel: str
    way: str
    agent: bool
    customer: bool
    kind: str
    followed: bool

    def fits(self, rule: Rule) -> bool:
        """Whether a rule is about it."""
        return (
            rule.channel in (None, self.channel)
            and (rule.way is None or self.way in rule.way)
            and rule.agent in (None, self.agent)
            and rule.customer in (None, self.customer)
            and (rule.kinds is None or self.kind in rule.kinds)
            and rule.followed in (None, self.followed)
        )


def reason_of(values: Mapping[str, Any]) -> Reason:
    """The contact's disconnect reason; one that is not documented is shown as it is."""
    written = str(values.get("DisconnectReason") or "").strip().upper()
    name = written.replace(_MISSPELT, "OUTBOUND_", 1) if written.startswith(_MISSPELT) else written
    return REASONS.get(name) or Reason("unknown", f"Amazon Connect says {name}" if name else "")


def verdict(values: Mapping[str, Any]) -> Verdict:
    """What became of a contact with these values, if it has ended."""
    case = case_of(values)
    return next(rule.verdict for rule in RULES if case.fits(rule))


def case_of(values: Mapping[str, Any]) -> Case:
    """What the rules look at, of a contact with these values."""
    kind = reason_of(values).kind
    agent = bool(member(values, "Agent", "ConnectedToAgentTimestamp"))
    way, heard = way_of(values), _heard(values)
    customer = _is_reached(values, heard, kind, agent=agent)
    if way in _CALL and customer and heard in MACHINES:
        way = "machine"
    followed = "Next" in values or bool(values.get("NextContactId"))
    return Case(str(values.get("Channel")), way, agent, customer, kind, followed)


def way_of(values: Mapping[str, Any]) -> str:
    """How the contact came about."""
    channel, method = values.get("Channel"), values.get("InitiationMethod")
    if not values.get("Outbound"):
        return "incoming"
    if channel == "EMAIL":
        return "sent by flow" if method == "FLOW" else "draft"
    if channel != "VOICE" or method in INHERITING:
        return "outgoing"  # or a leg of a call whose customer is on the line
    calls = {
        "CALLBACK": "callback",
        "CALLBACK_CUSTOMER_FIRST_QUEUED": "callback in queue",
        "CAMPAIGN_PREVIEW": "preview",
    }
    return calls.get(str(method), "dialled")


def verdict_names(values: Mapping[str, Any], reached: Mapping[str, str]) -> dict[str, Any]:
    """The names of this module; none while the contact is on.

    Args:
        values: The contact's names and values so far, the direction and its next leg among them.
        reached: Its milestones.
    """
    if "ended" not in reached:
        return {}
    found, heard = verdict(values), _heard(values)
    why = SILENT.get(heard, "") if found is FAILED else MACHINES.get(heard, "")
    why = why if found in (FAILED, MACHINE) else ""
    why = why or reason_of(values).text
    text = f"{found.text}{why and f': {why}'}."
    return {"Happened": found.happened, "Outcome": found.word, "OutcomeText": text}


def nothing_yet(values: Mapping[str, Any], reached: Mapping[str, str], *, settled: bool) -> str:
    """Why there is nothing to make a record of; "" if there is something.

    Args:
        values: The contact's names and values.
        reached: Its milestones.
        settled: No contact record will come any more that tells how it ended.
    """
    way = way_of(values)
    if way not in TENTATIVE or (way == "preview" and case_of(values).customer):
        return ""
    if "ended" not in reached:
        return TENTATIVE[way]
    found = verdict(values)
    if found in (DISCARDED, NOT_CALLED, CONTINUED):
        return f"no: {found.text[0].lower()}{found.text[1:]}"
    known = settled or (way != "callback in queue" and bool(values.get("DisconnectReason")))
    return "" if known else "for the contact record, which says what became of it"


def _heard(values: Mapping[str, Any]) -> str:
    return str(values.get("AnsweringMachineDetectionStatus") or "").upper()


def _is_reached(values: Mapping[str, Any], heard: str, kind: str, *, agent: bool) -> bool:
    """Whether the customer of an outgoing call was connected."""
    if heard in SILENT:
        return False
    by_system = values.get("InitiationMethod") in _CUSTOMER_FIRST
    if by_system and agent:
        return True
    if kind in ("unreached", "absent"):
        return False
    if values.get("ConnectedToSystemTimestamp") or heard in _REACHED:
        return True
    # Older calls of an API have no such timestamp, but were queued when somebody had answered.
    return by_system and bool(member(values, "Queue", "EnqueueTimestamp"))
