"""The page for upgrades gives the form numbers that this release writes."""

from __future__ import annotations

import orjson

from document_tables import rows
from pipelines import contact
from worker.dynamics import metadata, notice, users
from worker.engine import interests, remembered_steps
from worker.stores import packing, sqlite_file


PAGE = "infra/upgrade.md"

FORMS = {
    "contact": contact.FORM,
    "contact as DynamoDB has it": orjson.loads(packing.PACKED)["form"],
    "SQLite file": len(sqlite_file.MIGRATIONS),
    "remembered steps of a pipeline": remembered_steps.FORM,
    "application users of a state": users.FORM,
    "table that Dynamics described": metadata.FORM,
    "notice between workers": notice.FORM,
    "what workers' pipelines read": interests.FORM,
}


def test_the_page_for_upgrades_gives_the_number_of_every_stored_form() -> None:
    found = rows(PAGE, "what", "form", "what an older release does with a higher one")
    assert {row[0]: int(row[1]) for row in found} == FORMS
    assert all(row[2] for row in found)
