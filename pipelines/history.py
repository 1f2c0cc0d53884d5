"""History: what was done for a contact and what came of it, the last of it, oldest first.

It says how the contact came to be what it is; nothing is decided by it. It names steps, records and
columns, never a value of a person, and repeats nothing that the facts say. It is kept with the
contact, as rows that a release may add fields to at their end, within bounds: the same failure
over and over is two rows, the first and the last, and what lies longest between first and recent
goes when there is no room.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson


if TYPE_CHECKING:
    from pipelines.contact import Contact

#: How many happenings a contact keeps, and how many bytes all of them take as JSON.
MOST: Final = 40
MOST_BYTES: Final = 3072

#: How many bytes of JSON the texts of one happening may take: two have room, whatever they say.
_MOST_TEXT: Final = {"place": 150, "why": 250, "by": 60, "code": 40}
_MOST_STEPS: Final = 300
_MOST_COLUMNS: Final = 400
_MOST_IDS: Final = 3
_MOST_ID: Final = 50

#: In place of what was cut.
_CUT: Final = "…"

#: A history as it is stored: the fields of each happening in order, without the last ones that say
#: nothing; times in milliseconds.
Rows = list[list[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that was done for a contact, or that could not be.

    Attributes:
        at: When (s since 1970); of a failure that repeats, when it was last.
        what: What was done or became of it; ``pipelines.happening`` has the words.
        place: The record, as ``phonecalls(<id>)``; a key that is no id is left out.
        steps: ``pipeline/step`` of each step it comes from.
        columns: Names of the columns or attributes that were sent.
        status: HTTP status of the last answer; 0: none, or not asked by HTTP.
        duration_ms: How long it took, with its waits for a place at the gate.
        attempts: How many requests it took.
        code: Code of the refusal, Dataverse's or Connect's.
        why: Why it did not come about, or why a person did it; "": it did.
        times: How often it happened, of a failure that repeats.
        ids: Ids for a support case, of the last request that failed: whose -> id.
        by: The operator's system user; "": nobody.
    """

    at: float
    what: str
    place: str = ""
    steps: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    status: int = 0
    duration_ms: int = 0
    attempts: int = 1
    code: str = ""
    why: str = ""
    times: int = 1
    ids: Mapping[str, str] = field(default_factory=dict)
    by: str = ""

    def as_json(self) -> dict[str, Any]:
        """It for people and programs: ISO time, and only what says something."""
        said = {one.name: getattr(self, one.name) for one in fields(self)[1:]}
        said = {name: value for name, value in said.items() if value != _BLANK[name]}
        said = {n: list(v) if isinstance(v, tuple) else v for n, v in said.items()}
        return {"at": iso(self.at), "what": self.what} | said


def iso(at: float) -> str:
    """A time (s since 1970) as UTC text with milliseconds."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


#: What a field has that says nothing, in the order of the fields after ``at``.
_BLANK: Final[dict[str, Any]] = {
    one.name: one.default_factory() if callable(one.default_factory) else one.default
    for one in fields(Happening)[1:]
}
_NAMES: Final = ("at", *_BLANK)
_AT, _WHAT, _PLACE, _STEPS = (_NAMES.index(name) for name in ("at", "what", "place", "steps"))
_WHY, _TIMES = (_NAMES.index(name) for name in ("why", "times"))

#: What is done on purpose: it has reasons too, and begins anew.
ON_PURPOSE: Final = frozenset(("retried", "dropped", "untold", "rebound"))

#: What makes one failure the same as another.
_SAME: Final = [_NAMES.index(name) for name in ("what", "place", "steps", "status", "code", "why")]


def happenings(contact: Contact) -> list[Happening]:
    """A contact's history, oldest first; rows that this release cannot read are left out."""
    return [one for one in map(_read, contact.history) if one is not None]


def note(history: Rows, happening: Happening) -> None:
    """Add what happened last, and keep the history within its bounds."""
    row = _row(happening)
    streak = _streak(history, row)
    if len(streak) > 1 and _same(history[streak[0]], row) and _same(history[streak[1]], row):
        repeated = history.pop(streak[0])
        row = _with(row, _TIMES, _of(repeated, _TIMES) + _of(row, _TIMES))
    history.append(row)
    _bound(history)


def merge(history: Rows, other: Rows) -> None:
    """Take in what another copy of the contact noted meanwhile.

    Both began with the same rows; a failure that has been counted on since replaces the same with
    fewer repetitions.
    """
    known = [row for row in history if _is_row(row)]
    for row in other:
        if row not in history and not (_is_row(row) and any(_outdates(k, row) for k in known)):
            history.append(row)
    history.sort(key=lambda row: row[0] if row and type(row[0]) is int else 0)
    _bound(history)


# --- rows ---------------------------------------------------------------------------------------


def _row(happening: Happening) -> list[Any]:
    """A happening as it is stored, its texts within their bounds."""
    told: dict[str, Any] = {name: getattr(happening, name) for name in _BLANK}
    told |= {name: _cut(told[name], most) for name, most in _MOST_TEXT.items()}
    told["steps"] = _names_within(_short(told["steps"]), _MOST_STEPS)
    told["columns"] = _names_within(told["columns"], _MOST_COLUMNS)
    ids = [*told["ids"].items()][:_MOST_IDS]
    told["ids"] = {_cut(whose, _MOST_ID): _cut(one, _MOST_ID) for whose, one in ids}
    row = [round(happening.at * 1000), *told.values()]
    while row[-1] in (_BLANK[_NAMES[len(row) - 1]], []):
        del row[-1]
    return row


