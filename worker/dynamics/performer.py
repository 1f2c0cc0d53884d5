"""Carries out actions in Dynamics, and reads the files that Connect stored.

What comes of one is an outcome; what that means for the ledger is ``pipelines.settle``'s.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pipelines.action import Action, Change, Lookup, ReadFile, Reading, Verb
from pipelines.lens import said_in
from pipelines.lookup import status
from pipelines.outcome import Done, Found, Outcome, Refusal
from pipelines.row import actors
from worker.clock import Clock
from worker.dynamics.classify import QUERY_THROTTLED
from worker.dynamics.errors import DynamicsError, Exists, Missing, Refused
from worker.dynamics.impersonation import Refusals, send_as
from worker.dynamics.lookup import Lookups, look_up, make_lookups, note_throttled
from worker.dynamics.metadata import UNKNOWN_NAME, KnownTables, Tables, table_for
from worker.dynamics.ownership import send_owned
from worker.dynamics.protocol import Dynamics, Request
from worker.dynamics.refusal import refusal
from worker.dynamics.requests import made_by, request_for
from worker.dynamics.users import Users
from worker.files import Files
from worker.settings import CreateBy


#: Code and beginning of a 412 about another record than the one under our primary key: it has the
#: value of an alternate key. Codes may be left out; some organizations give this one for primary
#: keys too.
KEY_VIOLATED = ("0x80060892", "Entity Key ")


@dataclass(frozen=True, slots=True)
class Performer:
    """Carries out actions as one application user.

    Attributes:
        dynamics: Where requests go.
        clock: Its wall clock says when an action was refused.
        files: Where stored files are read.
        create_by: How records are made, see ``worker.dynamics.requests``.
        overwrite: Existing records are brought up to date whoever made or changed them.
        users: Remembers as whom was ever written; None: only we of today are known.
        refusals: Users in whose name nothing can be written at the moment.
        lookups: What lookups share.
        tables: Tells what the tables are that this program does not know.
    """

    dynamics: Dynamics
    clock: Clock
    files: Files
    create_by: CreateBy = "post"
    overwrite: bool = False
    users: Users | None = None
    refusals: Refusals = field(default_factory=Refusals)
    lookups: Lookups = field(default_factory=make_lookups)
    tables: Tables = field(default_factory=KnownTables)

    async def perform(self, action: Action, *, timeout_s: float) -> Outcome:
        """Carry the action out, and say what came of it.

        Raises:
            DynamicsError: Nothing definitive did (unavailable, unauthorized, forbidden).
        """
        return await _PERFORM[type(action)](self, action, timeout_s)

    def refusal(self, action: Reading | Change, error: DynamicsError) -> Refusal:
        """A definitive error, or a 403, as the outcome of the action that ended in it."""
        return refusal(action, request_for(action, self.create_by), error, self.clock.wall())


async def _look_up(performer: Performer, lookup: Lookup, timeout_s: float) -> Outcome:
    if not lookup.question.strip():
        return Done(status("NoMatch"))  # there is nothing to look for
    try:
        if lookup.search is not None:
            found = await look_up(
                performer.dynamics,
                lookup.search,
                performer.lookups,
                performer.tables,
                timeout_s=timeout_s,
            )
            return Done(found)
        request = request_for(lookup)
        answer = await performer.dynamics.send(request, timeout_s=timeout_s)
    except Refused as error:
        if error.code in QUERY_THROTTLED:  # of other tries some succeed, but nobody waits for them
            note_throttled(lookup.url.partition("?")[0].partition("(")[0], error)
            return Done(status("NoMatch"))
        return performer.refusal(lookup, error)
    return Done(found_by(lookup, answer.body))


async def _read_file(performer: Performer, action: ReadFile, _: float) -> Outcome:
    said = said_in(await performer.files.read(action.bucket, action.key))
    return Done({name: said[name] for name in action.returning if name in said})


async def _change(performer: Performer, change: Change, timeout_s: float) -> Outcome:
    table = await table_for(change, performer.tables)
    request = request_for(change, performer.create_by, table)
    try:
        send = partial(send_owned, performer.dynamics, timeout_s=timeout_s)
        answer = await send_as(request, change.caller, performer.refusals, send)
    except Exists as error:
        if not _may_be_anothers(error) or await _is_there(performer, request, timeout_s):
            return performer.refusal(change, error)
        taken = Refused(str(error), status=error.status, code=error.code, detail=error.detail)
        return performer.refusal(change, taken)
    except Refused as error:
        if error.code in UNKNOWN_NAME:
            now = await table_for(change, performer.tables, anew=True)
            if (now.key, now.logical) != (table.key, table.logical):
                return await _change(performer, change, timeout_s)
        return refusal(change, request, error, performer.clock.wall())
    if change.verb is Verb.ADOPT:
        return Found(answer.body, await _users(performer, answer.body), performer.overwrite)
    if performer.users is not None:
        await performer.users.acknowledged()
    return Done(answer.body)


def _may_be_anothers(error: Exists) -> bool:
    code, text = KEY_VIOLATED
    return error.code == code or error.detail.startswith(text)


async def _is_there(performer: Performer, create: Request, timeout_s: float) -> bool:
    """Whether the record of a create exists: it may be another that the create collided with."""
    try:
        await performer.dynamics.send(Request("GET", made_by(create)), timeout_s=timeout_s)
    except Missing:
        return False
    return True


async def _users(performer: Performer, row: Mapping[str, Any]) -> frozenset[str]:
    """Who we are and have been; whoever made or changed this record may be new among us."""
    if performer.users is None:
        return frozenset((await performer.dynamics.user_id(),))
    known = await performer.users.known()
    if actors(row) <= known:
        return known
    return await performer.users.known(anew=True)


_PERFORM: Mapping[type[Action], Callable[[Performer, Any, float], Awaitable[Outcome]]] = {
    Lookup: _look_up,
    ReadFile: _read_file,
    Change: _change,
}


def found_by(lookup: Lookup, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a lookup's answer tells later steps: its status, and the columns of a single match."""
    rows = body.get("value") if isinstance(body.get("value"), list) else [body]
    assert isinstance(rows, list)  # noqa: S101 - both arms of the line above are lists
    if not rows:
        return status("NoMatch")
    if len(rows) > 1:
        return status("MultiMatch")
    fields = {name: rows[0][name] for name in lookup.returning if rows[0].get(name) is not None}
    return fields | status("SingleMatch")
