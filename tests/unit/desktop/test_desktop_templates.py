"""What the desktop needs in Dynamics is written down as rows."""

from __future__ import annotations

import json
import re

from typing import Any

import pytest

from worker.definitions import find_all
from worker.desktop.by_hand import framing, steps
from worker.desktop.configuration import Choices, configuration
from worker.desktop.templates import (
    FIELDS,
    NOTIFICATIONS,
    PROVIDERS,
    SESSIONS,
    TABS,
    Row,
    key_column,
    rows,
)
from worker.errors import ConfigError
from worker.sandbox.dataverse.schema.tables import TABLES
from worker.settings import Settings


URL = "https://desktop.example.com/agents"


@pytest.fixture(params=["connect", "cornerstonecx"])
def content(request: pytest.FixtureRequest, settings: Settings) -> dict[str, Any]:
    named = settings.model_copy(update={"desktop_names": request.param})
    return configuration(named, find_all(["timeline"])).content


def of(found: list[Row], table: str) -> dict[str, Row]:
    return {row.name: row for row in found if row.table == table}


def test_every_template_that_a_page_may_name_is_there_once(content: dict[str, Any]) -> None:
    names, found = content["names"], rows(content, URL)
    assert len({(row.table, row.name) for row in found}) == len(found)
    for section, table in (("session", SESSIONS), ("notification", NOTIFICATIONS)):
        wanted = {name for pair in names[section].values() for name in pair.values()}
        assert set(of(found, table)) == wanted
    assert set(of(found, TABS)) == set(names["tabs"].values())


def test_sessions_are_generic_and_have_the_customer_or_the_search_as_anchor(
    content: dict[str, Any],
) -> None:
    names, found = content["names"], of(rows(content, URL), SESSIONS)
    for channel, pair in names["session"].items():
        match, search = found[pair["match"]], found[pair["search"]]
        assert match.columns["msdyn_sessiontype"] == search.columns["msdyn_sessiontype"] == 0
        assert (match.anchor, search.anchor) == (names["tabs"]["customer"], names["tabs"]["search"])
        assert match.columns["msdyn_title"] == f"{channel.capitalize()}-{{customerName}}"


def test_a_records_tab_never_opens_a_form_to_create_one(content: dict[str, Any]) -> None:
    names, found = content["names"]["tabs"], of(rows(content, URL), TABS)
    for tab in ("customer", "activity"):
        assert found[names[tab]].parameters["validateRecord"] == "True"
    assert "validateRecord" not in found[names["search"]].parameters


def test_a_toast_can_be_accepted_and_rejected_and_outlasts_the_ringing(
    content: dict[str, Any],
) -> None:
    found = rows(content, URL)
    fields = set(of(found, FIELDS))
    for row in of(found, NOTIFICATIONS).values():
        columns = row.columns
        assert columns["msdyn_acceptbuttontext"] == "Accept"
        assert (columns["msdyn_rejectbuttontext"], columns["msdyn_showrejectbutton"]) == (
            "Reject",
            True,
        )
        assert columns["msdyn_timeout"] >= 60
        assert set(row.fields) == fields


def test_a_row_comes_after_those_that_it_needs(content: dict[str, Any]) -> None:
    seen: set[str] = set()
    for row in rows(content, URL):
        assert {*row.fields, *([row.anchor] if row.anchor else [])} <= seen
        seen.add(row.name)


def test_every_slug_is_a_parameter_that_the_pages_pass_on(content: dict[str, Any]) -> None:
    passed = {
        *("customerName", "customerEntityName", "customerRecordId", "CallReason"),
        *("ms_entityrecord_entity_name", "ms_entityrecord_record_id", "number", "queue"),
        *("ms_search_type", "ms_search_text", "channel"),
    }
    templates = [row for row in rows(content, URL) if row.table != PROVIDERS]
    texts = json.dumps([[dict(row.columns), dict(row.parameters)] for row in templates])
    used = set(re.findall(r"\{([A-Za-z_]+)\}", texts))
    assert "customerName" in used
    assert used <= passed


def test_every_column_is_one_that_its_table_has_and_every_text_fits(
    content: dict[str, Any],
) -> None:
    for row in rows(content, URL):
        columns = {column.name: column for column in TABLES[row.table].columns}
        assert TABLES[row.table].key == key_column(row.table)
        for name, value in {**row.columns, "msdyn_uniquename": row.name}.items():
            assert name in columns, f"{row.table}: {name}"
            length = columns[name].max_length
            assert not (isinstance(value, str) and length) or len(value) <= length


def test_a_key_is_made_of_table_and_name(content: dict[str, Any]) -> None:
    once, again = rows(content, URL), rows(content, URL)
    keys = [row.key for row in once]
    assert keys == [row.key for row in again]
    assert len(set(keys)) == len(keys)


def test_the_provider_names_the_panels_page_and_carries_the_configuration(
    content: dict[str, Any],
) -> None:
    (row,) = of(rows(content, f"{URL}/"), PROVIDERS).values()
    assert row.columns["msdyn_channelurl"] == "https://desktop.example.com/agents/cif.html"
    assert row.columns["msdyn_trusteddomain"] == "https://desktop.example.com"
    assert row.columns["msdyn_apiversion"] == 162450000
    told = json.loads(row.columns["msdyn_customparams"])
    assert told["names"] == content["names"]
    assert told["connect"]["ccpUrl"] == content["connect"]["ccpUrl"]


def test_a_configuration_that_a_provider_has_no_room_for_is_refused(
    content: dict[str, Any],
) -> None:
    titles = dict.fromkeys(content["names"]["titles"], "x" * 100)
    large = {**content, "names": {**content["names"], "titles": titles}}
    with pytest.raises(ConfigError, match="2000"):
        rows(large, URL)


def test_what_is_to_be_clicked_names_origins_and_provider(content: dict[str, Any]) -> None:
    told = "\n".join(steps(content, URL))
    for value in (
        "https://desktop.example.com",
        "https://org.crm4.dynamics.com",
        "https://acme.my.connect.aws",
        "connect_dynamics",
    ):
        assert value in told
    assert "/agents" not in told  # an origin has no path


def test_the_environments_framing_is_a_matter_only_of_a_page_that_frames(
    settings: Settings,
) -> None:
    def told(*, tab: bool) -> str:
        made = configuration(settings, find_all(["timeline"]), Choices(tab=tab))
        return "\n".join(steps(made.content, URL))

    policy = json.loads(framing("https://desktop.example.com"))
    assert [one["source"] for one in policy["Frame-Ancestor"]["sources"]] == [
        "'self'",
        "https://*.powerapps.com",
        "https://desktop.example.com",
    ]
    assert framing("https://desktop.example.com") in told(tab=False)
    assert "Frame-Ancestor" not in told(tab=True)
