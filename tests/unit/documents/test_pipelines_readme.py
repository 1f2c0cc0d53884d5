"""``pipelines/README.md``: every option, name, filter and message in it is the code's."""

from __future__ import annotations

import gzip
import json
import re

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog

from typer.testing import CliRunner

from document_tables import ROOT, rows, written
from pipelines.contact import Contact
from pipelines.decode import decode
from pipelines.fact import Fact
from pipelines.filters import FILTERS
from pipelines.kin import told
from pipelines.lens import FIELDS
from pipelines.lifecycle import MILESTONES
from pipelines.loader import load
from pipelines.lookup import STATUS_NAMES, VALUES, Status
from pipelines.names import DESCRIBED_ONLY, EVENT_ONLY, FREE, MEMBERS, PLAIN, SCALARS, said
from pipelines.objects import KINDS, objects
from pipelines.source import PipelineError
from pipelines.step_reader import METHODS, ON_MISSING
from pipelines.template import _STRICT, Template, resolve
from pipelines.view import CONSTANTS, DERIVED, OBJECT_NAMES, Names, object_names, view
from worker.amazon_connect.enrichment import DESCRIBED
from worker.cli import app


PAGE = "pipelines/README.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
SAMPLES = ROOT / "tests" / "samples"

#: Longest example of a name that is shown whole.
SHOWN = 60


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """A command sends log lines to its own standard error, which is closed once it has ended."""
    yield
    structlog.reset_defaults()


SETTINGS = {
    "AppId": "5f7d2c1a-9b3e-4c8d-a6f0-1e2d3c4b5a69",
    "EnvironmentUri": "https://org.crm.dynamics.com",
    "Owner": "teams(3f2504e0-4f89-41d3-9a0c-0305e82c3301)",
}

#: What Connect is asked for, beside ``DESCRIBED``.
ASKED = {"Attributes", "Agent.Username", "Queue.Name"}


#: The heads of the tables.
NAMED = ("type", "known from", "example")
FILTER = ("what it does", "example", "result")


def section(heading: str) -> str:
    """The text below a heading, to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}\n", TEXT, re.MULTILINE)
    assert found, f"no heading {heading!r}"
    rest = TEXT[found.end() :]
    following = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def codes(text: str) -> list[str]:
    """What stands in backticks, in a table or elsewhere."""
    return [code.replace("\\|", "|") for code in re.findall(r"`([^`\n]+)`", text)]


# --- options ------------------------------------------------------------------------------------

FILE = 'name = "p"\n'
STEP = f'{FILE}[[step]]\nname = "A"\non = "analysis"\n'
KINDS_OF_STEP = (
    'method = "POST"\nentity = "tasks"\n',
    'method = "PATCH"\nentity = "tasks"\n',
    'method = "GET"\nentity = "contacts"\n',
    'open = "main.aspx"\n',
    "read = true\n",
)
LOOKUP = f"{STEP}{KINDS_OF_STEP[2]}[step.lookup]\n"
WAYS = (*VALUES, "attribute")


def options(text: str) -> set[str]:
    """The options that the loader knows where a text ends, as its message lists them."""
    with pytest.raises(PipelineError) as error:
        load(text + "no_such_option = 1\n")
    _, _, known = str(error.value).partition("there is no option 'no_such_option'; there are ")
    assert known, str(error.value)
    return set(known.partition(" (line ")[0].split(", "))


def described(*header: str) -> set[str]:
    """What the first column of a table names."""
    return {code for row in rows(PAGE, *header) for code in codes(row[0])}


def test_every_option_of_a_file_is_described() -> None:
    assert described("option of a file", "what it is") == options("")


def test_every_option_of_a_step_is_described() -> None:
    known = [options(STEP + kind) for kind in KINDS_OF_STEP]
    assert described("option of a step", "in which", "what it is") == set().union(*known)


def test_every_option_of_a_lookup_is_described() -> None:
    known = [options(f'{LOOKUP}by = "{by}"\n') for by in WAYS]
    assert described("option of a lookup", "what it is") == set().union(*known)


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("Kinds of steps", METHODS),
        ("Options of a step", ON_MISSING),
        ("Look somebody up", WAYS),
        ("Answers of earlier steps", (*STATUS_NAMES, *get_args(Status), *FIELDS)),
        ("Names of a stored file", (*KINDS,)),
    ],
)
def test_every_word_that_an_option_takes_or_an_answer_has_is_described(
    heading: str, words: tuple[str, ...]
) -> None:
    found = {word for code in codes(section(heading)) for word in re.findall(r"\w+", code)}
    assert set(words) - found == set()


def test_the_milestones_are_listed_in_their_order() -> None:
    found = rows(PAGE, "on", "is reached when", "and is known from")
    assert tuple(code for row in found for code in codes(row[0])) == MILESTONES


# --- examples -----------------------------------------------------------------------------------

#: Steps that the fragments of files name, and that stand before them.
EARLIER = {
    "CALL": """
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = "{}"
""",
    "CUSTOMER": """
