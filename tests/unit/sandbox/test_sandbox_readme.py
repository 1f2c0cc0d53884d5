"""The sandbox's README lists the switches and faults that there are."""

from __future__ import annotations

import inspect
import re

from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from worker.sandbox.browser.dynamics import PageSwitches
from worker.sandbox.browser.softphone import Softphone
from worker.sandbox.dataverse import faults
from worker.sandbox.dataverse.rules import Rule, read_rules
from worker.sandbox.dataverse.schema.tables import TABLES
from worker.sandbox.dataverse.switches import Switches


README = Path(faults.__file__).parents[1] / "README.md"


def table(heading: str) -> dict[str, list[str]]:
    """A table's cells by the name in its first column."""
    section = (
        README.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    )
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, re.MULTILINE)
    return {name: cells.split(" | ") for name, cells in rows}


def values(name: str) -> str:
    """A switch's values as the README shows them, the default first."""
    hint = get_type_hints(Switches)[name]
    default = getattr(Switches(), name)
    others = get_args(hint) if get_origin(hint) is Literal else (not default,) * (hint is bool)
    shown = [repr(v).replace("'", '"') for v in dict.fromkeys((default, *others))]
    return ", ".join(f"`{value}`" for value in shown) + (", any" if hint is int else "")


def test_every_switch_is_in_the_readme_with_its_values() -> None:
    listed = {name: cells[0] for name, cells in table("Switches").items()}
    assert listed == {one.name: values(one.name) for one in fields(Switches)}


def test_every_switch_of_dynamics_pages_is_in_the_readme() -> None:
    assert list(table("Dynamics in a browser")) == [one.name for one in fields(PageSwitches)]


def test_every_switch_of_the_softphone_is_in_the_readme_with_its_default() -> None:
    made = vars(Softphone()) | {"poll_s": Softphone().poll_s}
    listed = table("The softphone")
    assert {name: cells[0].split(", ")[0] for name, cells in listed.items()} == {
        name: f"`{made[name]!r}`" for name in listed
    }
    public = {name for name in made if not name.startswith("_")}
    assert public - set(listed) == {"app", "pages", "current"}


def test_every_fault_is_in_the_readme_with_what_it_does() -> None:
    made = {
        name: (inspect.getdoc(function) or "").splitlines()[0].replace("``", "`")
        for name, function in vars(faults).items()
        if inspect.isfunction(function)
        and function.__module__ == faults.__name__
        and not name.startswith("_")
        and get_type_hints(function).get("return") is faults.InjectedFault
    }
    assert {name: cells[0] for name, cells in table("Faults").items()} == made


def test_every_field_of_a_rule_is_in_the_readme() -> None:
    assert list(table("Rules of faults")) == [one.name for one in fields(Rule)]


def test_the_rules_that_the_readme_posts_are_rules() -> None:
    text = README.read_text(encoding="utf-8").partition("\n## Rules of faults\n")[2]
    posted = re.search(r"--data '(\[.*?\])'", text, re.DOTALL)
    assert posted
    assert len(read_rules(posted[1].encode(), TABLES)) > 1
