"""What an application user's roles allow, held against what the loaded pipelines do.

``RetrieveUserPrivileges`` tells what a user has, also through teams, but of those only that they
have it: their depth is always told as *Basic*. Where depth matters it is asked for by name, which
tells the greatest (powerapps-docs ``webapi/reference/retrieveuserprivileges``). What a table's
privileges are called is its metadata: all activities share ``prvCreateActivity``.
"""

from __future__ import annotations

import asyncio

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from worker.commands.finding import Finding, good, note
from worker.commands.role_needs import ACCESSES, Access, Need, Use
from worker.dynamics.errors import DynamicsError
from worker.dynamics.protocol import Dynamics, Request


#: Timeout of one request (s).
ASK_S: Final = 30.0

ALL: Final = "Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
ONE: Final = "Microsoft.Dynamics.CRM.RetrieveUserPrivilegeByPrivilegeName"

#: How deep a privilege reaches, the least first (``PrivilegeDepth``), and what role editors say.
DEPTHS: Final[Mapping[str, str]] = {
    "Basic": "User",
    "Local": "Business Unit",
    "Deep": "Parent: Child Business Units",
    "Global": "Organization",
}
_DEEPEST: Final = "Global"

#: Accesses, as metadata calls them.
_TYPES: Final[Mapping[Access, str]] = {
    "create": "Create",
    "read": "Read",
    "write": "Write",
    "append": "Append",
    "append to": "AppendTo",
    "assign": "Assign",
}

#: How many steps a finding names.
_FEW: Final = 3


