"""The snapshot: what facts come to, worked out once, is what each question by itself would get."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.age import KEPT_S
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.lifecycle import milestones, phase
from pipelines.loader import load
from pipelines.objects import objects
from pipelines.plan import Terms, opening, plan
from pipelines.snapshot import epoch, snapshot
from pipelines.step import OpenStep
from pipelines.view import view
from worker.definitions import find
from worker.sandbox import traffic


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

CONSTANTS = {"AppId": "app", "EnvironmentUri": "https://acme.example"}
PIPELINES = [find("phonecall"), find("timeline")]


def growing(history: traffic.History) -> list[Contact]:
    """The contacts of a history, as they are after each of its messages."""
    found: dict[str, Contact] = {}
    grown = []
    for sent in history.sent:
        for fact in decode(sent.body):
            if isinstance(fact, Fact):
                contact = found.setdefault(fact.contact_id, Contact(fact.contact_id))
                contact.observe(fact)
                grown.append(Contact.from_bytes(contact.id, contact.to_bytes()))
    return grown


def test_a_snapshot_is_what_names_milestones_and_files_are_by_themselves(
    many_histories: list[traffic.History],
) -> None:
    for history in many_histories[:40]:
        for contact in growing(history):
            seen = snapshot(contact, CONSTANTS)
            assert seen.values == view(contact, CONSTANTS)
            assert seen.values["Phase"] == phase(contact)
            assert (seen.reached, seen.objects) == (milestones(contact), objects(contact))
            assert seen.ended == epoch(milestones(contact).get("ended", ""))


@pytest.mark.parametrize("live", [True, False])
def test_a_plan_by_a_snapshot_of_before_is_the_plan_that_is_made_without_one(
    many_histories: list[traffic.History], carry_out: Callable[..., None], *, live: bool
) -> None:
    terms = Terms(CONSTANTS, live=live)
    for history in many_histories[:20]:
        for contact in growing(history)[-3:]:
            seen = snapshot(contact, CONSTANTS, terms.files)
            for _ in range(4):  # the ledger changes, the facts do not
                planned = plan(contact, PIPELINES, float("inf"), terms, seen)
                assert planned == plan(contact, PIPELINES, float("inf"), terms)
                carry_out(contact, planned.actions, {})


def test_what_was_long_over_is_told_from_what_was_heard_of_in_time(
    record: Makes, told: Told
) -> None:
    contact = told(record())
    ended = snapshot(contact, {}).ended
    assert ended is not None
    for arrived, is_old in ((ended + KEPT_S + 1, True), (ended, False), (None, False)):
        contact.arrived = arrived
        assert snapshot(contact, {}).long_over is is_old


def test_a_contact_that_has_not_ended_ended_never(event: Makes, told: Told) -> None:
    assert snapshot(told(event("INITIATED")), {}).ended is None


@pytest.mark.parametrize(("second", "at"), [("", None), ("1970-01-01T00:01:00Z", 60.0)])
def test_a_second_is_counted_from_1970(second: str, at: float | None) -> None:
    assert epoch(second) == at


def test_a_page_belongs_to_its_contact_and_the_first_of_its_chain(event: Makes, told: Told) -> None:
    text = '[[step]]\nname = "OPEN"\non = "answered"\nopen = "main.aspx"\nquery = "{}"\n'
    pipeline = load(f'name = "p"\n{text}')
    (step,) = pipeline.steps
    assert isinstance(step, OpenStep)
    contact = told(event("CONNECTED_TO_AGENT", initialContactId="first"))
    page: Any = opening(contact, pipeline, step, Terms(CONSTANTS))
    assert (page.contact_id, page.initial_contact_id) == (contact.id, "first")
    assert page.url == "https://acme.example/main.aspx"
    assert page.instance_id == view(contact)["InstanceARN"].rpartition("/")[2]
