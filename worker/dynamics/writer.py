"""Carries out one write and tells the ledger what came of it.

This is the one place where Dynamics' answers get their meaning: what a 412 says about a create,
a 404 about an update, a refusal about a closed record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines import ledger
from pipelines.contact import Contact, Parked
from pipelines.lens import said_in
from pipelines.lookup import status
from pipelines.write import Kind, Write
from worker.dynamics.errors import Closed, DynamicsError, Exists, Missing, Refused
from worker.dynamics.lookup import Remembered, look_up
from worker.dynamics.protocol import Dynamics, Request
from worker.dynamics.requests import request_for
from worker.files import Files, MemoryFiles
from worker.settings import CreateBy


#: Codes of a 404 that means the entity set, not the record, of today's and of older organisations.
NO_SUCH_SET = frozenset(("0x80060888", "0x8006088a"))

#: Kinds that a closed record can refuse.
UPDATING = (Kind.UPDATE, Kind.PARTIES, Kind.REOPEN)


@dataclass(frozen=True, slots=True)
class Writer:
    """Carries out writes as one application user.

    Attributes:
        dynamics: Where requests go.
        clock: Wall clock (s), for the time of parking.
        create_by: How records are made, see ``worker.dynamics.requests``.
        overwrite: Existing records are brought up to date whoever made or changed them.
        files: Where stored files are read.
        remembered: Answers to lookups of a few seconds ago.
    """

    dynamics: Dynamics
    clock: Callable[[], float]
    create_by: CreateBy = "post"
    overwrite: bool = False
    files: Files = field(default_factory=MemoryFiles)
    remembered: Remembered = field(default_factory=Remembered)

    async def perform(self, contact: Contact, write: Write, *, timeout_s: float) -> bool:
        """Send the write; whether what was planned after it still holds.

        Raises:
            DynamicsError: Nothing definitive came of it (unavailable, unauthorized, forbidden);
                the ledger is as before.
        """
        if write.file is not None:
            said = said_in(await self.files.read(*write.file))
            ledger.acknowledge(contact, write, {n: said[n] for n in write.returning if n in said})
            return True
        request = request_for(write, self.create_by)
        try:
            if write.search is not None:
                found = await look_up(
                    self.dynamics, write.search, self.remembered, timeout_s=timeout_s
                )
                ledger.acknowledge(contact, write, found)
                return True
            answer = await self.dynamics.send(request, timeout_s=timeout_s)
        except Refused as refusal:
            return self._refused(contact, write, request, refusal)
        if write.kind is Kind.ADOPT:
            user = await self.dynamics.user_id()
            ledger.adopt(contact, write, answer.body, user, overwrite=self.overwrite)
            return False
        found = found_by(write, answer.body) if write.kind is Kind.LOOKUP else answer.body
        ledger.acknowledge(contact, write, found)
        return True

    def _refused(self, contact: Contact, write: Write, request: Request, refusal: Refused) -> bool:
        # A note's id says its content, so it is this very note; or somebody closed the record.
        if (type(refusal), write.kind) in ((Exists, Kind.NOTE), (Closed, Kind.CLOSE)):
            ledger.acknowledge(contact, write, {})
            return True
        if isinstance(refusal, Exists) and write.kind is Kind.CREATE:
            ledger.taken(contact, write)
            return False
        if isinstance(refusal, Closed) and write.kind in UPDATING:
            ledger.closed(contact, write)
            return False
        if isinstance(refusal, Missing) and self._missing(contact, write, refusal):
            return False
        if write.kind is Kind.REOPEN and not isinstance(refusal, Missing):
            ledger.closed(contact, write)
            return False
        park(contact, write, request, refusal, self.clock())
        return False

    @staticmethod
    def _missing(contact: Contact, write: Write, refusal: Missing) -> bool:
        """The record is not there; False if that is for an operator."""
        if refusal.code.lower() in NO_SUCH_SET or write.kind in (Kind.CREATE, Kind.NOTE):
            return False
        if write.kind is Kind.LOOKUP:
            ledger.acknowledge(contact, write, status("NoMatch"))
            return True
        return ledger.missing(contact, write)


def park(
    contact: Contact, write: Write, request: Request, refusal: DynamicsError, now: float
) -> None:
    """Set a write aside for an operator, with what was sent and answered."""
    contact.parked[write.place] = Parked(
        steps=list(write.steps),
        at=now,
        status=refusal.status,
        code=refusal.code,
        request={"method": request.method, "path": request.path, "body": request.body},
        answer=refusal.detail,
    )


def found_by(write: Write, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a lookup's answer tells later steps: its status, and the columns of a single match."""
    rows = body.get("value") if isinstance(body.get("value"), list) else [body]
    assert isinstance(rows, list)  # noqa: S101 - both arms of the line above are lists
    if not rows:
        return status("NoMatch")
    if len(rows) > 1:
        return status("MultiMatch")
    fields = {name: rows[0][name] for name in write.returning if rows[0].get(name) is not None}
    return fields | status("SingleMatch")
