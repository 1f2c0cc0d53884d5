"""A contact: the facts known about it, and the ledger of what Dynamics has acknowledged.

The contact is all the state there is. Facts come in by ``observe`` in any order and any number of
times and end the same; everything else (names, phase, desired records, writes) is derived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from pipelines.fact import ENRICHMENT, EVENT, LEG, OBJECT, RECORD, Fact


#: Ledger entry of a column that may or may not have reached Dynamics: it is sent again.
UNKNOWN = "?"

#: Between a stored contact's lines. JSON escapes it, so nothing has it inside.
SEPARATOR = b"\n"

#: What is known of a record in Dynamics.
#: unsent: never created by us. sent: a create left, its answer is not known.
#: found: a create met an existing record (412), which must be read first.
#: there: it exists. gone: a person deleted it or an operator let go of it; no more writes.
#: doubted: it existed when an older state was saved, which is all there is: it is read before it
#: is written, and its columns' digests say what it had then.
State = Literal["unsent", "sent", "found", "there", "doubted", "gone"]


@dataclass(slots=True)
class Record:
    """The ledger of one Dynamics record.

    Attributes:
        entity: Entity set, e.g. ``phonecalls``.
        key: What stands between the parentheses of its address; for our own records a GUID.
        state: See ``State``.
        columns: Column -> digest of the value Dynamics last acknowledged, or ``UNKNOWN``.
        ours: Nobody else was seen to have changed it; of one that is found: our own create, whose
            answer is not known, may have made it.
        refusals: 1: Dynamics refused an update because the record is closed, so it is reopened
            first; 2: reopening did not help either, so changes go into a note.
        answer: Fields of the create's answer that later steps name.
    """

    entity: str
    key: str
    state: State = "unsent"
    columns: dict[str, str] = field(default_factory=dict)
    ours: bool = False
    refusals: int = 0
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The record's address below the Web API, which is also its key in the ledger."""
        return f"{self.entity}({self.key})"


@dataclass(slots=True)
class Parked:
    """A write that Dynamics refused for good, kept for an operator.

    Attributes:
        steps: The pipeline steps it came from, as ``pipeline/step``.
        at: Wall-clock time (s) of the refusal.
        status: HTTP status.
        code: Dataverse's code.
        request: Method, path and body as sent. May hold personal data.
        answer: Dataverse's message. May hold personal data.
    """

    steps: list[str]
    at: float
    status: int | None
    code: str
    request: dict[str, Any]
    answer: str


@dataclass(slots=True)
class Contact:
    """Facts, ledger and what hangs on them, of one contact.

    Attributes:
        id: The contact id in lower case.
        facts: Register -> its greatest fact.
        ledger: Record address -> ``Record``.
        lookups: ``pipeline/step`` of a GET -> {"asked": digest of the URL, "answer": fields}.
        effects: ``pipeline/step`` of a live-only step -> "done", "expired" or "refused".
        parked: Record address (or ``pipeline/step`` of a GET) -> ``Parked``.
        intent: Record address -> {column: digest} about to be sent by the holder of the claim.
        tries: Definitive failures in a row that are neither parked nor solved (403 so far).
        update_only: It had ended longer ago than contacts are kept when its first fact came: its
            records may exist although the ledger does not know, so live work creates none.
        replayed: It was replayed on purpose: it gets its records however old it is.
        restored: How many restorations the state had seen when the ledger was last doubted.
    """

    id: str
    facts: dict[str, Fact] = field(default_factory=dict)
    ledger: dict[str, Record] = field(default_factory=dict)
    lookups: dict[str, dict[str, Any]] = field(default_factory=dict)
    effects: dict[str, str] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    intent: dict[str, dict[str, str]] = field(default_factory=dict)
    tries: int = 0
    update_only: bool = False
    replayed: bool = False
    restored: int = 0

    def observe(self, fact: Fact) -> bool:
        """Keep the fact if it is greater than what its register holds; whether it was.

        One thing told by two paths (S3 natively and by EventBridge) may differ in ``at`` alone.
        """
        known = self.facts.get(fact.register)
        if known is not None and not fact.exceeds(known):
            return False
        self.facts[fact.register] = fact
        return True

    @property
    def record(self) -> Fact | None:
        """The contact record, if it has come."""
        return self.facts.get(RECORD)

    @property
    def events(self) -> list[Fact]:
        """The contact events, oldest first."""
        events = [f for r, f in self.facts.items() if r.startswith(EVENT)]
        return sorted(events, key=lambda f: (f.version, f.register))

    @property
    def objects(self) -> list[Fact]:
        """The stored objects (recordings, transcripts, analyses), by register."""
        return [f for r, f in sorted(self.facts.items()) if r.startswith(OBJECT)]

    @property
    def enrichment(self) -> dict[str, Fact]:
        """What Connect answered when asked about it, by kind."""
        return {
            r.removeprefix(ENRICHMENT): f for r, f in self.facts.items() if r.startswith(ENRICHMENT)
        }

    @property
    def later_legs(self) -> dict[str, Fact]:
        """What the later legs of its chain told it, by their contact id."""
        return {r.removeprefix(LEG): f for r, f in self.facts.items() if r.startswith(LEG)}

    def to_bytes(self) -> bytes:
        """The contact, everything but its id: a line of JSON, then each fact's data on its own."""
        heads = {register: (fact.version, fact.at) for register, fact in self.facts.items()}
        document: dict[str, Any] = {"facts": heads}
        for name in (
            "ledger",
            "lookups",
            "effects",
            "parked",
            "intent",
            "tries",
            "update_only",
            "replayed",
            "restored",
        ):
            if value := getattr(self, name):
                document[name] = value
        return SEPARATOR.join([orjson.dumps(document), *(f.body for f in self.facts.values())])

    @classmethod
    def from_bytes(cls, contact_id: str, data: bytes) -> Contact:
        """The contact that ``to_bytes`` wrote."""
        head, *bodies = data.split(SEPARATOR)
        document = orjson.loads(head)
        heads = document.pop("facts").items()
        facts = {
            register: Fact(contact_id, register, version, body, at)
            for (register, (version, at)), body in zip(heads, bodies, strict=True)
        }
        for name, kind in (("ledger", Record), ("parked", Parked)):
            if name in document:
                document[name] = {key: kind(**value) for key, value in document[name].items()}
        return cls(contact_id, facts, **document)
