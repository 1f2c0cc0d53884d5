"""A contact: the facts known about it, and the ledger of what Dynamics has acknowledged.

The contact is all the state there is. Facts come in by ``observe`` in any order and any number of
times, and the result is the same; everything else (names, phase, desired records, writes) is
derived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar, get_args

import orjson

from pipelines.fact import ENRICHMENT, EVENT, FILE, KIN, OBJECT, RECORD, Fact
from pipelines.history import Rows, merge


#: Ledger entry of a column that may or may not have reached Dynamics: it is sent again.
UNKNOWN = "?"

#: The form that ``to_bytes`` writes. Whatever the form, the first line is a JSON object that names
#: it in ``form``; without one it is the first. A release that adds fields which an older one may
#: leave alone keeps the number; one that changes what is there raises it.
FORM: Final = 1

#: Registers of what comes whenever somebody asks or tells, not when it happens to the contact.
SECOND_HAND = (ENRICHMENT, KIN)

#: Between a stored contact's lines. JSON escapes it, so nothing has it inside.
SEPARATOR = b"\n"

#: What is known of a record in Dynamics; ``pipelines.settle`` says how one becomes another.
#: unsent: never created by us. sent: a create left, its answer is not known.
#: found: a create met an existing record (412), which must be read first.
#: there: it exists. gone: a person deleted it or an operator let go of it; no more writes.
#: absent: it was looked for and is not there, and we have not created it.
#: doubted: it existed when an older state was saved, which is all there is: it is read before it
#: is written, and its columns' digests say what it had then.
State = Literal["unsent", "sent", "found", "there", "doubted", "gone", "absent"]


@dataclass(slots=True)
class RecordLedger:
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
        by: ``pipeline/step`` that makes it; "" for others' records and in older states.
        extra: Fields that a newer release wrote, kept as they are.
    """

    entity: str
    key: str
    state: State = "unsent"
    columns: dict[str, str] = field(default_factory=dict)
    ours: bool = False
    refusals: int = 0
    answer: dict[str, Any] = field(default_factory=dict)
    by: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The record's address below the Web API, which is also its key in the ledger."""
        return f"{self.entity}({self.key})"


