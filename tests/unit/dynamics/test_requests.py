"""What request carries out which write."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.action import Change, Lookup, ReadFile, Verb
from pipelines.identity import note_id
from pipelines.ledger import digest, digests
from pipelines.text import units
from worker.dynamics.protocol import Request
from worker.dynamics.requests import request_for


KEY = "11111111-2222-5333-8444-555555555555"
PARTIES = "phonecall_activity_parties"


def change(verb: Verb, **more: Any) -> Change:
    fields = {"record": f"phonecalls({KEY})", "columns": {"subject": "x"}}
    return Change(verb, ("p/S",), **{**fields, **more})


def test_a_create_posts_the_columns_with_the_key_in_the_body() -> None:
    request = request_for(change(Verb.CREATE))
    assert (request.method, request.path) == ("POST", "phonecalls")
    assert request.body == {"activityid": KEY, "subject": "x"}
    assert not request.headers


def test_a_create_by_patch_must_not_find_a_record() -> None:
    request = request_for(change(Verb.CREATE), "patch")
    assert (request.method, request.path) == ("PATCH", f"phonecalls({KEY})")
    assert request.headers == {"If-None-Match": "*"}
    assert request.body == {"subject": "x"}


@pytest.mark.parametrize("create_by", ["post", "patch"])
def test_a_create_asks_back_only_the_fields_that_later_steps_name(create_by: str) -> None:
    made = change(Verb.CREATE, returning=("createdon",))
    request = request_for(made, create_by)  # type: ignore[arg-type] # one of the two
    assert request.path.endswith("?$select=activityid,createdon")
    assert request.headers["Prefer"] == "return=representation"


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.REOPEN, Verb.CLOSE])
def test_whatever_updates_must_find_the_record(verb: Verb) -> None:
    request = request_for(change(verb))
    assert (request.method, request.path) == ("PATCH", f"phonecalls({KEY})")
    assert request.headers == {"If-Match": "*"}
    assert request.body == {"subject": "x"}


def test_parties_are_replaced_as_a_collection() -> None:
    party = {"participationtypemask": 1, "addressused": "x"}
    request = request_for(change(Verb.PARTIES, columns={PARTIES: [party]}))
    assert (request.method, request.path) == ("PUT", f"phonecalls({KEY})/{PARTIES}")
    assert request.body == {"value": [party]}


def test_before_adopting_the_whole_record_is_read_with_annotations_and_parties() -> None:
    request = request_for(change(Verb.ADOPT, columns={"subject": "x", PARTIES: []}))
    assert (request.method, request.path) == ("GET", f"phonecalls({KEY})?$expand={PARTIES}")
    assert request.headers == {"Prefer": 'odata.include-annotations="*"'}
    assert request_for(change(Verb.ADOPT)).path == f"phonecalls({KEY})"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("contacts", "contacts?$top=50"),
        ("contacts?$filter=x eq 1", "contacts?$filter=x eq 1&$top=50"),
        ("contacts?$top=3", "contacts?$top=3"),
        ("contacts(1)", "contacts(1)"),
        ("contacts(1)?$select=x", "contacts(1)?$select=x"),
    ],
)
def test_a_lookup_never_reads_a_whole_table(url: str, sent: str) -> None:
    request = request_for(Lookup("p/S", url))
    assert (request.method, request.path, request.body) == ("GET", sent, None)


def test_a_note_has_an_id_by_what_it_says_and_asks_nothing_back() -> None:
    paths = set()
    for columns in ({"subject": "x"}, {"subject": "y"}, {"subject": "x"}):
        note = change(Verb.NOTE, columns=columns, returning=("createdon",))
        request = request_for(note, "patch")
        assert request.headers == {"If-None-Match": "*"}
        paths.add(request.path)
    assert len(paths) == 2


def test_a_stored_file_is_read_where_it_is() -> None:
    assert request_for(ReadFile("p/S", "b", "k")) == Request("GET", "s3://b/k")


def test_a_note_tells_the_columns_line_by_line_on_the_record() -> None:
    columns = {"subject": "Ünï <b>&", "actualdurationminutes": 3, "description": None}
    request = request_for(change(Verb.NOTE, columns=columns))
    assert (request.method, request.path) == ("POST", "annotations")
    assert request.body == {
        "annotationid": note_id(f"phonecalls({KEY})", digest(digests(columns))),
        "subject": "Came after the record was closed",
        "notetext": "actualdurationminutes: 3\ndescription: null\nsubject: Ünï &lt;b&gt;&amp;",
        "objectid_phonecall@odata.bind": f"/phonecalls({KEY})",
    }


def test_a_note_is_never_longer_than_a_note_may_be() -> None:
    text = "<😀>" * 40_000
    request = request_for(change(Verb.NOTE, columns={"description": text}))
    assert request.body is not None
    note = request.body["notetext"]
    assert note.startswith("description: &lt;😀&gt;&lt;")
    assert units(note) <= 100_000
    assert note.endswith("…")


@pytest.mark.parametrize("verb", [Verb.UPDATE, Verb.REOPEN, Verb.CLOSE])
def test_a_link_is_emptied_by_its_own_name_and_never_by_a_null_bind(verb: Verb) -> None:
    columns = {"regardingobjectid_contact_phonecall@odata.bind": None, "subject": None}
    request = request_for(change(verb, columns=columns))
    assert request.body == {"regardingobjectid_contact_phonecall": None, "subject": None}
