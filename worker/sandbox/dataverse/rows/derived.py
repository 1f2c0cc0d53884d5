"""What a write makes of a row's columns beyond what the request set."""

from __future__ import annotations

import base64
import binascii
import re

from typing import TYPE_CHECKING, Any, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.schema.desktop import DESKTOP


if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sandbox.dataverse.schema.columns import Table


#: A prefix of three to eight letters and digits, an underscore, a name
#: (https://learn.microsoft.com/dynamics365/customer-service/administer/application-tab-templates).
_UNIQUE_NAME: Final = re.compile(r"[A-Za-z0-9]{3,8}_\w+")


def _full_name(_: Table, columns: dict[str, Any], __: dict[str, str]) -> None:
    names = [columns.get("firstname"), columns.get("lastname")]
    columns["fullname"] = " ".join(name for name in names if name) or None


def _contact(table: Table, columns: dict[str, Any], targets: dict[str, str]) -> None:
    _full_name(table, columns, targets)
    parent = columns.get("_parentcustomerid_value")
    at_account = targets.get("_parentcustomerid_value") == "account"
    columns["_accountid_value"] = parent if at_account else None
    targets["_accountid_value"] = "account"


def _annotation(table: Table, columns: dict[str, Any], _: dict[str, str]) -> None:
    document = columns.get("documentbody")
    columns["isdocument"] = bool(document)
    if not document:
        columns["filesize"] = None
        return
    try:
        columns["filesize"] = len(base64.b64decode(document, validate=True))
    except binascii.Error:
        raise refusals.wrong_type(table.entity_set, "Edm.Binary") from None


def _queue_item(_: Table, columns: dict[str, Any], __: dict[str, str]) -> None:
    columns.setdefault("enteredon", columns["createdon"])


def _unique_name(table: Table, columns: dict[str, Any], _: dict[str, str]) -> None:
    name = columns.get("msdyn_uniquename")
    if name is not None and not _UNIQUE_NAME.fullmatch(name):
        raise refusals.bad_unique_name(table)


#: Columns that follow from others, and columns that only together can be judged.
DERIVED: Final[dict[str, Callable[[Table, dict[str, Any], dict[str, str]], None]]] = {
    "annotation": _annotation,
    "contact": _contact,
    "lead": _full_name,
    "queueitem": _queue_item,
    "systemuser": _full_name,
    **{table.logical: _unique_name for table in DESKTOP if not table.joins},
}