[[step]]
name = "CUSTOMER"
on = "created"
method = "GET"
entity = "contacts"
lookup = { by = "phone", columns = ["telephone1"] }
""",
}


def whole(example: str) -> str:
    """An example as a whole file."""
    if re.search(r"^name *= ", example.partition("[[step]]")[0], re.MULTILINE):
        return example
    own = re.findall(r'^name *= "(\w+)"', example, re.MULTILINE)
    return FILE + "".join(step for name, step in EARLIER.items() if name not in own) + example


EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_can_be_loaded(example: str) -> None:
    assert load(whole(example)).warnings() == []


def test_the_first_example_makes_and_completes_one_activity_per_call(tmp_path: Path) -> None:
    file, dump = tmp_path / "my-calls.toml", tmp_path / "records.json"
    file.write_text(EXAMPLES[0], encoding="utf-8")
    archive = SAMPLES / "every-name.ndjson"
    arguments = ["replay", archive, "--dynamics", "sandbox", "--pipeline", file, "--dump", dump]
    assert CliRunner().invoke(app, [str(one) for one in arguments]).exit_code == 0
    (call,) = json.loads(dump.read_bytes())["phonecalls"]
    assert (
        call.items()
        >= {
            "subject": "Call with +4930901820",
            "phonenumber": "+4930901820",
            "directioncode": False,
            "actualstart": "2026-01-02T09:00:00Z",
            "actualend": "2026-01-02T09:04:05Z",
            "statecode": 1,
            "statuscode": 4,
        }.items()
    )


def test_the_preview_that_is_shown_is_what_the_command_prints(tmp_path: Path) -> None:
    file = tmp_path / "my-calls.toml"
    file.write_text(EXAMPLES[0], encoding="utf-8")
    event = SAMPLES / "every-name.ndjson"
    ended = CliRunner().invoke(app, ["preview", str(file), "CALL", "--event", str(event)])
    command = "connect-dynamics preview my-calls.toml CALL --event tests/samples/every-name.ndjson"
    assert f"$ {command}\n{ended.stdout}```" in TEXT


# --- names --------------------------------------------------------------------------------------


def whole_contact() -> Contact:
    """The contact of which every name has a value."""
    facts = list(facts_of((SAMPLES / "every-name.ndjson").read_bytes()))
    contact = Contact(facts[0].contact_id)
    for fact in facts:
        contact.observe(fact)
    for leg in (SAMPLES / "every-relative.ndjson").read_bytes().splitlines():
        (fact,) = facts_of(leg)
        for extract in told(fact):
            if extract.contact_id == contact.id:
                contact.observe(extract)
    return contact


@cache
def seen() -> Names:
    """What a step on recording sees of it."""
    contact = whole_contact()
    return Names(view(contact, SETTINGS) | object_names(objects(contact), "recording"))


def facts_of(lines: bytes) -> Iterator[Fact]:
    for line in lines.splitlines():
        for fact in decode(line):
            assert isinstance(fact, Fact)
            yield fact


@cache
def in_events() -> frozenset[str]:
    """The names that the contact events of the samples have, as ``Channel`` or ``Queue.ARN``."""
    found = set()
    packed = (SAMPLES / "every-kind" / "contact-events.ndjson.gz").read_bytes()
    for fact in facts_of(gzip.decompress(packed)):
        for name, value in said(fact.body).items():
            found |= {f"{name}.{member}" for member in value} if name in MEMBERS else {name}
    return frozenset(found)


def source(name: str) -> str:
    top = name.partition(".")[0]
    if name in EVENT_ONLY:
        return "events only"
    early = [
        word
        for word, has in (
            ("events", name in in_events()),
            ("asked", name in ASKED or top in DESCRIBED),
        )
        if has
    ]
    return ", ".join([*early, "record"])


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true, false"
    return {str: "text", int: "number", float: "number", dict: "object", list: "list"}[type(value)]


def shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def row(name: str, path: str) -> list[str]:
    value = Template(f"{{{{{path}}}}}").render(seen())
    example = f"`{shown(value)}`" if path == name else f"`{path}` is `{shown(value)}`"
    return [f"`{name}`", kind(value_of(name)), source(path if name in SCALARS else name), example]


def value_of(name: str) -> Any:
    value = resolve(seen(), tuple(name.split(".")))
    return value.plain() if isinstance(value, Names) else value


def value_rows() -> list[list[str]]:
    return [row(name, name) for name in sorted(PLAIN | EVENT_ONLY)]


def member_rows() -> list[list[str]]:
    found = []
    for name, members in MEMBERS.items():
        if name in SCALARS:
            found.append(row(name, f"{name}.{SCALARS[name]}"))
        found += [row(f"{name}.{member}", f"{name}.{member}") for member in sorted(members)]
    return found


def free_rows() -> list[list[str]]:
    return [row(name, first_path(name)) for name in sorted(FREE)]


def first_path(name: str) -> str:
    """A path from the structure to the first plain value in it."""
    path, value = name, value_of(name)
    while isinstance(value, dict | list):
        if isinstance(value, list):
            path, value = f"{path}[0]", value[0]
        else:
            member, value = next(iter(value.items()))
            path += f".{member}" if re.fullmatch(r"\w+", member) else f"['{member}']"
    return path


@pytest.mark.parametrize(
    ("first", "table"), [("value", value_rows), ("member", member_rows), ("structure", free_rows)]
)
def test_every_name_of_the_streams_is_described_with_what_it_renders(
    first: str, table: Callable[[], list[list[str]]]
) -> None:
    assert rows(PAGE, first, *NAMED) == table(), written(table())


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("made from others", DERIVED),
        ("of a stored file", OBJECT_NAMES),
        ("from the settings", CONSTANTS),
    ],
)
def test_every_other_name_is_described_with_what_it_renders(
    first: str, names: frozenset[str]
) -> None:
    """An example is the value or, of a list, that of a path into it."""
    found = rows(PAGE, first, "type", "what it is", "example")
    assert {codes(line[0])[0] for line in found} == names
    for line in found:
        name, *path, example = [codes(line[0])[0], *codes(line[3])]
        assert line[1] == kind(value_of(name)), name
        assert example == shown(Template(f"{{{{{(path or [name])[0]}}}}}").render(seen())), name


def test_what_connect_is_asked_for_is_named() -> None:
    assert {*ASKED, *DESCRIBED} <= {*codes(section("Where names come from"))}


def test_every_name_that_is_only_asked_is_described() -> None:
    assert described("only asked", "what it is") == DESCRIBED_ONLY


# --- filters ------------------------------------------------------------------------------------

OWN, OTHERS = rows(PAGE, "filter", *FILTER), rows(PAGE, "filter of Liquid", *FILTER)


def test_every_filter_is_described_and_no_other() -> None:
    assert {codes(line[0])[0] for line in OWN} == FILTERS.keys()
    known = _STRICT.filters.keys() - FILTERS.keys()
    assert {codes(line[0])[0] for line in OTHERS} == known


@pytest.mark.parametrize("line", OWN + OTHERS, ids=lambda line: codes(line[2])[0])
def test_every_example_of_a_filter_gives_what_the_page_says(line: list[str]) -> None:
    name, example, result = codes(line[0])[0], codes(line[2])[0], codes(line[3])[0]
    assert re.search(rf"\| {name}\b", example)
    value = Template(example, choices={"level": {"high": 2}}).render(seen())
    assert result == (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


# --- messages -----------------------------------------------------------------------------------

STEP_AT_FAULT = {
    "name": '"B"',
    "on": '"created"',
    "method": '"POST"',
    "entity": '"phonecalls"',
    "body": "'{}'",
}


def options_in(cell: str) -> dict[str, str]:
    return {option: value for option, _, value in (code.partition(" = ") for code in codes(cell))}


def toml(step: dict[str, str]) -> str:
    return "[[step]]\n" + "".join(f"{option} = {value}\n" for option, value in step.items())


MISTAKES = rows(PAGE, "written", "message", "right")


@pytest.mark.parametrize("line", MISTAKES, ids=lambda line: codes(line[0])[0])
def test_every_mistake_gives_the_message_that_the_page_shows(line: list[str]) -> None:
    """The first column's options replace those of a step."""
    step = STEP_AT_FAULT | options_in(line[0])
    with pytest.raises(PipelineError) as error:
        load(whole(toml(step)), "my.toml")
    message = re.sub(r" \(line \d+, column \d+\)$", "", str(error.value))
    name = step["name"].strip('"')
    assert message == f"my.toml: step {name}: {codes(line[1])[0]}"


@pytest.mark.parametrize("line", MISTAKES, ids=lambda line: codes(line[0])[0])
def test_what_the_page_says_is_right_is_no_mistake(line: list[str]) -> None:
    step = STEP_AT_FAULT | options_in(line[2])
    assert load(whole(toml(step)))
