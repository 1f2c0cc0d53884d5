"""Fuzzing: messages, templates and pipeline files end in their declared outcomes and no others.

See ``fuzzing``; ``test_fuzz_push`` has values and answers through the whole of push.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from hypothesis import strategies as st

from fuzzing import anything, changes, hunt, messages, mutated, places, reshaped
from pipelines.action import Change, Reading
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact, Ignored, Undecodable
from pipelines.lifecycle import phase
from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.source import PipelineError
from pipelines.template import _STRICT, LONGEST, Query, Template, TemplateError
from pipelines.value import Nothing
from pipelines.view import Names, view
from worker.definitions import SHIPPED, find, shipped
from worker.dynamics.requests import request_for


NOW = 1_767_402_000.0


@cache
def files() -> list[str]:
    """The texts of the shipped pipelines."""
    return [(SHIPPED / f"{name}.toml").read_text(encoding="utf-8") for name in shipped()]


@cache
def shipped_pipelines() -> list[Pipeline]:
    return [find(name) for name in shipped()]


# --- targets ------------------------------------------------------------------------------------


def take_in(body: bytes) -> None:
    """As the worker does: decode, keep, read again, view, plan for every shipped pipeline."""
    outcomes = decode(body)
    assert outcomes
    contacts: dict[str, Contact] = {}
    for outcome in outcomes:
        assert isinstance(outcome, Fact | Ignored | Undecodable)
        if isinstance(outcome, Fact):
            contacts.setdefault(outcome.contact_id, Contact(outcome.contact_id)).observe(outcome)
    for contact in contacts.values():
        again = Contact.from_bytes(contact.id, contact.to_bytes())
        assert again == contact
        assert phase(contact)
        view(contact)
        for live in (True, False):
            push(contact, live=live)


def push(contact: Contact, *, live: bool) -> None:
    for now in (NOW, float("inf")):
        for write in plan(contact, shipped_pipelines(), now, Terms(live=live)).actions:
            if isinstance(write, Reading | Change):
                assert orjson.dumps(request_for(write).body)


def test_a_mutated_message_is_a_fact_ignored_or_undecodable_and_can_be_planned() -> None:
    def target(body: bytes, changed: list[tuple[str, float, int, str]]) -> None:
        take_in(mutated(body, changed))

    hunt(target, st.sampled_from(messages()), changes)


def test_a_message_of_odd_values_is_a_fact_ignored_or_undecodable_and_can_be_planned() -> None:
    whole = [body for body in messages() if isinstance(orjson.loads(body), dict)]

    def target(body: bytes, changed: list[tuple[float, Any]]) -> None:
        take_in(reshaped(body, changed))

    hunt(target, st.sampled_from(whole), st.lists(st.tuples(places, anything), max_size=4))


VALUES = {"ContactId": "c", "Queue": {"Name": "q"}, "Agent": {}, "Attributes": {"x": "1"}}

arguments = st.sampled_from(
    ["0", "-1", "1e9", "1.5", "''", "'a'", "'%s%Y'", "'Europe/Berlin'", "nil", "true", "Queue"]
)
filters = st.builds(
    "| {} {}".format,
    st.sampled_from(sorted(_STRICT.filters)),
    st.lists(arguments, max_size=3).map(lambda given: (given and ": " + ", ".join(given)) or ""),
)
expressions = st.builds(
    "{} {}".format,
    st.sampled_from(["Queue", "Attributes.x", "Attributes", "Agent.Username", "nothing", "'a'"])
    | arguments,
    st.lists(filters, max_size=3).map(" ".join),
)
fragments = st.one_of(
    st.sampled_from(["?$filter=a eq '", "' and b eq ", "(", ")", " ", "é", "{{", "}}", "{%", "%}"]),
    st.text(max_size=3),
    expressions.map("{{{{ {} }}}}".format),
    expressions.map("{{%- assign a = {} %}}{{{{ a }}}}".format),
    expressions.map("{{% if {} %}}yes{{% else %}}no{{% endif %}}".format),
    expressions.map("{{% for i in {} %}}{{{{ i }}}}{{% endfor %}}".format),
)
sources = st.lists(fragments, min_size=1, max_size=4).map("".join)


def compiled(kind: type[Template | Query], source: str) -> Template | Query | None:
    """The template or query, or None if it is refused, with a place inside its text."""
    try:
        return kind(source)
    except TemplateError as error:
        inside = 0 <= error.index <= len(error.source)
    assert inside
    return None


def test_any_text_is_a_template_or_refused_within_it_and_renders_json_or_nothing() -> None:
    def target(source: str, value: Any, lenient: bool) -> None:
        values = {**VALUES, "Queue": value, "Attributes": {"x": value}}
        if isinstance(query := compiled(Query, source), Query):
            assert isinstance(query.render(Names(values)), str | Nothing)
        if isinstance(template := compiled(Template, source), Template):
            shown = template.render(Names(values, lenient=lenient), lenient=lenient)
            assert isinstance(shown, Nothing) or orjson.dumps(shown)
            assert not isinstance(shown, str) or len(shown) <= LONGEST

    hunt(target, sources, anything, st.booleans())


def loaded(text: str) -> Pipeline | None:
    """The pipeline, or None if it is refused, with the file's name and a reason."""
    try:
        return load(text, "fuzz.toml")
    except PipelineError as error:
        reason = str(error)
    assert reason.startswith("fuzz.toml:")
    return None


def test_any_pipeline_file_is_loaded_or_refused_with_a_reason() -> None:
    sample = Contact("c")
    for body in messages():
        for outcome in decode(body):
            if isinstance(outcome, Fact):
                sample.observe(Fact("c", outcome.register, outcome.version, outcome.body, ""))

    def target(text: str, changed: list[tuple[str, float, int, str]]) -> None:
        broken = mutated(text.encode(), changed).decode(errors="replace")
        pipelines = [found] if (found := loaded(broken)) else []
        for live in (True, False):
            for write in plan(sample, pipelines, NOW, Terms(live=live)).actions:
                assert not isinstance(write, Reading | Change) or request_for(write).path

    hunt(target, st.sampled_from(files()), changes)
