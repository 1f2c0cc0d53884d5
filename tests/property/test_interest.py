"""Interest: what is said to change nothing that pipelines read changes nothing that is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from random import Random
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipelines import enrichment
from pipelines.action import Change, OpenPage, Verb
from pipelines.contact import Contact, Parked
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.interest import concerns, interest_of, together
from pipelines.kin import answers, told
from pipelines.lifecycle import MILESTONES
from pipelines.loader import load
from pipelines.outcome import Done, Missing, Outcome, Shown
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.settle import settle
from pipelines.view import NAMES
from pipelines.waiting import waiting_since
from worker.definitions import find
from worker.sandbox.traffic import KINDS, START, history


thorough = settings(
    max_examples=20, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate)
)

seeds = st.integers(0, 2**32)

HALF = 0.5

ROUNDS = 3

MISSING = Missing(Parked([], 0.0, 404, "", {}, ""), "")

SHIPPED = [find(name) for name in ("phonecall", "timeline", "chat", "task", "email")]

#: When plans are compared: s after a history's beginning, and when all waits are over.
MOMENTS = (0.0, 45.0, 400.0, 3_000.0, inf)

STEP = """
[[step]]
name   = "S{n}"
on     = "{on}"
method = "{method}"
entity = "phonecalls"
{query}
when   = {when}
body   = '''{{"description": "{body}"}}'''
"""
PAGE = """
[[step]]
name  = "S{n}"
on    = "{on}"
open  = "main.aspx"
query = '''{{"id": "{body}"}}'''
"""
SOME = sorted(NAMES - {"Parties", "OtherParties"})


def generated(rng: Random) -> Pipeline:
    """Steps on any milestone that read any names."""

    def text() -> str:
        return f"{{{{ {rng.choice(SOME)} }}}} {{{{ {rng.choice(SOME)} | default: '-' }}}}"

    steps = []
    for n in range(rng.randint(1, 4)):
        kind = rng.choice(("POST", "PATCH", "open")) if n else "POST"
        query = 'query = "({{S0-Response.activityid}})"' if kind == "PATCH" else ""
        when = rng.choice(("{}", f"{{ {rng.choice(SOME)} = {{ missing = true }} }}"))
        said = {"n": n, "on": rng.choice(MILESTONES), "method": kind, "query": query}
        steps.append((PAGE if kind == "open" else STEP).format(**said, when=when, body=text()))
    table = f'\n[writeback]\nms_a = "{text()}"\n' if rng.random() < HALF else ""
    return load(f'name = "generated"\n{"".join(steps)}{table}')


def shortened(rng: Random) -> Pipeline:
    """A shipped pipeline, of which some steps were left out."""
    pipeline = rng.choice(SHIPPED)
    steps = [step for step in pipeline.steps if rng.random() < HALF] or [pipeline.steps[0]]
    there = {step.name.lower() for step in steps}
    kept = [replace(s, after=tuple(n for n in s.after if n.lower() in there)) for s in steps]
    table = pipeline.writeback if rng.random() < HALF else None
    return replace(pipeline, steps=tuple(kept), writeback=table)


def loaded_by(rng: Random) -> list[Pipeline]:
    """One or two of these, or a shipped one."""
    makers = (generated, shortened, lambda rng: rng.choice(SHIPPED))
    return [rng.choice(makers)(rng) for _ in range(rng.randint(1, 2))]


def facts(rng: Random) -> list[Fact]:
    """What comes of a history in some order, with what its contacts tell one another."""
    sent = history(rng.choice(list(KINDS)), rng).sent
    come = [*sent, *rng.choices(sent, k=rng.randint(0, 2))]
    if rng.random() < HALF:
        rng.shuffle(come)
    begun = START.timestamp()
    arrived = rng.choice([None, begun, begun + 90 * 86_400])
    decoded = (fact for one in come for fact in decode(one.body, None, arrived))
    return [fact for fact in decoded if isinstance(fact, Fact)]


def came(contacts: dict[str, Contact], fact: Fact) -> Iterator[tuple[Contact, Contact]]:
    """Every contact that this fact changes, before and after."""
    waiting = [fact]
    while waiting:
        one = waiting.pop()
        contact = contacts.setdefault(one.contact_id, Contact(one.contact_id))
        before = replace(contact, facts=dict(contact.facts))
        if contact.observe(one):
            yield before, contact
            waiting += [*told(one), *answers(contact, [one])]


def carry_out(contact: Contact, loaded: list[Pipeline], now: float, terms: Terms) -> None:
    """Do what is planned for a contact, until nothing is, or only what cannot be done."""
    for _ in range(ROUNDS):
        for action in plan(contact, loaded, now, terms).actions:
            outcome: Outcome = Shown() if isinstance(action, OpenPage) else Done({})
            if isinstance(action, Change) and action.verb is Verb.ADOPT:
                outcome = MISSING
            settle(contact, action, outcome)


def done(contact: Contact, loaded: list[Pipeline], now: float, terms: Terms) -> tuple[Any, ...]:
    """All that a worker does about a contact."""
    asked = enrichment.wanted(contact, loaded)
    planned = plan(contact, loaded, now, terms)
    since = None if now == inf else waiting_since(contact, loaded, now)
    return replace(planned, waiting={}), asked, since


@thorough
@given(seed=seeds)
def test_what_changes_nothing_that_pipelines_read_changes_nothing_that_is_done(seed: int) -> None:
    rng = Random(seed)
    come, loaded = facts(rng), loaded_by(rng)
    constants = {"AppId": "app", "EnvironmentUri": "https://x"}
    files: Any = rng.choice(("auto", "original", "redacted"))
    terms = Terms(constants, live=rng.random() < HALF, files=files)
    interest = together([interest_of(loaded), interest_of(loaded_by(rng))])
    contacts: dict[str, Contact] = {}
    for fact in come:
        for before, after in came(contacts, fact):
            if concerns(interest, before, after):
                now = START.timestamp() + rng.choice(MOMENTS)
                carry_out(after, loaded, now, terms)
                continue
            for moment in MOMENTS:
                now = START.timestamp() + moment
                assert done(before, loaded, now, terms) == done(after, loaded, now, terms)


@thorough
@given(seed=seeds)
def test_what_came_without_interest_is_used_when_the_contact_is_looked_at_next(seed: int) -> None:
    """Looked at when it matters, or after every message: both end the same."""
    rng = Random(seed)
    come, loaded, terms = facts(rng), loaded_by(rng), Terms()
    interest = interest_of(loaded)
    rarely: dict[str, Contact] = {}
    always: dict[str, Contact] = {}
    for fact in come:
        for before, after in came(rarely, fact):
            if concerns(interest, before, after):
                carry_out(after, loaded, inf, terms)
        for _, after in came(always, fact):
            carry_out(after, loaded, inf, terms)
    for contact_id, contact in rarely.items():
        assert contact.ledger == always[contact_id].ledger
