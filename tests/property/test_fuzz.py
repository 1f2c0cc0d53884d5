"""Fuzzing: messages, templates and pipeline files end in their declared outcomes and no others.

Run by itself (``make fuzz SECONDS=600``) each target goes on with new examples for its share of
the time. What fails is kept in ``.hypothesis`` and tried first the next time.
"""

from __future__ import annotations

import os
import re
import time

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.decode.split import split
from pipelines.fact import Fact, Ignored, Undecodable
from pipelines.lifecycle import phase
from pipelines.loader import PipelineError, load
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms, plan
from pipelines.template import _STRICT, LONGEST, Query, Template, TemplateError
from pipelines.value import Nothing
from pipelines.view import Names, view
from pipelines.write import Kind
from worker.definitions import SHIPPED, find, shipped
from worker.dynamics.requests import request_for
from worker.sources.unpack import Unpacker


SAMPLES = Path(__file__).parents[1] / "samples"

#: How long all of it may go on (s); without, each target runs its examples once.
SECONDS = float(os.environ.get("FUZZ_SECONDS") or 0)

#: Targets the time is shared by.
TARGETS = 4

NOW = 1_767_402_000.0

fuzzing = settings(
    deadline=None,
    max_examples=500 if SECONDS else 60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def goes_on(target: Callable[[], None]) -> None:
    """Run a target once, and again with other examples until its share of the time is over."""
    end = time.monotonic() + SECONDS / TARGETS
    target()
    while time.monotonic() < end:
        target()


# --- what is mutated ----------------------------------------------------------------------------


def _unpacked(path: Path) -> bytes:
    unpacker = Unpacker()
    return b"".join(unpacker.feed(path.read_bytes()))


@cache
def messages() -> list[bytes]:
    """Every kind of message there are samples of, a few of each shape."""
    found: dict[tuple[str, ...], bytes] = {}
    for path in sorted(SAMPLES.rglob("*")):
        if path.is_file() and path.suffix in {".json", ".ndjson", ".gz"}:
            for body in split(_unpacked(path)):
                found.setdefault(tuple(sorted(re.findall(r'"(\w+)":', body.decode()))), body)
    return list(found.values())


@cache
def files() -> list[str]:
    """The texts of the shipped pipelines."""
    return [(SHIPPED / f"{name}.toml").read_text(encoding="utf-8") for name in shipped()]


@cache
def shipped_pipelines() -> list[Pipeline]:
    return [find(name) for name in shipped()]


#: Pieces that mean something to JSON, times, ids, templates or TOML.
TOKENS = (
    *("{", "}", "[", "]", '"', ",", ":", "null", "true", "-1", "1e400", "1" * 400, "\\", "\\ud800"),
    *("", " ", "\n", "\0", "\ufeff", "é", "\U0001f4de", "x" * 300, "1970-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z"),
    *("{{", "}}", "{{ContactId}}", "{{ Queue | date: '%s' }}", "{% if", "{%- raw %}", "| fit: -1"),
    *("| slice: 0, 99", "| split: ''", "| divided_by: 0", "{{ Agent.", "Records", "detail", "s3"),
    *("[[step]]", "[step]", "=", "'''", "on = 'answered'", 'method = "GET"', "after = ['X']"),
    *("STEP2-Response.activityid", "when = {}", "within = '1e9d'", 'query = "(x)"', "name = ''"),
)

places = st.floats(0, 1, exclude_max=True)
changes = st.lists(
    st.tuples(
        st.sampled_from(["cut", "insert", "replace", "repeat", "swap"]),
        places,
        st.integers(0, 40),
        st.sampled_from(TOKENS) | st.text(max_size=5),
    ),
    max_size=4,
)


def mutated(text: bytes, changed: list[tuple[str, float, int, str]]) -> bytes:
    """The text after the changes, one upon the other."""
    for what, place, length, token in changed:
        at = int(place * len(text))
        head, part, tail = text[:at], text[at : at + length], text[at + length :]
        new = token.encode(errors="surrogatepass")
        made = {
            "cut": head + tail,
            "insert": head + new + part + tail,
            "replace": head + new + tail,
            "repeat": head + part + part + tail,
            "swap": head + bytes(reversed(part)) + tail,
        }
        text = made[what]
    return text


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    | st.sampled_from([token for token in TOKENS if "\\ud" not in token]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all values in a value, but for itself."""
    if path:
        yield path
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    if isinstance(inner, dict):
        for key, item in inner.items():
            yield from leaves(item, (*path, key))


def reshaped(body: bytes, changed: list[tuple[float, Any]]) -> bytes:
    """A message some of whose values are others."""
    value = orjson.loads(body)
    for place, new in changed:
        paths = list(leaves(value))
        if not paths:
            break
        *way, last = paths[int(place * len(paths))]
        inner = value
        for key in way:
            inner = inner[key]
        inner[last] = new
    return orjson.dumps(value)


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
        for write in plan(contact, shipped_pipelines(), now, Terms(live=live)).writes:
            if write.kind is not Kind.OPEN:
                assert orjson.dumps(request_for(write).body)


def test_a_mutated_message_is_a_fact_ignored_or_undecodable_and_can_be_planned() -> None:
    @fuzzing
    @given(st.sampled_from(messages()), changes)
    def target(body: bytes, changed: list[tuple[str, float, int, str]]) -> None:
        take_in(mutated(body, changed))

    goes_on(target)


def test_so_is_a_message_whose_values_are_of_any_other_kind() -> None:
    whole = [body for body in messages() if isinstance(orjson.loads(body), dict)]

    @fuzzing
    @given(st.sampled_from(whole), st.lists(st.tuples(places, anything), max_size=4))
    def target(body: bytes, changed: list[tuple[float, Any]]) -> None:
        take_in(reshaped(body, changed))

    goes_on(target)


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
    @fuzzing
    @given(sources, anything, st.booleans())
    def target(source: str, value: Any, lenient: bool) -> None:
        values = {**VALUES, "Queue": value, "Attributes": {"x": value}}
        if isinstance(query := compiled(Query, source), Query):
            assert isinstance(query.render(Names(values)), str | Nothing)
        if isinstance(template := compiled(Template, source), Template):
            shown = template.render(Names(values, lenient=lenient), lenient=lenient)
            assert isinstance(shown, Nothing) or orjson.dumps(shown)
            assert not isinstance(shown, str) or len(shown) <= LONGEST

    goes_on(target)


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

    @fuzzing
    @given(st.sampled_from(files()), changes)
    def target(text: str, changed: list[tuple[str, float, int, str]]) -> None:
        broken = mutated(text.encode(), changed).decode(errors="replace")
        pipelines = [found] if (found := loaded(broken)) else []
        for live in (True, False):
            for write in plan(sample, pipelines, NOW, Terms(live=live)).writes:
                assert write.kind is Kind.OPEN or request_for(write).path

    goes_on(target)
