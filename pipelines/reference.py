"""References: whether a name that a pipeline uses can have a value, or what is wrong with it."""

from __future__ import annotations

import difflib

from collections.abc import Iterable, Mapping

from pipelines.legs import RELATIVES, SHOWN
from pipelines.lens import FIELDS
from pipelines.names import MEMBERS, RENAMED, SCALARS
from pipelines.step import RESPONSE, CreateStep, OpenStep, ReadFileStep, Step, UpdateStep
from pipelines.view import NAMES


_FOLDED = {name.lower(): name for name in NAMES}

#: What other structures call the value that they stand for: ``Agent.Name`` is a slip too.
_SCALAR_MEMBERS = {member.lower() for member in SCALARS.values()}

_NO_STEP = "there is no step before this one"

#: Names of fewer characters that differ in two are two names.
_SHORT = 6


def wrong(path: tuple[str, ...], earlier: Mapping[str, Step], steps: Iterable[Step] = ()) -> str:
    """Why no contact has this name, or "" if it may: names of the future are accepted.

    Args:
        path: The name, part by part.
        earlier: The steps before, by their names in lower case.
        steps: All steps of the pipeline: other contacts have the records of each of them.
    """
    first = path[0]
    if first.lower().endswith(RESPONSE.lower()):
        answer = first[: -len(RESPONSE)]
        text = _wrong_answer(path, earlier.get(answer.lower()))
        return text + _hint(answer, earlier, steps) if text.startswith(_NO_STEP) else text
    name = _FOLDED.get(first.lower())
    if name is None:
        near = _near(first, [*_FOLDED.values(), *RENAMED])
        near = RENAMED.get(near, near)
        return f"there is no name {first!r}; did you mean {near}?" if near else ""
    if name in RELATIVES and len(path) > 1:
        return _wrong_relative(name, path, steps)
    members = MEMBERS.get(name)
    if members and len(path) > 1 and path[1].lower() not in {m.lower() for m in members}:
        slip = _near(path[1], members) or path[1].lower() in _SCALAR_MEMBERS
        return f"{name} has no {path[1]!r}; it has {', '.join(sorted(members))}" if slip else ""
    return ""


def is_new(path: tuple[str, ...]) -> bool:
    """Whether this release does not know a name: Amazon may have added it since."""
    first = path[0].lower()
    if first.endswith(RESPONSE.lower()):
        return False
    members = MEMBERS.get(_FOLDED.get(first, ""))
    unknown = members and len(path) > 1 and path[1].lower() not in {m.lower() for m in members}
    return first not in _FOLDED or bool(unknown)


def _wrong_answer(path: tuple[str, ...], step: Step | None) -> str:
    if isinstance(step, ReadFileStep):
        known = len(path) == 2 and path[1].lower() in FIELDS  # noqa: PLR2004 - step and field
        return "" if known else f"{path[0]} has {', '.join(FIELDS)}"
    if step is None or isinstance(step, OpenStep):
        return f"{_NO_STEP} whose answer is {path[0]}"
    if len(path) != 2:  # noqa: PLR2004 - step and field
        return f"{path[0]} needs one field: {path[0]}.{step.table.key}"
    if isinstance(step, UpdateStep) and path[1].lower() != step.table.key:
        text = f"{path[0]} is the answer of a PATCH, which is its key only: {step.table.key}"
        return text if step.table.known else f'{text}; or say that it is another: key = "…"'
    return ""


def _hint(name: str, earlier: Mapping[str, Step], steps: Iterable[Step]) -> str:
    """What to know of an answer that no step before gives."""
    if name.lower() in earlier:
        return "; a step that opens a page has none"
    if name.lower() in {step.name.lower() for step in steps}:
        return "; that step comes later"
    near = _near(name, [step.name for step in earlier.values()])
    return f"; did you mean {near}{RESPONSE}?" if near else ""


def _near(name: str, known: Iterable[str]) -> str:
    """The known name that this one is a slip of, or "": one character or two may differ."""
    folded = {one.lower(): one for one in known}
    for near in difflib.get_close_matches(name.lower(), folded, 3):
        if _slips(name.lower(), near) <= (1 if len(name) < _SHORT else 2):
            return folded[near]
    return ""


def _wrong_relative(name: str, path: tuple[str, ...], steps: Iterable[Step]) -> str:
    """The same of what is known of another contact: members, and the keys of its records."""
    member, *rest = (part.lower() for part in path[1:])
    if not member.endswith(RESPONSE.lower()):
        known = sorted(("ContactId", *SHOWN))
        if member in {one.lower() for one in known}:
            return ""
        return f"{name} has no {path[1]!r}; it has {', '.join(known)} and the steps' answers"
    made = {
        (one.name + RESPONSE).lower(): one.table.key for one in steps if isinstance(one, CreateStep)
    }
    if member not in made:
        return f"there is no step that creates a record whose answer is {path[1]}"
    if rest != [made[member]]:
        return f"of {name}.{path[1]} the key alone is known: {name}.{path[1]}.{made[member]}"
    return ""


def _slips(one: str, other: str) -> int:
    """How many characters differ: exchanged neighbours are two."""
    codes = difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for word, a, b, c, d in codes if word != "equal")