def _read(row: list[Any]) -> Happening | None:
    """The happening that a row tells of; None: it is not of a form that this release knows."""
    if not _is_row(row):
        return None
    told = dict(zip(_NAMES, row, strict=False))
    told["steps"] = _whole(told.get("steps", ()))
    told["columns"] = tuple(told.get("columns", ()))
    return Happening(**told | {"at": told["at"] / 1000})


def _is_row(row: list[Any]) -> bool:
    """Whether this release knows what its fields say; those that follow are a newer one's."""
    if len(row) <= _WHAT or type(row[_AT]) is not int:
        return False
    blanks = zip(row[_WHAT:], _BLANK.items(), strict=False)
    return all(_fits(value, "" if name == "what" else blank) for value, (name, blank) in blanks)


def _fits(value: Any, blank: Any) -> bool:
    if isinstance(blank, tuple):
        return type(value) is list and {str}.issuperset(map(type, value))
    if isinstance(blank, dict):
        return type(value) is dict and {str}.issuperset(map(type, value.values()))
    return type(value) is type(blank)


def _of(row: list[Any], index: int) -> Any:
    """A field of a row, which may end before."""
    return row[index] if index < len(row) else _BLANK[_NAMES[index]]


def _with(row: list[Any], index: int, value: Any) -> list[Any]:
    """The row with another value of a field."""
    missing = [_BLANK[name] for name in _NAMES[len(row) : index + 1]]
    changed = [*row, *([] if isinstance(one, tuple) else one for one in missing)]
    changed[index] = value
    return changed


def _cut(text: str, most: int) -> str:
    """The text, shortened if it takes more bytes of JSON."""
    text = text.encode(errors="replace").decode()
    if len(orjson.dumps(text)) <= most:
        return text
    return text[: most // 6 - 1] + _CUT  # JSON may write six bytes for a character


def _short(steps: tuple[str, ...]) -> Iterator[str]:
    """Paths of steps as they are stored: without a pipeline that is that of the step before."""
    before = ""
    for step in steps:
        pipeline = step.partition("/")[0]
        yield step.removeprefix(pipeline) if pipeline == before and "/" in step else step
        before = pipeline


def _whole(stored: Iterable[str]) -> tuple[str, ...]:
    """The paths that ``_short`` stored."""
    steps: list[str] = []
    for step in stored:
        before = steps[-1].partition("/")[0] if steps and step.startswith("/") else ""
        steps.append(before + step)
    return tuple(steps)


def _names_within(names: Iterable[str], most: int) -> list[str]:
    """As many of the names, from the first on, as take no more bytes of JSON."""
    kept: list[str] = []
    room = most - len(orjson.dumps([_CUT]))
    for name in names:
        room -= len(orjson.dumps(_cut(name, most))) + 1
        if room < 0:
            return [*kept, _CUT]
        kept.append(_cut(name, most))
    return kept


# --- failures and bounds ------------------------------------------------------------------------


def _failed(row: list[Any]) -> bool:
    """Whether it did not come about."""
    return bool(_of(row, _WHY)) and row[_WHAT] not in ON_PURPOSE


def _about(row: list[Any]) -> Any:
    """What it is about: a record, or a step."""
    return _of(row, _PLACE) or list(_of(row, _STEPS))


def _same(row: list[Any], other: list[Any]) -> bool:
    return all(_plain(_of(row, index)) == _plain(_of(other, index)) for index in _SAME)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _streak(history: Rows, row: list[Any]) -> list[int]:
    """Where the failures stand that this one goes on with, newest first; none, if it is none.

    Something else about the same record or step ends a streak; what is about others does not.
    """
    found: list[int] = []
    if not _failed(row):
        return found
    for index in range(len(history) - 1, -1, -1):
        if not _is_row(history[index]) or _about(history[index]) != _about(row):
            continue
        if not _failed(history[index]):
            break
        found.append(index)
    return found


def _outdates(row: list[Any], other: list[Any]) -> bool:
    """Whether a failure is the other one, counted on."""
    return _same(row, other) and row[_AT] >= other[_AT] and _of(row, _TIMES) > _of(other, _TIMES)


def _bound(history: Rows) -> None:
    """Remove what there is no room for."""
    while len(history) > MOST or len(orjson.dumps(history)) > MOST_BYTES:
        del history[next(_dispensable(history))]


def _dispensable(history: Rows) -> Iterator[int]:
    """What goes first: of what is no failure's beginning the oldest, then of these the oldest.

    Neither the newest nor the first failure of its streak; they have room together.
    """
    last = len(history) - 1
    kept = {last, *_streak(history[:last], history[last])[-1:]}
    begins = {0, *_beginnings(history)}
    yield from (index for index in range(last) if index not in kept | begins)
    yield from (index for index in sorted(begins - {0}) if index not in kept)
    yield from (index for index in (0, last) if index not in kept)


def _beginnings(history: Rows) -> Iterator[int]:
    """Where the streaks begin that go on."""
    over: list[Any] = []
    first: dict[str, int] = {}
    for index in range(len(history) - 1, -1, -1):
        row = history[index]
        about = str(_about(row)) if _is_row(row) else ""
        if about in over:
            continue
        if _is_row(row) and _failed(row):
            first[about] = index
        else:
            over.append(about)
    yield from first.values()
