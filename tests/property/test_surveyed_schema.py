"""A schema is the same after an organisation that has it was asked for its metadata."""

from __future__ import annotations

import asyncio

from typing import Any

import pytest

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.dataverse.schema.description import describe
from worker.sandbox.dataverse.schema.document import read_schema
from worker.sandbox.dataverse.schema.tables import SHIPPED
from worker.sandbox.inprocess import InProcessDynamics
from worker.sandbox.survey import survey


LABELS = st.dictionaries(
    st.integers(0, 2**31 - 1).map(str), st.text("abc é", min_size=1), min_size=1, max_size=3
)
REQUIRED = st.sampled_from(["None", "Recommended", "ApplicationRequired", "SystemRequired"])
NAMES = sorted(name for name, table in SHIPPED.by_logical.items() if not table.joins)
TARGETS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)


@st.composite
def columns(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A column of any type."""
    kind = draw(
        st.sampled_from(
            [
                *("String", "Memo", "Integer", "Decimal", "Double", "Money", "Boolean"),
                *("DateTime", "Picklist", "MultiSelectPicklist", "Lookup", "Uniqueidentifier"),
            ]
        )
    )
    column: dict[str, Any] = {
        "type": kind,
        "required": draw(REQUIRED),
        "create": draw(st.booleans()),
        "update": draw(st.booleans()),
    }
    if kind in {"String", "Memo"}:
        column["length"] = draw(st.integers(1, 4000))
    if kind in {"Integer", "Decimal", "Double", "Money"}:
        column |= {"min": draw(st.integers(-9, 0)), "max": draw(st.integers(1, 9))}
    if kind in {"Picklist", "MultiSelectPicklist"}:
        column["choices"] = draw(LABELS)
    if kind == "Picklist" and draw(st.booleans()):
        column |= {"choice": f"new_{name}", "default": int(min(column["choices"], key=int))}
    if kind == "Boolean":
        column["default"] = draw(st.booleans())
    if kind == "Lookup":
        targets = draw(TARGETS)
        column["navigation"] = {f"{name}_{target}": [target] for target in targets}
    return column


@st.composite
def tables(draw: st.DrawFn, logical: str) -> dict[str, Any]:
    """A table of one's own."""
    names = draw(st.lists(st.sampled_from("abcdef"), max_size=4, unique=True))
    found = {f"new_{n}": draw(columns(f"new_{logical[4:]}_{n}")) for n in names}
    texts = [name for name, column in found.items() if column["type"] == "String"]
    table: dict[str, Any] = {
        "set": f"{logical}{draw(st.sampled_from(['s', 'es', 'ren']))}",
        "kind": draw(st.sampled_from(["standard", "activity", "elastic"])),
        "ownership": draw(st.sampled_from(["UserOwned", "OrganizationOwned"])),
        "has": draw(
            st.lists(st.sampled_from(["activities", "notes", "queues", "parties"]), unique=True)
        ),
        "columns": found,
        "keys": {f"new_by_{name}": [name] for name in texts},
    }
    if draw(st.booleans()):
        reasons = {"1": "Open", "7": "Waiting"}
        table["states"] = {
            "0": {"label": "Open", "reasons": reasons, "default": 7},
            "1": {"label": "Done", "reasons": {"2": "Done"}},
        }
    return table


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Tables of one's own, columns of phone calls, and relations."""
    names = draw(st.lists(st.sampled_from(["new_child", "new_box", "new_fox"]), unique=True))
    document: dict[str, Any] = {"tables": {name: draw(tables(name)) for name in names}}
    document["tables"]["phonecall"] = {
        "columns": {"new_reason": draw(columns("new_call_reason"))},
        "states": {"1": {"reasons": {"100000009": draw(st.text("ab", min_size=1))}}},
    }
    document["relations"] = {f"new_contact_{name}": {"tables": ["contact", name]} for name in names}
    return document


@pytest.mark.timeout(120)
@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(documents())
def test_the_schema_surveyed_describes_the_same_organisation(document: dict[str, Any]) -> None:
    schema = read_schema(document, SHIPPED)
    organisation = create_organisation(schema=schema)
    surveyed = asyncio.run(survey(InProcessDynamics(organisation)))
    assert describe(read_schema(surveyed, SHIPPED)) == describe(schema)


def test_a_survey_holds_no_row_of_the_organisation() -> None:
    organisation = create_organisation()
    surveyed = asyncio.run(survey(InProcessDynamics(organisation)))
    assert "# connect-dynamics" not in str(surveyed)