@dataclass(slots=True)
class Parked:
    """A write that Dynamics refused for good, or never answers, kept for an operator.

    Attributes:
        steps: The pipeline steps it came from, as ``pipeline/step``.
        at: Wall-clock time (s) of the refusal.
        status: HTTP status; None: there was no answer.
        code: Dataverse's code.
        request: Method, path and body as sent. May hold personal data.
        answer: Dataverse's message. May hold personal data.
        unanswered: No answer counted (none, 5xx, 429): it is tried once more after an outage.
        extra: Fields that a newer release wrote, kept as they are.
    """

    steps: list[str]
    at: float
    status: int | None
    code: str
    request: dict[str, Any]
    answer: str
    unanswered: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Contact:
    """Facts, ledger and what hangs on them, of one contact.

    Attributes:
        id: The contact id in lower case.
        facts: Register -> its greatest fact.
        ledger: Record address -> ``RecordLedger``.
        lookups: ``pipeline/step`` of a GET -> {"asked": digest of the URL, "answer": fields}.
        effects: ``pipeline/step`` of a live-only step -> what came of it, see ``effect``.
        parked: Record address (or ``pipeline/step`` of a GET) -> ``Parked``.
        intent: Record address -> {column: digest} about to be sent by the holder of the claim;
            of a create also {"": the ``pipeline/step`` that makes it}.
        tries: How often it was refused something (403) since all was last done for it.
        failures: What is tried without an answer that counts (``verb place``) -> how many of those
            tries count against it, because others' requests succeeded between them.
        owed_since: When (s since 1970) it came due with what Dynamics still lacks although it was
            tried; None: nothing is known to be late.
        arrived: When (s since 1970) the first of its facts arrived, by the clocks of those who took
            them in; None: one of them did not say, so it may have been any time ago.
        replayed: It was replayed on purpose: it gets its records however old it is.
        restored: How many restorations the state had seen when the ledger was last doubted.
        history: What was done for it and what came of it, as ``pipelines.history`` keeps it.
        labels: Under what it is found in lists (``pipelines.labels``) -> at which time (s since
            1970) it is listed there.
        extra: Fields that a newer release wrote, kept as they are.
    """

    id: str
    facts: dict[str, Fact] = field(default_factory=dict)
    ledger: dict[str, RecordLedger] = field(default_factory=dict)
    lookups: dict[str, dict[str, Any]] = field(default_factory=dict)
    effects: dict[str, str] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    intent: dict[str, dict[str, str]] = field(default_factory=dict)
    tries: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    owed_since: float | None = None
    arrived: float | None = None
    replayed: bool = False
    restored: int = 0
    history: Rows = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def observe(self, fact: Fact) -> bool:
        """Take a fact in: keep it if it is greater than what its register holds.

        The same thing by two ways (from S3 directly and by EventBridge) may differ in ``at`` alone.
        What is known at second hand (``SECOND_HAND``) does not say when the contact was heard of.

        Returns:
            Whether it changed anything: it was kept, or had arrived before all others.
        """
        before = self.arrived
        if not fact.register.startswith(SECOND_HAND):
            self.arrived = _earliest(before, fact.arrived) if self.heard_of else fact.arrived
        return self._keep(fact) or self.arrived != before

    def learn(self, other: Contact) -> None:
        """Take in the facts and the history that another copy of this contact got meanwhile."""
        if other.heard_of:
            ours, theirs = self.arrived, other.arrived
            self.arrived = _earliest(ours, theirs) if self.heard_of else theirs
        for fact in other.facts.values():
            self._keep(fact)
        self.replayed |= other.replayed
        merge(self.history, other.history)
        self.labels = other.labels | self.labels
        self.extra |= other.extra

    def _keep(self, fact: Fact) -> bool:
        known = self.facts.get(fact.register)
        if known is not None and not fact.exceeds(known):
            return False
        self.facts[fact.register] = fact
        return True

    @property
    def heard_of(self) -> bool:
        """Whether a message about it has come; else others of its chain have told of themselves."""
        return any(not register.startswith(SECOND_HAND) for register in self.facts)

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
        """The stored objects (recordings, transcripts, attachments and so on), by register."""
        return [f for r, f in sorted(self.facts.items()) if r.startswith((OBJECT, FILE))]

    @property
    def enrichment(self) -> dict[str, Fact]:
        """What Connect answered when asked about it, by kind."""
        return {
            r.removeprefix(ENRICHMENT): f for r, f in self.facts.items() if r.startswith(ENRICHMENT)
        }

    def to_bytes(self) -> bytes:
        """The contact, everything but its id: a line of JSON, then each fact's data on its own."""
        heads = {register: (fact.version, fact.at) for register, fact in self.facts.items()}
        document = {"form": FORM, "facts": heads, **self.extra}
        for name in _FIELDS:
            if (value := getattr(self, name)) != getattr(_BLANK, name):
                document[name] = value
        head = orjson.dumps(document, _written, orjson.OPT_PASSTHROUGH_DATACLASS)
        return SEPARATOR.join([head, *(f.body for f in self.facts.values())])

    @classmethod
    def from_bytes(cls, contact_id: str, data: bytes) -> Contact:
        """The contact that ``to_bytes`` wrote, in this release or another.

        Raises:
            NewerForm: A newer release wrote it, in a form that this one does not know.
            Damaged: Nobody wrote that.
        """
        head, *bodies = data.split(SEPARATOR)
        document = _document(head)
        facts = _facts(contact_id, document.pop("facts", None), bodies)
        known, extra = _parted(document, _FIELDS)
        known["ledger"] = _entries(RecordLedger, known.get("ledger", {}), _RECORD)
        known["parked"] = _entries(Parked, known.get("parked", {}), _PARKED)
        return cls(contact_id, facts, **known, extra=extra)


#: A contact of which nothing is known; what does not differ from it is not written.
_BLANK: Final = Contact("")


class Unreadable(ValueError):  # noqa: N818 - says what is the matter
    """A stored contact that this release cannot read. The message says why, without a value."""


class Damaged(Unreadable):
    """No release wrote that."""


class NewerForm(Unreadable):
    """A newer release wrote it, in a form that this one does not know."""


#: What is right for a field.
_Check = Callable[[Any], bool]

_T = TypeVar("_T", RecordLedger, Parked)


def _is(*kinds: type) -> _Check:
    """Of exactly one of these types: JSON's true is no number."""
    return lambda value: type(value) in kinds


def _each(kind: type) -> _Check:
    """An object whose values are all of this type."""
    right = {kind}
    return lambda value: type(value) is dict and right.issuperset(map(type, value.values()))