class Privilege(NamedTuple):
    """A privilege of a table.

    Attributes:
        name: Such as ``prvCreateActivity``.
        id: What a user's are known by.
        deepens: Whether it can reach less far than the whole organization.
    """

    name: str
    id: str
    deepens: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One access to one table.

    Attributes:
        table: The entity set.
        access: What is done to its rows.
        privilege: What it is called.
        depth: How deep the user has it; "" if they do not.
        use: Who needs it; None: nobody.
    """

    table: str
    access: Access
    privilege: str
    depth: str
    use: Use | None

    @property
    def state(self) -> str:
        """How the matrix shows it."""
        if self.use is None:
            return "has" if self.depth else "-"
        if not self.depth:
            return "(MISSING)" if self.use.fallback else "MISSING"
        return "ok" if self.depth == _DEEPEST or not self.use.others else f"ok, {self.depth}"

    def to_json(self) -> dict[str, Any]:
        """Its parts, all of them."""
        return {
            "table": self.table,
            "access": self.access,
            "privilege": self.privilege,
            "needed": self.use is not None,
            "depth": self.depth,
            "steps": self.use.steps if self.use else [],
        }


@dataclass(frozen=True, slots=True)
class Matrix:
    """What one application user may do to the tables that pipelines use.

    Attributes:
        user: The client id.
        cells: Table by table.
        findings: What is missing, and what to do.
    """

    user: str
    cells: list[Cell] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The matrix as lines of text; nothing without cells."""
        if not self.cells:
            return
        yield f"application user {self.user} (has: not needed)"
        rows = [["table", *ACCESSES]]
        for table in dict.fromkeys(cell.table for cell in self.cells):
            states = {one.access: one.state for one in self.cells if one.table == table}
            rows.append([table, *(states.get(access, "") for access in ACCESSES)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield "  ".join(padded).rstrip()

    def to_json(self) -> dict[str, Any]:
        """The user and what they have and need."""
        return {"application_user": self.user, "cells": [cell.to_json() for cell in self.cells]}


async def privileges_of(
    dynamics: Dynamics, tables: Iterable[tuple[str, str]]
) -> dict[Need, Privilege]:
    """The privileges of tables, which are given by entity set and logical name.

    Raises:
        DynamicsError: Dynamics refuses that, or does not answer.
    """

    async def read(entity_set: str, logical: str) -> dict[Need, Privilege]:
        path = f"EntityDefinitions(LogicalName='{logical}')?$select=LogicalName,Privileges"
        answer = (await dynamics.send(Request("GET", path), timeout_s=ASK_S)).body
        rows = {str(one.get("PrivilegeType")): one for one in answer.get("Privileges") or ()}
        return {
            Need(entity_set, access): Privilege(
                str(one.get("Name")),
                str(one.get("PrivilegeId")).lower(),
                bool(one.get("CanBeBasic") or one.get("CanBeLocal") or one.get("CanBeDeep")),
            )
            for access, kind in _TYPES.items()
            if (one := rows.get(kind))
        }

    found = await asyncio.gather(*(read(*table) for table in tables))
    return {need: privilege for told in found for need, privilege in told.items()}


async def held_by(dynamics: Dynamics, user: str) -> dict[str, str]:
    """The depth of each privilege that a user has, by its id.

    Raises:
        DynamicsError: Dynamics refuses that, or does not answer.
    """
    answer = await dynamics.send(Request("GET", f"systemusers({user})/{ALL}"), timeout_s=ASK_S)
    return _depths(answer.body)


async def compare(
    dynamics: Dynamics,
    user: str,
    client_id: str,
    needed: Mapping[Need, Use],
    known: Mapping[Need, Privilege],
) -> Matrix:
    """Hold what a user may do against what pipelines need.

    Args:
        dynamics: Asked as this user.
        user: Their systemuserid.
        client_id: What they are called in settings.
        needed: See ``role_needs.needs``.
        known: The privileges there are, of the tables in ``needed``.

    Raises:
        DynamicsError: Dynamics refuses that, or does not answer.
    """
    held = await held_by(dynamics, user)
    shallow = {
        known[need]
        for need, use in needed.items()
        if use.others
        and need in known
        and known[need].deepens
        and held.get(known[need].id, _DEEPEST) != _DEEPEST
    }
    deeper = await asyncio.gather(*(_depth(dynamics, user, one) for one in sorted(shallow)))
    held |= {one.id: depth for one, depth in zip(sorted(shallow), deeper, strict=True) if depth}
    cells = [
        Cell(need.table, need.access, one.name, held.get(one.id, ""), needed.get(need))
        for need, one in known.items()
    ]
    return Matrix(client_id, cells, [*_findings(client_id, cells, known)])


async def _depth(dynamics: Dynamics, user: str, privilege: Privilege) -> str:
    path = f"systemusers({user})/{ONE}(PrivilegeName='{privilege.name}')"
    try:
        answer = await dynamics.send(Request("GET", path), timeout_s=ASK_S)
    except DynamicsError:
        return ""  # what all of them were told with stays
    return _depths(answer.body).get(privilege.id, "")


def _depths(body: Mapping[str, Any]) -> dict[str, str]:
    order, found = list(DEPTHS), dict[str, str]()
    for one in body.get("RolePrivileges") or ():
        key, depth = str(one.get("PrivilegeId")).lower(), str(one.get("Depth"))
        if depth in order and order.index(depth) >= order.index(found.get(key, order[0])):
            found[key] = depth
    return found


def _findings(
    client_id: str, cells: Iterable[Cell], known: Mapping[Need, Privilege]
) -> Iterator[Finding]:
    used = [cell for cell in cells if cell.use is not None]
    wrong = False
    for name in dict.fromkeys(cell.privilege for cell in used):
        same = [cell for cell in used if cell.privilege == name]
        if lacking := [cell for cell in same if not cell.depth]:
            found = _lacking(client_id, name, lacking)
            wrong |= found.wrong
            yield found
        elif shallow := [c for c in same if c.state != "ok" and known[Need(*_key(c))].deepens]:
            depth = shallow[0].depth
            yield note(
                f"application user {client_id} has {name} at depth {depth} ({DEPTHS[depth]}) only: "
                f"of {_tables(shallow)} it reaches no rows that others own; give its role "
                f"{DEPTHS[_DEEPEST]} ({_steps(shallow)})"
            )
    if used and not wrong:
        yield good(f"application user {client_id} has every privilege that the pipelines need")


def _key(cell: Cell) -> tuple[str, Access]:
    return cell.table, cell.access


def _lacking(client_id: str, name: str, cells: list[Cell]) -> Finding:
    access = cells[0].access
    if all(cell.use is not None and cell.use.fallback for cell in cells):
        return note(
            f"application user {client_id} lacks {name}: what a closed record does not accept "
            f"cannot be kept as a note on it; give its role {access} ({_steps(cells)})"
        )
    return Finding(
        f"application user {client_id} lacks {name}, to {access} {_tables(cells)}: give its role "
        f"that access at {DEPTHS[_DEEPEST]} level ({_steps(cells)})"
    )


def _tables(cells: Iterable[Cell]) -> str:
    return ", ".join(dict.fromkeys(cell.table for cell in cells))


def _steps(cells: Iterable[Cell]) -> str:
    steps = list(dict.fromkeys(s for cell in cells if cell.use for s in cell.use.steps))
    more = f" and {len(steps) - _FEW} more" if len(steps) > _FEW else ""
    return ", ".join(steps[:_FEW]) + more
