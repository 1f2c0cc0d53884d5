"""Whatever a caller says stays inside its JSON string, its URL segment and the configured host."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import orjson

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.contact import Contact
from pipelines.fact import RECORD, Fact
from pipelines.lifecycle import milestones
from pipelines.loader import load
from pipelines.plan import Terms, opening, plan
from pipelines.step import OpenStep
from pipelines.text import sound
from worker.dynamics.requests import request_for


HOST = "org.crm.dynamics.com"
ROOT = f"https://{HOST}/api/data/v9.2/"

#: Every place of a request that a pipeline can put a value in.
PIPELINE = load("""
name = "p"

[[step]]
name = "FIND"
on = "created"
method = "GET"
entity = "contacts"
query = "?$filter=contains(telephone1,'{{Attributes.x}}') and city eq '{{Queue}}'&$top=2"

[[step]]
name = "BY-KEY"
on = "created"
method = "GET"
entity = "contacts"
query = "(emailaddress1='{{Attributes.x}}',name='{{Queue}}')"

[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "phonecalls"
body = '''{"subject": "Call of {{Queue}}", "description": "{{Attributes.x}}",
    "category": "<{{ Attributes.x | upcase }}>",
    "regardingobjectid_contact@odata.bind": "/contacts(name='{{Attributes.x}}')",
    "phonecall_activity_parties": [{"participationtypemask": 1, "addressused": "{{Queue}}"}]}'''

[[step]]
name = "CHANGE"
on = "created"
method = "PATCH"
entity = "accounts"
query = "(accountnumber='{{Attributes.x}}')"
body = '{"name": "{{Queue}}"}'

[[step]]
name = "OPEN"
on = "created"
open = "main.aspx"
query = '{"appid": "{{AppId}}", "pagetype": "{{Attributes.x}}", "etn": "{{Queue}}"}'
""")

COLUMNS = {
    "activityid",
    "subject",
    "description",
    "category",
    "regardingobjectid_contact@odata.bind",
    "phonecall_activity_parties",
}

#: Without empty ones: to Amazon Connect, and so to us, those are no values.
hostile = st.text(min_size=1, max_size=40) | st.lists(
    st.sampled_from(
        [
            *("'", "''", '"', "\\", "/", "//", "..", "../", "?", "#", "&", "=", "$", "@", ":", ";"),
            *("(", ")", ",", "%", "%2e%2e%2f", "%27", "{{ContactId}}", "{% raw %}", "{", "}", "\0"),
            *("\r\n", " ", "\u2028", "\u202e", "http://evil.example", "@evil.example", "\ud7ff"),
            *('","admin":"yes', "')/../../", "' or '1'='1", "évil", "\U0001f4de", "x" * 200),
        ]
    ),
    min_size=1,
    max_size=6,
).map("".join)


def contact(x: str, queue: str) -> Contact:
    made = Contact("5ca32fbd-8f92-46af-92a5-6b0f970f0efe")
    said = {
        "ContactId": made.id,
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-01-02T03:00:00Z",
        "Attributes": {"x": x},
        "Queue": {"Name": queue},
    }
    made.observe(Fact(made.id, RECORD, "1", orjson.dumps(said), "2026-01-02T03:00:00.000Z"))
    assert "created" in milestones(made)
    return made


def planned(made: Contact) -> list[Any]:
    """All writes: those of the lookups, and those that come when they have been answered."""
    first = plan(made, [PIPELINE], 0.0, Terms()).actions
    made.lookups = {f"p/{name}": {"asked": "", "answer": {}} for name in ("FIND", "BY-KEY")}
    made.effects = {f"p/{name}": "dropped" for name in ("FIND", "BY-KEY")}
    return first + plan(made, [PIPELINE], 0.0, Terms()).actions


def literals(text: str) -> list[str]:
    """The string literals of an OData text, as OData reads them."""
    found, rest = [], text
    while "'" in rest:
        rest = rest.partition("'")[2]
        literal = ""
        while True:
            part, quote, rest = rest.partition("'")
            assert quote, "a literal has no end"
            literal += part
            if not rest.startswith("'"):
                break
            literal, rest = literal + "'", rest[1:]
        found.append(literal)
    return found


@given(hostile, hostile)
@example("')/../../../evil?x=#", "\r\nHost: evil.example")
@example("//evil.example/", "https://evil.example")
def test_no_value_leaves_its_place_in_a_request(x: str, queue: str) -> None:
    writes = planned(contact(x, queue))
    x, queue = sound(x), sound(queue)  # what XML cannot hold is left out
    for write in writes:
        request = request_for(write)
        url = httpx.URL(ROOT + request.path)
        assert (url.scheme, url.host, url.port, url.userinfo) == ("https", HOST, None, b"")
        assert not url.fragment
        path, _, query = url.raw_path.decode().partition("?")
        assert path.count("/") == ROOT.count("/") - 2, "no value adds a segment"
        step: Any = PIPELINE.step(write.steps[0].removeprefix("p/"))
        assert path.startswith(f"/api/data/v9.2/{step.table.set}")
        assert set(request.headers) <= {"If-Match", "If-None-Match", "Prefer"}
        if write.steps == ("p/FIND",):
            named = [part.partition("=")[0] for part in query.split("&")]
            assert named == ["$filter", "$top"]
            assert literals(unquote(query))[1] == queue
        if write.steps == ("p/BY-KEY",):
            assert literals(unquote(path)) == [x, queue]
        if write.steps == ("p/CHANGE",):
            assert literals(unquote(path)) == [x]


@given(hostile, hostile)
@example('","admin":"yes', '"}]}')
def test_no_value_leaves_its_string_in_a_body(x: str, queue: str) -> None:
    (make,) = [w for w in planned(contact(x, queue)) if w.kind == "create"]
    x, queue = sound(x), sound(queue)
    sent: dict[str, Any] = orjson.loads(orjson.dumps(request_for(make).body))
    assert sent.keys() <= COLUMNS
    assert sent["subject"] == f"Call of {queue}"
    assert sent["description"] == x
    assert sent["category"] == f"<{x.upper()}>"
    assert sent["phonecall_activity_parties"] == [
        {"participationtypemask": 1, "addressused": queue}
    ]
    link = sent["regardingobjectid_contact@odata.bind"]
    assert literals(unquote(link)) == [x]
    assert not set(link[1:]) & set("/?#")


@given(hostile, hostile)
def test_no_value_leaves_its_place_in_the_page_that_is_opened(x: str, queue: str) -> None:
    (step,) = [step for step in PIPELINE.steps if isinstance(step, OpenStep)]
    terms = Terms({"EnvironmentUri": f"https://{HOST}", "AppId": "app"})
    write = opening(contact(x, queue), PIPELINE, step, terms)
    assert write is not None
    x, queue = sound(x), sound(queue)
    parts = urlsplit(write.url)
    assert (parts.scheme, parts.netloc, parts.path) == ("https", HOST, "/main.aspx")
    assert parts.fragment == ""
    assert write.url.isascii()
    assert parse_qsl(parts.query, keep_blank_values=True) == [
        ("appid", "app"),
        ("pagetype", x),
        ("etn", queue),
    ]