def _intent(value: Any) -> bool:
    return type(value) is dict and all(map(_TEXTS, value.values()))


def _steps(value: Any) -> bool:
    return type(value) is list and {str}.issuperset(map(type, value))


def _rows(value: Any) -> bool:
    return type(value) is list and {list}.issuperset(map(type, value))


def _head(value: Any) -> bool:
    """A fact's version and time."""
    return type(value) is list and [*map(type, value)] == _HEAD


_TEXTS: Final = _each(str)

_HEAD: Final = [str, str]

_STATES: Final = frozenset(get_args(State))

#: A contact's fields but its id and its facts, as they are written, in this order.
_FIELDS: Final[dict[str, _Check]] = {
    "ledger": _each(dict),
    "lookups": _each(dict),
    "effects": _TEXTS,
    "parked": _each(dict),
    "intent": _intent,
    "tries": _is(int),
    "failures": _each(int),
    "owed_since": _is(float, int),
    "arrived": _is(float, int),
    "replayed": _is(bool),
    "restored": _is(int),
    "history": _rows,
    "labels": _each(int),
}
_RECORD: Final[dict[str, _Check]] = {
    "entity": _is(str),
    "key": _is(str),
    "state": lambda value: type(value) is str and value in _STATES,
    "columns": _TEXTS,
    "ours": _is(bool),
    "refusals": _is(int),
    "answer": _is(dict),
    "by": _is(str),
}
_PARKED: Final[dict[str, _Check]] = {
    "steps": _steps,
    "at": _is(float, int),
    "status": _is(int, type(None)),
    "code": _is(str),
    "request": _is(dict),
    "answer": _is(str),
    "unanswered": _is(bool),
}


def _written(entry: Any) -> dict[str, Any]:
    """A ``RecordLedger`` or ``Parked`` as it is stored; anything else cannot be."""
    match entry:
        case RecordLedger():
            table = _RECORD
        case Parked():
            table = _PARKED
        case _:
            raise TypeError(f"a contact holds a {type(entry).__name__}")
    return {**{name: getattr(entry, name) for name in table}, **entry.extra}


def _document(head: bytes) -> dict[str, Any]:
    """The first line of a stored contact, of a form that is known, without its number."""
    try:
        document = orjson.loads(head)
    except orjson.JSONDecodeError:
        raise Damaged("its first line is not JSON") from None
    if type(document) is not dict:
        raise Damaged("its first line is no object")
    form = document.pop("form", FORM)
    if type(form) is not int or form < 1:
        raise Damaged("its form is no number")
    if form > FORM:
        raise NewerForm(f"a newer release wrote it: form {form}, and this one knows {FORM}")
    return document


def _facts(contact_id: str, heads: Any, bodies: list[bytes]) -> dict[str, Fact]:
    """The facts of the registers, each with its line."""
    if type(heads) is not dict or not all(map(_head, heads.values())):
        raise Damaged("its facts are not listed as they should be")
    if len(heads) != len(bodies):
        raise Damaged(f"it lists {len(heads)} facts and holds {len(bodies)}")
    if not all(body[:1] == b"{" and body[-1:] == b"}" for body in bodies):
        raise Damaged("a fact is no JSON object")
    return {
        register: Fact(contact_id, register, version, body, at)
        for (register, (version, at)), body in zip(heads.items(), bodies, strict=True)
    }


def _parted(
    fields: Mapping[str, Any], table: Mapping[str, _Check]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields that this release knows, all of them right, and the others."""
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in fields.items():
        right = table.get(name)
        if right is None:
            extra[name] = value
        elif right(value):
            known[name] = value
        else:
            raise Damaged(f"its {name} is not what it should be")
    return known, extra


def _entries(
    kind: type[_T], stored: Mapping[str, Any], table: Mapping[str, _Check]
) -> dict[str, _T]:
    """``RecordLedger``s or ``Parked``s of their stored fields, by name."""
    entries = {}
    for name, fields in stored.items():
        known, extra = _parted(fields, table)
        try:
            entries[name] = kind(**known, extra=extra)
        except TypeError:
            raise Damaged(f"a {kind.__name__} lacks a field") from None
    return entries


def _earliest(one: float | None, other: float | None) -> float | None:
    """The earlier arrival; one that is not known may be the earliest."""
    return None if one is None or other is None else min(one, other)
