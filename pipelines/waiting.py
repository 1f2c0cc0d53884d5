"""Waiting: whether somebody waits for what is done for a contact, and for which part of it.

An agent looks at the screen while a contact's live window is open (``pipelines.live``). What the
page needs then goes before everything else: lookups, the records that it shows, and the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pipelines.action import Action, Change, LiveAction, Reading, Verb
from pipelines.contact import Contact
from pipelines.effect import is_final
from pipelines.legs import chain_of
from pipelines.lifecycle import milestones_of, signals
from pipelines.live import LIVE_WITHIN_S, WRITTEN_BACK_ON
from pipelines.pipeline import Pipeline
from pipelines.snapshot import epoch
from pipelines.step import OpenStep
from pipelines.view import values_of_kin


#: What makes a record that a page may show; ADOPT looks first whether it is there.
MAKING: Final = frozenset((Verb.CREATE, Verb.ADOPT))


def waiting_since(contact: Contact, pipelines: Iterable[Pipeline], now: float) -> float | None:
    """Since when (s since 1970) somebody waits for what is done live; None: nobody does.

    Whoever waits does so for ``LIVE_WITHIN_S``, until the contact ends, or until all is done.

    Args:
        contact: The contact.
        pipelines: What is done live.
        now: The time (s since 1970).
    """
    if contact.record is not None:
        return None  # it is written when the contact is over
    done_on = _live_on(contact, pipelines)
    reached = milestones_of(signals(contact), ()) if done_on else {}
    if "ended" in reached:
        return None
    moments = [reached[on] for on in done_on if on in reached]
    if moments and (others := values_of_kin(contact)):
        # The agent has the contact back from a later leg.
        moments.append(chain_of(contact.id, reached.get("created", ""), others).ended)
    since = epoch(max(moments, default=""))
    return since if since is not None and now - since <= LIVE_WITHIN_S else None


def _live_on(contact: Contact, pipelines: Iterable[Pipeline]) -> set[str]:
    """The milestones at which something is done live that is not done yet."""
    found: set[str] = set()
    for pipeline in pipelines:
        opening = (step for step in pipeline.steps if isinstance(step, OpenStep))
        found |= {step.on for step in opening if not is_final(contact.effects.get(step.path))}
        table = pipeline.writeback
        if (
            table is not None
            and not contact.replayed
            and not is_final(contact.effects.get(table.path))
        ):
            found.update(WRITTEN_BACK_ON)
    return found


def is_waited_for(actions: Sequence[Action]) -> bool:
    """Whether whoever waits for a page waits for the first of these actions, which come in turn."""
    first = actions[0]
    making = isinstance(first, Change) and first.verb in MAKING
    return making or isinstance(first, Reading) or any(isinstance(a, LiveAction) for a in actions)


def page_first(actions: Sequence[Action]) -> list[Action]:
    """The same actions: what is live right after the last record is made, then other changes."""
    live = [action for action in actions if isinstance(action, LiveAction)]
    rest = [action for action in actions if not isinstance(action, LiveAction)]
    made = [n for n, a in enumerate(rest, 1) if isinstance(a, Change) and a.verb in MAKING]
    last = max(made, default=0)
    return [*rest[:last], *live, *rest[last:]]
