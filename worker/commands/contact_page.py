"""One contact for an operator in a hurry: what is wrong, each step, what happened when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from worker.commands.output import Column, fold, table
from worker.terminal import shown


#: What a step, a page or a write-back came to that somebody should look at.
TROUBLE: Final = ("failing", "refused", "expired")

#: Steps that are not for this contact: they are counted.
APART: Final = ("skipped", "nothing")

#: Why a page that came too late is nothing to look at.
_REPLAYED: Final = "it was replayed"

#: So many names are told; of more, how many.
FEW: Final = 4

STEPS = (Column("step"), Column("state"), Column("why", wide=True))

MOMENTS = (Column("at"), Column("what"), Column("about", wide=True))

#: What a moment says beside when and what, in this order; the rest is in the JSON.
_ABOUT: Final = ("fact", "steps", "place", "columns", "status", "code", "why")

#: Registers of stored files, whose names are long.
_FILES: Final = ("object/", "file/")


def page(told: Mapping[str, Any], wide: int | None) -> Iterator[str]:
    """A contact in lines, no wider than the terminal.

    Args:
        told: See ``worker.operations.contact.described``.
        wide: The terminal's columns; None: there is none.
    """
    yield from _folded(_title(told), wide)
    yield from _wrong(told, wide)
    if told.get("no_conversation"):
        yield from _folded(f"nothing is written for it: {told['no_conversation']}", wide)
    for name, pipeline in told.get("pipelines", {}).items():
        yield ""
        yield from _pipeline(name, pipeline, wide)
    yield from _records(told.get("records", {}), wide)
    if moments := told.get("timeline"):
        yield ""
        rows = [{"at": _second(m["at"]), "what": m["what"], "about": _about(m)} for m in moments]
        yield from table(rows, MOMENTS, wide)


def _title(told: Mapping[str, Any]) -> str:
    milestones = told.get("milestones", {})
    dated = (f"{name} {_second(milestones.get(name))}" for name in ("created", "ended"))
    known = [told.get("phase", ""), *(one for one in dated if not one.endswith(" "))]
    return f"contact {told['contact']}: {', '.join(filter(None, known))}".rstrip(": ")


def _second(at: str | None) -> str:
    """A UTC time without its milliseconds."""
    return f"{at[:19]}Z" if at else ""


# --- what is wrong --------------------------------------------------------------------------------


def wrong(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What somebody should look at: what is the matter, and what to do about it."""
    if reason := told.get("unreadable"):
        yield f"it cannot be read: {reason}", "another release may read it"
    if fault := told.get("fault"):
        then = "another release tries it" if fault.parked else "it is tried again by itself"
        yield f"{fault.what}, {fault.tries} times in a row", then
    for place, parked in told.get("parked", {}).items():
        answered = " ".join(str(part) for part in (parked["status"], parked["code"]) if part)
        retry = f"correct the cause, then connect-dynamics parked retry {told['contact']}"
        yield f"parked: {place} {answered}: {parked['answer']}", retry
    for name, pipeline in told.get("pipelines", {}).items():
        for step, one in pipeline["steps"].items():
            if one["state"] in TROUBLE and not one["why"].startswith(_REPLAYED):
                yield f"{name}/{step} {one['state']}: {one['why']}", one["next"]


def _wrong(told: Mapping[str, Any], wide: int | None) -> Iterator[str]:
    matters = list(wrong(told))
    if not matters:
        owed = len(told.get("owed", ()))
        yield "nothing is wrong" + (f"; {owed} still to be sent" if owed else "")
    for matter, then in matters:
        yield from _folded(f"WRONG {matter}", wide)
        yield from _folded(f"next: {then}" if then else "", wide, "      ")


# --- steps and records ----------------------------------------------------------------------------


def _pipeline(name: str, pipeline: Mapping[str, Any], wide: int | None) -> Iterator[str]:
    if not pipeline["takes"]:
        refuses = "does not take it" if pipeline["takes"] is False else "does not know yet"
        yield from _folded(f"{name} {refuses}: {pipeline['why']}", wide)
        return
    steps = pipeline["steps"]
    apart = _apart(steps)
    rows = [
        {"step": f"{name}/{step}", "state": one["state"], "why": _why(one)}
        for step, one in steps.items()
        if step not in apart
    ]
    if rows:
        yield from table(rows, STEPS, wide)
    if apart:
        some = f"{name}: {len(apart)} steps are not for this contact"
        yield from _folded(f"{some}; why, says --output json", wide)


def _apart(steps: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Steps that are not for this contact, and those that wait for nothing but such steps."""
    apart = {step for step, one in steps.items() if one["state"] in APART}
    while more := {
        step
        for step, one in steps.items()
        if step not in apart and one["state"] == "waiting" and one["why"][4:] in apart
    }:
        apart |= more
    return apart


def _why(step: Mapping[str, str]) -> str:
    why, then = step["why"], step["next"]
    return then if why in then else "; ".join(filter(None, (why, then)))


def _records(records: Mapping[str, Any], wide: int | None) -> Iterator[str]:
    if records:
        yield ""
    for name, record in records.items():
        unsure = f", unsure of {', '.join(record['unsure'])}" if record["unsure"] else ""
        has = f"{len(record['acknowledged'])} columns acknowledged{unsure}"
        yield from _folded(f"{name}: {record['state']}, {has}", wide)


# --- what happened --------------------------------------------------------------------------------


def _about(moment: Mapping[str, Any]) -> str:
    said = [_words(name, moment[name]) for name in _ABOUT if moment.get(name)]
    if moment.get("times", 1) > 1:
        said.append(f"{moment['times']} times")
    if moment.get("by"):
        said.append(f"by {moment['by']}")
    said += [f"{whose} {one}" for whose, one in moment.get("ids", {}).items()]
    return "; ".join(said)


def _words(name: str, value: Any) -> str:
    """What a moment says, in short."""
    if isinstance(value, list | tuple):
        return ", ".join(value) if len(value) <= FEW else f"{len(value)} {name}"
    text = str(value)
    if name == "fact" and text.startswith(_FILES):
        return f"{text.partition('/')[0]} {text.rpartition('/')[2]}"
    return text


def _folded(text: str, wide: int | None, indent: str = "") -> Iterator[str]:
    if text := shown(text):
        lines = [text] if wide is None else fold(text, wide - len(indent))
        yield from (indent + line for line in lines)
