"""The probe of writes: the last acknowledged change, sent again.

When nothing but suspects is left, a failure of theirs says nothing: is it they, or is it Dynamics?
A write that should succeed tells. Nothing is overwritten by it, and no person's edit hidden: the
record is read, and only if an application user of ours was the last to change it one column is
written with the value that it has, on the condition that nobody has changed the record since
(powerapps-docs ``webapi/perform-conditional-operations-using-web-api``).
"""

from __future__ import annotations

import asyncio

from contextlib import suppress
from math import inf
from typing import Any, Final

import structlog

from pipelines.action import Change, Verb
from pipelines.entity import STATE, is_party_list
from worker.clock import Clock
from worker.dynamics.breaker import Breaker
from worker.dynamics.errors import Busy, DynamicsError, Forbidden, NotSent, Refused, Unavailable
from worker.dynamics.protocol import Dynamics, Request
from worker.dynamics.reasons import GateState
from worker.dynamics.users import Users
from worker.errors import StoreUnavailable
from worker.stores.protocol import ContactStore


_log = structlog.get_logger(__name__)

#: How many records are remembered, of the last that a change was acknowledged of.
MOST_REMEMBERED: Final = 16

#: How many records are known to have got no answer.
MOST_LOST: Final = 1_000

#: How many contacts of the state are looked at for more, and how often (s) at most.
CONTACTS_RECALLED: Final = 64
RECALL_EVERY_S: Final = 60.0

#: So many of them without an answer, one after the other, are an outage.
LOST: Final = 2

#: How long one request may take in all its tries (s).
PROBE_S: Final = 15.0

#: For how long (s) an answer stands.
GOOD_FOR_S: Final = 2.0

#: Of what may be sent again; whether the record is ours to write is asked then.
_REMEMBERED: Final = (Verb.CREATE, Verb.ADOPT, Verb.UPDATE)

#: A column that can be written when a record is made, and never after.
_CREATE_ONLY: Final = ("overriddencreatedon",)


