"""Whoever judges a fire knows which contacts poison sets aside, and what it keeps out."""

from __future__ import annotations

from datetime import UTC, datetime

from torture.poison import poison, poisoned_in, stuck
from worker.sandbox.dataverse.app import create_dataverse
from worker.sandbox.demo.scenario import tell
from worker.sandbox.oracle.verdict import expected


LEGS = tell(60, 1, datetime(2026, 1, 2, tzinfo=UTC)).legs


def test_poison_is_of_some_records_and_of_the_notes_on_them() -> None:
    poisoned = poisoned_in(LEGS)
    wanted = {one.key: one for one in expected(LEGS)}
    assert 0 < len(poisoned.contacts) < len(LEGS) / 5
    for key in poisoned.keys:
        about = wanted[key].columns.get("_objectid_value")
        assert key[:2] in {"00", "01", "02"} or about in poisoned.keys


def test_what_is_poisoned_is_what_the_sandbox_does_not_take() -> None:
    dataverse = create_dataverse()
    poison(dataverse.faults)
    (rule,) = dataverse.faults.rules
    assert rule.record
    keys = {one.key for one in expected(LEGS)}
    refused = {key for key in keys if rule.record.fullmatch(key)}
    assert refused <= poisoned_in(LEGS).keys
    dataverse.close()


def test_a_contact_set_aside_without_poison_or_not_set_aside_with_it_is_told() -> None:
    assert list(stuck({"a"}, {"a"})) == []
    assert list(stuck({"a", "b"}, {"b", "c"})) == [
        "a is set aside",
        "c is not set aside, though Dynamics never takes a record of it",
    ]
