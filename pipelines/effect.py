"""An effect: what came of a page for the agent, or of a write-back, as a contact's ledger keeps it.

It is one text, ``<outcome> <UTC time> <detail>``; the outcomes are a small vocabulary that metrics,
alarms and ``contact show`` share. Earlier releases wrote a single word.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, get_args


#: What can become of a page; the values of ``connect_dynamics_openings_total``'s label. All but
#: ``delayed`` are final: that counts how often Connect had to be asked again.
Outcome = Literal[
    "shown",
    "logged",
    "refused",
    "delayed",
    "record_late",
    "value_missing",
    "heard_late",
    "worker_late",
    "ended_first",
    "no_record",
    "replayed",
]

#: Outcomes of what an agent, or Connect, should have got and did not, although the contact was on.
MISSED: Final = ("refused", "record_late", "value_missing", "heard_late", "worker_late")

#: What comes of a write-back in place of ``shown`` and ``logged``.
WRITTEN: Final = "written"

#: What can come of a write-back; the values of ``connect_dynamics_write_backs_total``'s label.
WRITE_BACK_OUTCOMES: Final = (
    WRITTEN,
    *(outcome for outcome in get_args(Outcome) if outcome not in ("shown", "logged")),
)

#: Outcome -> why a page was not shown, in words; of the others nothing has to be said.
WHY: Final[dict[str, str]] = {
    "refused": "Connect did not take it: {}",
    "record_late": "its record was not there in time: it waited {}",
    "value_missing": "a value of its page never came",
    "heard_late": "it was {} before the worker heard of it",
    "worker_late": "the worker came to it too late: {}",
    "ended_first": "the contact ended first",
    "no_record": "there is no record to show: {}",
    "replayed": "it was replayed: no agent waits for it",
    "delayed": "Connect has not taken it yet: {}",
    "waiting": "it waits {}",
    "dropped": "an operator dropped it",
    "done": "an earlier release did not tell whether it was shown or only logged",
    "expired": "an earlier release did not say why",
}

#: The outcomes of what may still be shown; they tell since when the worker has known of it.
PENDING: Final = ("delayed", "waiting")

#: In place of a detail that is not known: earlier releases kept none.
_UNTOLD: Final = "an earlier release did not say why"


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of a page or a write-back.

    Attributes:
        outcome: An ``Outcome``; ``delayed`` while Connect does not take it, ``waiting`` while it
            cannot be shown, ``dropped`` by an operator; ``done`` and ``expired`` are of earlier
            releases.
        at: When (s since 1970); None: not known.
        detail: What its reason (``WHY``) mentions; never anything personal.
    """

    outcome: str
    at: float | None = None
    detail: str = ""

    def __str__(self) -> str:
        """The text that the ledger keeps."""
        return " ".join(filter(None, (self.outcome, self.when, self.detail)))

    @classmethod
    def read(cls, text: str) -> Effect:
        """The effect that the ledger keeps as this text, of whatever release."""
        outcome, _, rest = text.partition(" ")
        when, _, detail = rest.partition(" ")
        try:
            return cls(outcome, datetime.fromisoformat(when).timestamp(), detail)
        except ValueError:
            return cls(outcome, None, rest)

    @property
    def when(self) -> str:
        """When, as UTC text with milliseconds; "": not known."""
        if self.at is None:
            return ""
        text = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")

    @property
    def state(self) -> str:
        """Its outcome, or ``expired`` for all of which nothing comes any more, or ``unknown``."""
        if self.outcome in ("shown", "logged", "dropped", *PENDING):
            return self.outcome
        return "unknown" if self.outcome == "done" else "expired"

    @property
    def why(self) -> str:
        """Why it is not shown, as a sentence; "" if there is nothing to say."""
        return WHY.get(self.outcome, "").format(self.detail or _UNTOLD)

    @property
    def final(self) -> bool:
        """Whether nothing is done about it any more."""
        return self.outcome not in PENDING


def is_final(text: str | None) -> bool:
    """Whether a step with this text in the ledger (None: none) is not carried out any more."""
    return text is not None and Effect.read(text).final