class WriteProbe:
    """Finds out whether writes are answered.

    Args:
        dynamics: Where requests go, through the gate.
        breaker: Told of an outage.
        clock: Time.
        store: Knows of changes that were acknowledged before this process began, or to others.
        enabled: Whether it may write; if not, it never has anything to send.
        users: Who else's changes are ours; None: nobody's.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        breaker: Breaker,
        clock: Clock,
        store: ContactStore,
        *,
        enabled: bool = True,
        users: Users | None = None,
    ) -> None:
        self._dynamics = dynamics
        self._breaker = breaker
        self._clock = clock
        self._store = store
        self._recalled_at = -inf
        self._recalled_to = ""  # the contact after which it goes on
        self._enabled = enabled
        self._users = users
        self._acknowledged: dict[str, str] = {}  # record -> a column; the last one is the newest
        self._lost: set[str] = set()  # records that got no answer since one did
        self._answered_at = -inf
        self._writes: int | None = None
        self._lost_at: int | None = None
        breaker.second_opinion = lambda: self.ready and self._lost_at != breaker.witness.writes
        self._asking = asyncio.Lock()

    @property
    def ready(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._acknowledged)

    @property
    def worth_asking(self) -> bool:
        """Whether there is anything to send, or may be in the state."""
        return self.ready or self._may_recall

    @property
    def _may_recall(self) -> bool:
        due_at = self._recalled_at + RECALL_EVERY_S
        in_vain = self._acknowledged.keys() <= self._lost
        return self._enabled and in_vain and self._clock.monotonic() >= due_at

    @property
    def stands_alone(self) -> bool:
        """Whether no other write has succeeded since this one did."""
        return self._writes == self._breaker.witness.writes

    def acknowledged(self, change: Change) -> None:
        """Remember a change that Dynamics has acknowledged, or a record found as it should be."""
        columns = [c for c, value in change.columns.items() if value is not None and _is_plain(c)]
        if not self._enabled or not columns or change.verb not in _REMEMBERED:
            return
        self._remember(change.record, min(columns))

    def distrust(self, record: str) -> None:
        """Do not send anything to a record that has a problem of its own, perhaps."""
        self._acknowledged.pop(record, None)

    async def is_answered(self) -> bool:
        """Whether writes are answered now; False also if there is nothing to find it out with.

        If they are not, the gate is closed. Of many callers one asks.
        """
        async with self._asking:
            recently = self._clock.monotonic() < self._answered_at + GOOD_FOR_S
            if recently and not self._breaker.on_trial:
                return True
            await self._recall()
            lost = 0
            for record, column in reversed([*self._acknowledged.items()]):
                try:
                    answered = await self._send(record, column)
                except Busy:
                    continue  # of this record alone; or the gate is closed, as the next one finds
                except NotSent:
                    return False
                except Unavailable as error:
                    lost += 1
                    self._lose(record, column)
                    closed = self._breaker.state is GateState.CLOSED
                    if closed or lost == LOST or lost == len(self._acknowledged):
                        self._lost_at = self._breaker.witness.writes
                        self._breaker.write_lost(error)
                        return False
                    continue
                except Forbidden:
                    self.distrust(record)  # it was given to somebody else, perhaps
                    continue
                except DynamicsError:
                    return False  # the gate, or somebody who may mend a role, has to do with it
                if answered:
                    self._lost.clear()
                    self._answered_at = self._clock.monotonic()
                    self._writes = self._breaker.witness.writes
                    return True
            return False

    def _lose(self, record: str, column: str) -> None:
        """Send a record last from now on."""
        self._lost.add(record)
        if len(self._lost) > MOST_LOST:
            self._lost.clear()  # so that each is tried again some day
        self._acknowledged = {record: column} | self._acknowledged

    async def _recall(self) -> None:
        """Remember changes of the state if there is nothing else to send, as after a restart."""
        if not self._may_recall:
            return
        self._recalled_at = self._clock.monotonic()
        try:
            ids = await self._store.ids(self._recalled_to, CONTACTS_RECALLED)
            entries = await self._store.load(ids)
        except StoreUnavailable:
            return
        self._recalled_to = ids[-1] if len(ids) == CONTACTS_RECALLED else ""
        for entry in entries:
            for record, known in entry.contact.ledger.items():
                columns = [c for c, seen in known.columns.items() if _is_plain(c) and seen]
                suspect = any(key.endswith(f" {record}") for key in entry.contact.failures)
                trusted = not suspect and record not in self._lost
                if known.state == "there" and known.ours and columns and trusted:
                    self._remember(record, min(columns))

    def _remember(self, record: str, column: str) -> None:
        self._acknowledged.pop(record, None)
        self._acknowledged[record] = column
        while len(self._acknowledged) > MOST_REMEMBERED:
            del self._acknowledged[next(iter(self._acknowledged))]

    async def _send(self, record: str, column: str) -> bool:
        """Write what is there; False: it is not ours to write.

        Raises:
            DynamicsError: Nothing was said about it (no answer, 5xx, 401, 403, 429).
        """
        path = f"{record}?$select={column},_modifiedby_value"
        try:
            row = (await self._dynamics.send(Request("GET", path), timeout_s=PROBE_S)).body
        except Refused:
            row = {}  # it is gone, or has no such column
        if not await self._is_ours(row):
            self.distrust(record)
            return False
        headers, body = {"If-Match": str(row["@odata.etag"])}, {column: row[column]}
        try:
            await self._dynamics.send(Request("PATCH", record, headers, body), timeout_s=PROBE_S)
        except Refused:
            # It was answered all the same: somebody was faster, or it is closed.
            self._breaker.witness.succeeded(record, writes=True)
        _log.info("push.write_probed", table=record.partition("(")[0], column=column)
        return True

    async def _is_ours(self, row: dict[str, Any]) -> bool:
        by = str(row.get("_modifiedby_value", "")).lower()
        return "@odata.etag" in row and by in await self._ours()

    async def _ours(self) -> frozenset[str]:
        if self._users is not None:
            with suppress(StoreUnavailable):
                return await self._users.known()
        return frozenset((await self._dynamics.user_id(),))


def _is_plain(column: str) -> bool:
    """Whether it is read as it is written."""
    linked = "@" in column or is_party_list(column)
    return not linked and column not in STATE and column not in _CREATE_ONLY
