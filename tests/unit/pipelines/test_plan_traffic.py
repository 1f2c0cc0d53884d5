"""The shipped pipeline on every kind of contact there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from random import Random
from typing import Any

import pytest

from pipelines.action import Action
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.ledger import digest
from pipelines.loader import load
from pipelines.plan import Terms, plan
from worker.sandbox import traffic


CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

PIPELINE = load((resources.files("pipelines") / "definitions" / "phonecall.toml").read_text())
OVER = float("inf")


def facts(history: traffic.History) -> list[Fact]:
    decoded = (fact for sent in history.sent for fact in decode(sent.body))
    return [fact for fact in decoded if isinstance(fact, Fact)]


def contacts(history: Iterable[Fact]) -> dict[str, Contact]:
    found: dict[str, Contact] = {}
    for fact in history:
        found.setdefault(fact.contact_id, Contact(fact.contact_id)).observe(fact)
    return found


def sent(contact: Contact, carry_out: CarryOut) -> Iterator[Any]:
    writes = plan(contact, [PIPELINE], OVER, Terms()).actions
    carry_out(contact, writes, {})
    yield from writes


def test_a_complete_contact_costs_two_requests_at_most(
    many_histories: list[traffic.History], carry_out: CarryOut
) -> None:
    for history in many_histories:
        for contact in contacts(facts(history)).values():
            kinds = [write.kind for write in sent(contact, carry_out)]
            assert kinds in ([], ["create", "close"])
            assert list(sent(contact, carry_out)) == []


def columns(writes: Iterable[Any]) -> dict[str, str]:
    """What a record has in the end, null and never written being the same."""
    last = {f"{w.record} {c}": v for w in writes for c, v in w.columns.items()}
    return {column: digest(value) for column, value in last.items() if value is not None}


@pytest.mark.parametrize("kind", traffic.KINDS)
def test_in_any_order_and_number_it_ends_in_the_same_records(
    kind: str, every_kind: dict[str, traffic.History], carry_out: CarryOut
) -> None:
    """Invariant I1, for the core alone: pushed after every fact, told in a wrong order, twice."""
    told = facts(every_kind[kind])
    complete = contacts(told)
    at_once = columns(write for contact in complete.values() for write in sent(contact, carry_out))
    for seed in range(20):
        partial: dict[str, Contact] = {}
        writes: list[Any] = []
        for fact in Random(seed).sample([*told, *told], 2 * len(told)):
            contact = partial.setdefault(fact.contact_id, Contact(fact.contact_id))
            if contact.observe(fact):
                writes += sent(contact, carry_out)
        assert columns(writes) == at_once
        assert {c: partial[c].facts for c in partial} == {c: complete[c].facts for c in complete}
