"""Whoever judges a fire knows which contacts poison sets aside, and what it keeps out."""

from __future__ import annotations

from datetime import UTC, datetime

from torture.poison import Poisoned, poison, poisoned_in
from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.demo.scenario import tell
from worker.sandbox.oracle.verdict import expected


LEGS = tell(60, 1, datetime(2026, 1, 2, tzinfo=UTC)).legs


def test_poison_is_of_some_records_and_of_the_notes_on_them() -> None:
    keys = poisoned_in(LEGS).keys
    wanted = {one.key: one for one in expected(LEGS)}
    assert 0 < len(keys) < len(LEGS) / 5
    for mine in keys.values():
        for key in mine:
            about = wanted[key].columns.get("_objectid_value")
            assert key[:2] in {"00", "01", "02"} or about in mine


def test_what_is_poisoned_is_what_the_sandbox_does_not_take() -> None:
    dataverse = create_dataverse()
    rule = poison(dataverse.faults)
    assert rule.record
    keys = {one.key for one in expected(LEGS)}
    refused = {key for key in keys if rule.record.fullmatch(key)}
    poisoned = poisoned_in(LEGS)
    assert refused <= poisoned.kept_out(poisoned.keys)
    dataverse.close()


def test_a_contact_that_is_set_aside_without_poison_is_told() -> None:
    poisoned = Poisoned({"a": frozenset(("one", "two")), "b": frozenset(("three",))})
    assert poisoned.kept_out({"a", "c"}) == {"one", "two"}
    assert list(poisoned.stuck({"a", "c"})) == ["c is set aside"]
