"""A contact: the greatest fact of each register, in whatever order and however often they come."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import orjson
import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contact import Contact, Damaged, NewerForm, Parked, RecordLedger, Unreadable
from pipelines.fact import Fact


Told = Callable[..., Contact]
Makes = Callable[..., Fact]

FACTS = st.builds(
    Fact,
    contact_id=st.just("c"),
    register=st.sampled_from(["record", "event/QUEUED", "object/b/k"]),
    version=st.sampled_from(["", "1", "2"]),
    body=st.sampled_from([b"{}", b'{"a":1}']),
    at=st.just(""),
)


def test_a_newer_record_replaces_an_older_one(record: Makes, told: Told) -> None:
    old, new = record(), record(LastUpdateTimestamp="2026-01-11T04:09:00Z")
    contact = told(old)
    assert contact.observe(new)
    assert contact.record is new


def test_an_older_record_changes_nothing(record: Makes, told: Told) -> None:
    old, new = record(), record(LastUpdateTimestamp="2026-01-11T04:09:00Z")
    contact = told(new)
    assert not contact.observe(old)
    assert contact.record is new


def test_the_same_fact_twice_is_no_news(record: Makes, told: Told) -> None:
    assert not told(record()).observe(record())


def test_of_two_with_one_version_the_greater_digest_stays(record: Makes, told: Told) -> None:
    one, other = record(Channel="VOICE"), record(Channel="TASK")
    greater = max(one, other, key=lambda fact: fact.digest)
    assert told(one, other).record == told(other, one).record == greater


@given(st.lists(FACTS, max_size=5))
def test_facts_end_the_same_in_any_order_and_number(facts: list[Fact]) -> None:
    def ends(order: tuple[Fact, ...]) -> dict[str, Fact]:
        contact = Contact("c")
        for fact in (*order, *order):
            contact.observe(fact)
        return dict(contact.facts)

    assert all(ends(order) == ends(tuple(facts)) for order in permutations(facts))


def test_events_are_in_the_order_in_which_they_happened(event: Makes, told: Told) -> None:
    contact = told(*(event(k) for k in ("DISCONNECTED", "QUEUED", "INITIATED")))
    assert [fact.register for fact in contact.events] == [
        "event/INITIATED",
        "event/QUEUED",
        "event/DISCONNECTED",
    ]


def test_events_record_and_objects_are_apart(
    event: Makes, record: Makes, stored: Makes, told: Told
) -> None:
    contact = told(event("INITIATED"), record(), stored())
    assert len(contact.events) == len(contact.objects) == 1
    assert contact.record == record()


def test_a_contact_without_facts_has_none_of_them() -> None:
    contact = Contact("c")
    assert (contact.record, contact.events, contact.objects) == (None, [], [])


def test_a_contact_survives_being_written_down(
    event: Makes, record: Makes, stored: Makes, told: Told
) -> None:
    contact = told(event("INITIATED"), record(), stored())
    contact.ledger["phonecalls(1)"] = RecordLedger(
        "phonecalls", "1", "there", {"subject": "ab"}, ours=True, refusals=1, answer={"a": 1}
    )
    contact.lookups["p/WHO"] = {"asked": "cd", "answer": {"LookupStatus": "NoMatch"}}
    contact.effects["p/OPEN"] = "expired"
    contact.parked["phonecalls(1)"] = Parked(["p/S"], 12.5, 400, "0x0", {"body": None}, "no")
    contact.intent["phonecalls(1)"] = {"subject": "ef"}
    contact.tries = 2
    contact.arrived = 1_767_323_045.678
    assert Contact.from_bytes(contact.id, contact.to_bytes()) == contact


def test_whatever_texts_hold_survives_being_written_down(record: Makes, told: Told) -> None:
    contact = told(record(Attributes={"Note": "two words,\na second line"}))
    contact.lookups["p/WHO"] = {"answer": {"fullname": "Ada Lovelace"}}
    assert Contact.from_bytes(contact.id, contact.to_bytes()) == contact


def test_a_contact_whose_facts_were_cut_short_is_not_read(
    event: Makes, record: Makes, told: Told
) -> None:
    whole = told(event("INITIATED"), record()).to_bytes()
    with pytest.raises(Damaged, match="lists 2 facts and holds 1"):
        Contact.from_bytes("c", whole[: whole.rindex(b"\n")])


@pytest.mark.parametrize("form", [2, 2**62])
def test_a_higher_form_is_not_damage_whatever_else_is_there(form: int) -> None:
    with pytest.raises(NewerForm, match=f"form {form}, and this one knows 1"):
        Contact.from_bytes("c", b'{"form":%d,"facts":7}\n\xff' % form)


@pytest.mark.parametrize("form", [b"0", b"-1", b"1.0", b"true", b"null", b'"2"'])
def test_a_form_that_is_no_number_of_a_form_is_damage(form: bytes) -> None:
    with pytest.raises(Damaged, match="its form is no number"):
        Contact.from_bytes("c", b'{"form":%s,"facts":{}}' % form)


def test_a_contact_without_a_form_is_of_the_first() -> None:
    assert Contact.from_bytes("c", b'{"facts":{},"tries":3}') == Contact("c", tries=3)


def test_what_is_the_matter_is_told_without_a_value() -> None:
    data = b'{"facts":{},"effects":{"p/+4930901820":{"Ada":"Lovelace"}}}'
    with pytest.raises(Damaged) as raised:
        Contact.from_bytes("c", data)
    assert str(raised.value) == "its effects is not what it should be"
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)

#: Ways to fields of the contact in ``whole``.
WAYS = [
    ("form",),
    ("facts",),
    ("facts", "record"),
    ("ledger",),
    ("lookups",),
    ("effects",),
    ("parked",),
    ("intent",),
    ("tries",),
    ("arrived",),
    ("replayed",),
    ("history",),
    ("from a newer release",),
    *(("ledger", "a(1)", field) for field in ("entity", "key", "state", "columns", "ours")),
    *(("ledger", "a(1)", field) for field in ("refusals", "answer", "newer")),
    *(("parked", "a(1)", field) for field in ("steps", "at", "status", "code", "request")),
    *(("parked", "a(1)", field) for field in ("answer", "newer")),
]


@given(st.sampled_from(WAYS), JSON, st.booleans())
def test_whatever_stands_in_a_stored_field_it_is_read_and_written_again_or_told(
    way: tuple[str, ...], value: object, missing: bool
) -> None:
    """No exception but the declared ones, and no value that a later step would fall over."""
    contact = Contact("c", tries=1, replayed=True, effects={"p/S": "done"})
    contact.observe(Fact("c", "record", "1", b"{}", "", arrived=1.5))
    contact.ledger["a(1)"] = RecordLedger("a", "1", columns={"x": "y"})
    contact.parked["a(1)"] = Parked(["p/S"], 1.5, None, "", {}, "")
    head, *lines = contact.to_bytes().split(b"\n")
    document = orjson.loads(head)
    inner = document
    for name in way[:-1]:
        inner = inner[name]
    if missing:
        inner.pop(way[-1], None)
    else:
        inner[way[-1]] = value
    data = b"\n".join([orjson.dumps(document), *lines])
    try:
        read = Contact.from_bytes("c", data)
    except Unreadable:
        return
    assert Contact.from_bytes("c", read.to_bytes()) == read
    if not missing:
        written = orjson.loads(read.to_bytes().split(b"\n")[0])
        for name in way[:-1]:
            written = written[name]
        assert written.get(way[-1]) == value or not value


@given(st.binary(max_size=60))
def test_of_any_bytes_a_contact_comes_or_what_is_the_matter(data: bytes) -> None:
    for found in (data, b'{"facts":' + data, b'{"facts":{}}' + data):
        try:
            Contact.from_bytes("c", found).to_bytes()
        except Unreadable as error:
            assert str(error)  # noqa: PT017 - either way is right


def test_what_is_no_part_of_a_contact_cannot_be_written() -> None:
    contact = Contact("c", lookups={"p/WHO": {"answer": object()}})
    with pytest.raises(TypeError):
        contact.to_bytes()


def test_a_contact_read_back_takes_new_facts_and_keeps_the_others(
    event: Makes, record: Makes, told: Told
) -> None:
    whole = told(event("INITIATED"), event("QUEUED"), record())
    read = Contact.from_bytes(whole.id, told(event("INITIATED"), record()).to_bytes())
    assert not read.observe(event("INITIATED"))
    assert read.observe(event("QUEUED"))
    assert read.facts == whole.facts
    assert Contact.from_bytes(whole.id, read.to_bytes()) == whole


def test_a_new_contact_survives_being_written_down() -> None:
    assert Contact.from_bytes("c", Contact("c").to_bytes()) == Contact("c")


def test_what_is_empty_takes_no_room() -> None:
    assert Contact("c").to_bytes() == b'{"form":1,"facts":{}}'


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (RecordLedger("phonecalls", "1-2"), "phonecalls(1-2)"),
        (RecordLedger("contacts", "emailaddress1='a'"), "contacts(emailaddress1='a')"),
    ],
)
def test_a_record_is_named_by_its_address(record: RecordLedger, name: str) -> None:
    assert record.name == name
