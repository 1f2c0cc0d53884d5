"""The page for upgrades gives the form numbers that this release writes."""

from __future__ import annotations

from document_tables import rows
from pipelines import contact
from worker.dynamics import metadata, notice, users
from worker.engine import remembered_steps
from worker.stores import sqlite_file


PAGE = "infra/upgrade.md"

FORMS = {
    "contact": contact.FORM,
    "SQLite file": len(sqlite_file.MIGRATIONS),
    "remembered steps of a pipeline": remembered_steps.FORM,
    "application users of a state": users.FORM,
    "table that Dynamics described": metadata.FORM,
    "notice between workers": notice.FORM,
}


def test_the_page_for_upgrades_gives_the_number_of_every_stored_form() -> None:
    found = rows(PAGE, "what", "form", "what an older release does with a higher one")
    assert {row[0]: int(row[1]) for row in found} == FORMS
    assert all(row[2] for row in found)
