"""The page on the agent's desktop lists what the pages can say, and what is to be set."""

from __future__ import annotations

import re

from document_tables import ROOT, rows
from worker.desktop.by_hand import framing
from worker.desktop.configuration import load_names
from worker.desktop.templates import Row
from worker.desktop.templates import rows as wanted
from worker.settings import PREFIX, Settings


PAGE = "infra/desktop.md"
PAGES = ROOT / "worker" / "desktop" / "pages"

TROUBLE = ("kind", "what the agent reads", "host", "what you do")


def kinds(host: str) -> set[str]:
    """The troubles that a host can show, as its table has them."""
    source = (PAGES / host / "troubles.js").read_text("utf-8")
    table = source[source.index("export const TROUBLES") :]
    table = table[: table.index("\n};")]
    return {name.strip("'") for name in re.findall(r"^  ('[\w-]+'|\w+): [{A]", table, re.MULTILINE)}


def test_every_trouble_that_a_page_can_show_has_a_row_that_says_what_to_do() -> None:
    hosts = {"A": kinds("agent"), "B": kinds("cif")}
    assert all(len(found) > 10 for found in hosts.values())
    expected = {
        kind: ", ".join(host for host, found in hosts.items() if kind in found)
        for kind in set().union(*hosts.values())
    }
    found = rows(PAGE, *TROUBLE)
    assert {row[0].strip("`"): row[2] for row in found} == expected
    assert [row[0] for row in found if not all(row)] == []


def test_the_environments_framing_is_written_as_the_command_prints_it() -> None:
    page = (ROOT / PAGE).read_text("utf-8")
    assert f"\n{framing('https://desktop.example.com')}\n" in page


def test_every_setting_that_the_page_names_is_one_that_there_is() -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", (ROOT / PAGE).read_text("utf-8")))
    assert {"CCP_URL", "LOGIN_URL", "DESKTOP_URL", "DESKTOP_NAMES", "OPEN_BY"} <= named
    assert named <= {name.upper() for name in Settings.model_fields}


def templates() -> list[Row]:
    content = {
        "version": 1,
        "connect": {"ccpUrl": "https://acme.my.connect.aws/ccp-v2/"},
        "dynamics": {"url": "https://org.crm.dynamics.com"},
        "dial": {"enabled": True, "countries": []},
        "names": load_names("connect"),
    }
    return wanted(content, "https://desktop.example.com")


def test_the_page_on_flows_names_every_template_that_is_installed_and_its_values() -> None:
    page = (ROOT / "infra/connect/README.md").read_text("utf-8")
    named = {row.name for row in templates() if row.table.endswith("templates")}
    assert {name for name in named if f"`{name}`" not in page} == set()
    for row in templates():
        for name, value in row.parameters.items():
            assert f"`{name}` = `{value}`" in page
        if row.table == "msdyn_notificationfields":
            assert f"*{row.columns['msdyn_title']}* `{row.columns['msdyn_value']}`" in page
