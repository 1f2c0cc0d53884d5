"""Deep insert: a row and the rows it is related to, in one create.

An object for a single-valued navigation property is created first, the objects of a collection
afterwards; ``<collection>@odata.bind`` names rows that are there
[DOC webapi/create-entity-web-api].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.bodies import BIND
from worker.sandbox.dataverse.rows.navigation import Item, Kind, Navigation, navigation


if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.sandbox.dataverse.associations import Associations
    from worker.sandbox.dataverse.rows.records import Row
    from worker.sandbox.dataverse.schema.columns import Table


def create(
    associations: Associations,
    table: Table,
    body: Mapping[str, Any],
    user: str,
    *,
    detect: bool = False,
) -> Row:
    """Make a row, and what is nested in its body. Only inside a transaction.

    Raises:
        Refusal: As ``RowWriter.create``, of any of the rows.
    """
    own = dict(body)
    later: list[tuple[Navigation, Any]] = []
    for name, value in body.items():
        nav = navigation(table, name.removesuffix(BIND))
        if nav is None or nav.kind is Kind.PARTIES:
            continue
        if nav.single and isinstance(value, dict) and name == nav.name:
            if len(nav.targets) != 1:
                raise refusals.wrong_type(table.entity_set, "mscrm.principal")
            row = create(associations, nav.target, value, user)
            del own[name]
            own[name + BIND] = f"/{nav.target.entity_set}({row.id})"
        elif not nav.single:
            if not isinstance(value, list):
                raise refusals.wrong_type(table.entity_set, f"Collection({nav.target.type})")
            later.append((nav, own.pop(name)))
    record = associations.writer.create(table, own, user, detect=detect)
    for nav, values in later:
        for value in values:
            _add(associations, (table, record), nav, value, user)
    return record


def create_member(
    associations: Associations, item: Item, nav: Navigation, body: Mapping[str, Any], user: str
) -> Row:
    """Make a row in a collection of another row. Only inside a transaction.

    Raises:
        Refusal: As ``create``.
    """
    if nav.join or nav.column is None:
        row = create(associations, nav.target, body, user)
        associations.relate(item, nav, (nav.target, row), user)
        return row
    table, record = item
    bind = f"{nav.column.nav(table.logical)}{BIND}"
    bound = {**body, bind: f"/{table.entity_set}({record.id})"}
    return create(associations, nav.target, bound, user)


def _add(associations: Associations, item: Item, nav: Navigation, value: Any, user: str) -> None:
    table, record = item
    if isinstance(value, dict):
        create_member(associations, item, nav, value, user)
    elif isinstance(value, str):
        associations.add(table, record, nav, value, user)
    else:
        raise refusals.wrong_type(table.entity_set, nav.target.type)
