"""The names a pipeline sees of a contact.

Precedence is decided here, when facts are read: names are the contact record's. Before it has
come they are filled from the events, later ones over earlier ones, and what these leave out from
what Connect answered when asked; once it is there they come from it alone, what it leaves out
included. Names that only events have stay the events'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from liquid.exceptions import UndefinedError

from pipelines import course, direction, legs, mail, verdict
from pipelines.contact import Contact
from pipelines.fact import Fact
from pipelines.kin import kin
from pipelines.lifecycle import FILES, milestones_of, phase_of, signals_of
from pipelines.names import DESCRIBED_ONLY, EVENT_ONLY, FILLED, SCALARS, STREAM, TYPED, heard, said
from pipelines.objects import StoredObject, objects
from pipelines.redaction import covers, redacted


#: Names made from the others.
DERIVED = direction.NAMES | course.NAMES | legs.NAMES | mail.NAMES | verdict.NAMES
DERIVED |= {"Username", "CreateTimeline"}

#: What the attribute ``CreateTimeline`` says if no activity is wanted, in lower case.
_UNWANTED = frozenset(("false", "0", "no"))

#: Names of the stored object a step is about.
OBJECT_NAMES = frozenset(["objectUrl", "objectUri", "bucket", "key", "objects"])

#: Names that come from the settings.
CONSTANTS = frozenset(["AppId", "EnvironmentUri", "Owner"])

#: Every name a template may begin with, beside ``<STEP>-Response``.
NAMES = STREAM | DERIVED | OBJECT_NAMES | CONSTANTS

_MADE = {name.lower() for name in DERIVED | OBJECT_NAMES | CONSTANTS}


#: What a bare structure stands for.
_SCALARS = SCALARS | dict.fromkeys(legs.RELATIVES, "ContactId")


class Names(Mapping[str, Any]):
    """What templates read: names regardless of case, structures that can stand for themselves.

    Args:
        values: Names and values, without nulls.
        scalar: The member a bare structure stands for.
        lenient: A structure without that member renders empty instead of being held back.
    """

    __slots__ = ("_folded", "_values", "lenient", "scalar")

    def __init__(
        self, values: Mapping[str, Any], scalar: str | None = None, *, lenient: bool = False
    ) -> None:
        # Names that are wrapped again: their members must not keep the earlier leniency.
        inner = values._values if isinstance(values, Names) else values  # noqa: SLF001 - our own
        self._values: Mapping[str, Any] = inner
        self._folded: dict[str, str] | None = None
        self.scalar = scalar
        self.lenient = lenient

    def __getitem__(self, name: str) -> Any:
        key = name if name in self._values else self._found(name)
        value = self._values[key]
        if isinstance(value, dict):
            return Names(value, _SCALARS.get(key) or _typed(value), lenient=self.lenient)
        return value

    def _found(self, name: str) -> str:
        """The name that is meant, whatever its case. Most are written as they are."""
        if self._folded is None:
            self._folded = {str(name).lower(): name for name in self._values}
        return self._folded[str(name).lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __liquid__(self) -> Any:
        return self.value()

    def __str__(self) -> str:
        value = self.value()
        if value is None and not self.lenient:
            raise UndefinedError(f"no {self.scalar}", token=None)
        return "" if value is None else str(value)

    def __eq__(self, other: object) -> bool:
        return self.value() == other if not isinstance(other, Names) else self is other

    def __hash__(self) -> int:
        return id(self)

    def or_else(self, others: Mapping[str, Any]) -> Names:
        """The same names, and those of the others that they lack."""
        return Names({**others, **self._values}, self.scalar, lenient=self.lenient)

    def value(self) -> Any:
        """What the structure stands for: its scalar, or None without one."""
        return self._values.get(self.scalar) if self.scalar else None

    def plain(self) -> Any:
        """The structure as JSON data, or its scalar where it has one."""
        return self.value() if self.scalar else dict(self._values)


def _typed(value: Mapping[str, Any]) -> str | None:
    """The only member of a typed value, which the value stands for; else None."""
    member = next(iter(value), "")
    return member if len(value) == 1 and str(member).lower() in TYPED else None


def view(contact: Contact, constants: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The contact's names and values, nulls left out; see ``object_names`` for its files.

    Args:
        contact: The contact.
        constants: ``AppId``, ``EnvironmentUri`` from the settings.
    """
    events = contact.events
    told = heard(events)
    proven = signals_of(events, told, contact.record)
    return values_of(
        contact,
        constants or {},
        events=events,
        told=told,
        others=values_of_kin(contact),
        phase=phase_of(proven),
        reached=milestones_of(proven, objects(contact)),
    )


def values_of(
    contact: Contact,
    constants: Mapping[str, Any],
    *,
    events: Sequence[Fact],
    told: dict[str, Any],
    others: Mapping[str, Mapping[str, Any]],
    phase: str,
    reached: Mapping[str, str],
) -> dict[str, Any]:
    """The same of a contact of which this is known already.

    Args:
        contact: The contact.
        constants: As above.
        events: Its events, oldest first.
        told: What they say together, see ``heard``.
        others: What it was told of the others of its chain, see ``values_of_kin``.
        phase: The furthest phase it has reached.
        reached: Its milestones and when they were.
    """
    # Messages may have names that this release does not know, but not those of its own making.
    stream = _stream(contact, told)
    values = {name: value for name, value in stream.items() if name.lower() not in _MADE}
    values.update(constants)
    values["ContactId"] = contact.id
    related = legs.leg_names(contact.id, values, others)
    initial, previous = (
        others.get(related.get(name, {}).get("ContactId", ""), {})
        for name in ("Initial", "Previous")
    )
    values.update(related | direction.direction_names(values, initial, previous))
    values.update(_derived(values, contact, events, phase, reached))
    return values


def settled(
    events: Sequence[Fact], values: Mapping[str, Any], reached: Mapping[str, str]
) -> dict[str, Any]:
    """What the names of a contact with these events are judged to be once no record will come."""
    return course.course_names(values, values["Phase"], reached, events, final=True)


def values_of_kin(contact: Contact) -> dict[str, dict[str, Any]]:
    """What a contact was told of the others of its chain, by their ids."""
    return {contact_id: _stream(one, heard(one.events)) for contact_id, one in kin(contact).items()}


def instance_id(names: Mapping[str, Any]) -> str:
    """The id of the contact's Connect instance; "" if it is not known."""
    return str(names.get("InstanceARN", "")).rpartition("/")[2]


def _stream(contact: Contact, events: dict[str, Any]) -> dict[str, Any]:
    """What is said of a contact whose events say this together."""
    if contact.record is None:
        return _enriched(dict(events), contact)
    record = dict(said(contact.record.body))
    kept = {name: events[name] for name in EVENT_ONLY if name in events}
    return kept | record | _filled(events, record)


def _filled(events: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Structures of which the record repeats nothing or little; what it calls redacted is gone."""
    gone = redacted(record)
    found = {}
    for name in FILLED & events.keys():
        told, repeated = events[name], record.get(name)
        if not isinstance(told, dict) or not isinstance(repeated, dict | None):
            continue
        kept = {k: v for k, v in told.items() if not covers(gone, (name, k), empty=True)}
        found[name] = kept | {k: v for k, v in (repeated or {}).items() if v not in (None, "")}
    return {name: value for name, value in found.items() if value}


def _enriched(names: dict[str, Any], contact: Contact) -> dict[str, Any]:
    """The events' names, filled where they have no value from what Connect answered.

    A name that was asked for one agent or queue is not the next one's.
    """
    for fact in contact.enrichment.values():
        for name, value in said(fact.body).items():
            known = names.get(name)
            if not isinstance(known, dict):
                known = {}
            fits = isinstance(value, dict) and known.get("ARN") in (None, value.get("ARN"))
            if name in STREAM and fits:
                names[name] = {**value, **known}
            elif name in DESCRIBED_ONLY:
                names.setdefault(name, value)
    return names


def _derived(
    values: Mapping[str, Any],
    contact: Contact,
    events: Sequence[Fact],
    phase: str,
    reached: Mapping[str, str],
) -> dict[str, Any]:
    final = contact.record is not None
    derived = course.course_names(values, phase, reached, events, final=final)
    if username := values.get("Agent", {}).get("Username"):
        derived["Username"] = username
    said = values.get("Attributes", {}).items()
    derived["CreateTimeline"] = all(wanted(v) for n, v in said if n.lower() == "createtimeline")
    derived |= verdict.verdict_names(values, reached)
    return derived | mail.mail_names({**values, **derived})


def wanted(value: Any) -> bool:
    """Whether an activity is wanted, as ``CreateTimeline`` says: yes, unless it says no."""
    return str(value).strip().lower() not in _UNWANTED


def object_names(things: list[StoredObject], on: str, *, listed: bool = True) -> dict[str, Any]:
    """``objectUrl`` and so on of the first file a step is about, and ``objects`` of all if listed.

    A step on recording, transcript or analysis is about those, any other step about every file.
    """
    about = [t for t in things if t.milestone == on] if on in FILES else things
    if not about:
        return {}
    first = about[0]
    names: dict[str, Any] = {
        "objectUrl": first.url,
        "objectUri": first.uri,
        "bucket": first.bucket,
        "key": first.key,
    }
    if listed:
        names["objects"] = [
            {"kind": t.kind, "bucket": t.bucket, "key": t.key, "url": t.url, "uri": t.uri}
            for t in about
        ]
    return names
