"""Mails: subject, addresses and parties, however Connect and people write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.action import Action, Change, Reading
from pipelines.contact import Contact
from pipelines.enrichment import wanted
from pipelines.entity import entity
from pipelines.fact import Fact
from pipelines.loader import load
from pipelines.lookup import Way, search, status
from pipelines.mail import MOST_RECIPIENTS, mail_names, mailboxes
from pipelines.plan import Terms, plan
from pipelines.step import LookupStep
from pipelines.template import Template
from pipelines.view import Names, view
from worker.definitions import find


Makes = Callable[..., Fact]
Told = Callable[..., Contact]
CarryOut = Callable[[Contact, Iterable[Action], dict[str, Any]], None]

CUSTOMER = {"Address": "Ada Sample <Ada@Customer.example>", "Type": "EMAIL_ADDRESS"}
SERVICE = {"Address": "service@acme.example", "Type": "EMAIL_ADDRESS"}
MAIL: dict[str, Any] = {
    "Channel": "EMAIL",
    "CustomerEndpoint": CUSTOMER,
    "SystemEndpoint": SERVICE,
    "SegmentAttributes": {"connect:EmailSubject": {"ValueString": "Invoice 4711 is wrong"}},
}


@pytest.fixture
def mail(record: Makes, told: Told) -> Callable[..., dict[str, Any]]:
    """``mail(InitiationMethod="OUTBOUND")``: the view of a mail, changed as the keywords say."""
    return lambda **fields: view(told(record(**MAIL | fields)))


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada@customer.example", [("ada@customer.example", "")]),
        ("ADA@Customer.EXAMPLE ", [("ada@customer.example", "")]),
        ("Ada Sample <ada@x.example>", [("ada@x.example", "Ada Sample")]),
        ('"Sample, Ada" <ada@x.example>', [("ada@x.example", "Sample, Ada")]),
        ("Sample, Ada <ada@x.example>", [("ada@x.example", "Sample, Ada")]),
        ("Ada [EU] <ada@x.example>", [("ada@x.example", "Ada [EU]")]),
        ("Ada (Sales, EU) <ada@x.example>", [("ada@x.example", "Ada (Sales, EU)")]),
        ("bob@y.example <ada@x.example>", [("ada@x.example", "bob@y.example")]),
        ("ada@x.example <ada@x.example>", [("ada@x.example", "")]),
        ("=?utf-8?q?=C3=84da?= <ada@x.example>", [("ada@x.example", "Äda")]),
        ("=?x-none?q?Ada?= <ada@x.example>", [("ada@x.example", "=?x-none?q?Ada?=")]),
        ("'ada@x.example'", [("ada@x.example", "")]),
        ("mailto:ada@x.example", [("ada@x.example", "")]),
        ("ada@x.example, Bob <bob@y.example>", [("ada@x.example", ""), ("bob@y.example", "Bob")]),
        ("ada@x.example; ada@x.example; bob@y", [("ada@x.example", ""), ("bob@y", "")]),
        ('"A; B" <a@x.example>; c@y.example', [("a@x.example", "A; B"), ("c@y.example", "")]),
        ("Team: a@x.example, b@y.example;", [("a@x.example", ""), ("b@y.example", "")]),
    ],
)
def test_addresses_are_found_with_their_names(text: str, found: list[tuple[str, str]]) -> None:
    assert [tuple(one) for one in mailboxes(text)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ada <ada@x.example", ["ada@x.example"]),
        ('"Ada <ada@x.example>', ["ada@x.example"]),
        ('"Ada" ada@x.example', ["ada@x.example"]),
        ("", []),
        ("anonymous", []),
        ("undisclosed-recipients:;", []),
        ("a@b@c.example", []),
        ("@", []),
        ("(" * 9_000 + "ada@x.example", []),
        ("a:" * 9_000 + "ada@x.example", []),
        (f"{'a' * 400}@x.example", []),
    ],
)
def test_of_what_is_written_wrongly_only_a_clear_address_is_taken(
    text: str, found: list[str]
) -> None:
    assert [one.address for one in mailboxes(text)] == found


@given(st.text(alphabet=st.sampled_from(list("Aa@.,;:<>()[]\"\\'=?\n \0é")), max_size=60))
def test_no_text_is_too_odd_to_look_for_addresses_in(text: str) -> None:
    for one in mailboxes(text):
        assert one.address.count("@") == 1
        assert one.address == one.address.lower().strip()


# --- names --------------------------------------------------------------------------------------


def test_a_mail_s_endpoints_are_bare_addresses_with_the_name_beside(
    mail: Callable[..., dict[str, Any]],
) -> None:
    seen = mail()
    assert seen["CustomerEndpoint"] == {
        "Address": "ada@customer.example",
        "Type": "EMAIL_ADDRESS",
        "DisplayName": "Ada Sample",
    }
    assert seen["SystemEndpoint"] == SERVICE


@pytest.mark.parametrize(
    ("endpoint", "address", "name"),
    [
        ({"Address": "Ada <A@x.example>", "DisplayName": "Dr. Ada"}, "a@x.example", "Dr. Ada"),
        ({"Address": "A@x.example", "Type": "TELEPHONE_NUMBER"}, "a@x.example", None),
        ({"Address": "not an address"}, "not an address", None),
        ({"Address": "a@x.example, b@y.example"}, "a@x.example", None),
    ],
)
def test_an_address_is_parsed_whatever_type_connect_gives_it(
    mail: Callable[..., dict[str, Any]], endpoint: dict[str, str], address: str, name: str | None
) -> None:
    seen = mail(CustomerEndpoint=endpoint)
    assert seen["CustomerEndpoint"]["Address"] == seen["From"] == address
    assert seen["CustomerEndpoint"].get("DisplayName") == name


def test_the_number_of_a_call_stays_as_it_is(record: Makes, told: Told) -> None:
    odd = {"Address": "sip:+44@Acme.example", "Type": "VOIP"}
    seen = view(told(record(CustomerEndpoint=odd)))
    assert (seen["CustomerEndpoint"], seen["From"]) == (odd, odd["Address"])


@pytest.mark.parametrize(
    ("method", "sender", "receiver"),
    [
        ("INBOUND", "ada@customer.example", "service@acme.example"),
        ("OUTBOUND", "service@acme.example", "ada@customer.example"),
        ("AGENT_REPLY", "service@acme.example", "ada@customer.example"),
    ],
)
def test_from_and_to_follow_the_direction(
    mail: Callable[..., dict[str, Any]], method: str, sender: str, receiver: str
) -> None:
    seen = mail(InitiationMethod=method)
    assert (seen["From"], seen["To"]) == (sender, receiver)


@pytest.mark.parametrize(
    "further",
    [
        {
            "ToList": [{"Address": "second@acme.example"}],
            "CcList": [{"Address": "Cc <cc@customer.example>"}],
            "BccList": [{"Address": "bcc@customer.example", "DisplayName": None}],
        },
        {
            "ToAddresses": ["Second@acme.example"],
            "CcAddresses": ["cc@customer.example"],
            "BccAddresses": ["bcc@customer.example"],
        },
        {
            "to": "second@acme.example",
            "cc": {"EmailAddress": "cc@customer.example"},
            "bcc": [{"address": "bcc@customer.example"}, None, 7, {"Address": ["x"]}, "nobody"],
        },
        {
            "ToEmailAddresses": "second@acme.example",
            "CcEmailAddresses": "cc@customer.example",
            "BccEmailAddresses": "bcc@customer.example",
        },
    ],
)
def test_further_recipients_are_read_however_connect_lists_them(
    mail: Callable[..., dict[str, Any]], further: dict[str, Any]
) -> None:
    seen = mail(AdditionalEmailRecipients=further)
    assert seen["To"] == "service@acme.example; second@acme.example"
    assert (seen["Cc"], seen["Bcc"]) == ("cc@customer.example", "bcc@customer.example")


@pytest.mark.parametrize("further", [None, "x", 7, [], [{"Address": "a@b"}], {"CcList": None}])
def test_recipients_in_a_form_that_nobody_knows_are_nobody(
    mail: Callable[..., dict[str, Any]], further: Any
) -> None:
    assert "Cc" not in mail(AdditionalEmailRecipients=further)


PARTIES = [
    {
        "participationtypemask": 1,
        "addressused": "ada@customer.example",
        "unresolvedpartyname": "Ada Sample",
    },
    {"participationtypemask": 2, "addressused": "service@acme.example"},
    {"participationtypemask": 3, "addressused": "ada@customer.example"},
    {"participationtypemask": 3, "addressused": "cc@customer.example"},
    {"participationtypemask": 4, "addressused": "bcc@customer.example"},
]
COPIES = {
    "CcList": [{"Address": "ada@customer.example"}, {"Address": "cc@customer.example"}],
    "BccList": [{"Address": "bcc@customer.example"}],
}


def test_everybody_of_a_mail_is_a_party(mail: Callable[..., dict[str, Any]]) -> None:
    assert mail(AdditionalEmailRecipients=COPIES)["Parties"] == PARTIES


@pytest.mark.parametrize(
    ("method", "others"),
    [
        ("INBOUND", ["service@acme.example", "cc@customer.example", "bcc@customer.example"]),
        ("OUTBOUND", ["cc@customer.example", "bcc@customer.example"]),
    ],
)
def test_the_other_parties_are_neither_the_customer_nor_the_sender(
    mail: Callable[..., dict[str, Any]], method: str, others: list[str]
) -> None:
    seen = mail(InitiationMethod=method, AdditionalEmailRecipients=COPIES)
    assert [party["addressused"] for party in seen["OtherParties"]] == others


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({}, "Invoice 4711 is wrong"),
        ({"SegmentAttributes": {"Connect:emailSubject": {"ValueString": " A\r\n B "}}}, "A B"),
        ({"SegmentAttributes": {"connect:EmailSubject": "A"}}, "A"),
        ({"SegmentAttributes": {"connect:EmailSubject": {"valueString": "A"}}}, "A"),
        ({"SegmentAttributes": {"connect:EmailSubject": {"ValueString": None}}}, None),
        ({"SegmentAttributes": None, "Name": "Call Ada back"}, "Call Ada back"),
        ({"SegmentAttributes": 7, "ContactDetails": {"Name": "Call Ada"}}, "Call Ada"),
        ({"SegmentAttributes": None, "ContactDetails": {"name": "Call Ada"}}, "Call Ada"),
        ({"SegmentAttributes": None, "ContactDetails": {"Name": 7}}, None),
    ],
)
def test_the_subject_is_the_mail_s_or_else_the_contact_s_name(
    mail: Callable[..., dict[str, Any]], fields: dict[str, Any], subject: str | None
) -> None:
    assert mail(**fields).get("Subject") == subject


# --- use ----------------------------------------------------------------------------------------


def test_a_customer_is_looked_up_by_the_bare_address(record: Makes, told: Told) -> None:
    step = find("timeline").steps[0]
    assert isinstance(step, LookupStep)
    sought = search(step.table, step.ways, Names(view(told(record(**MAIL)))))
    assert sought is not None
    assert (sought.way.by, sought.value) == ("email", "ada@customer.example")


@pytest.mark.parametrize(
    ("written", "value"),
    [("Ada <Ada@x.example>", "ada@x.example"), ("Ada@x.example", "Ada@x.example"), ("Ada", "Ada")],
)
def test_a_lookup_by_an_attribute_s_address_leaves_the_name_out(written: str, value: str) -> None:
    ways = [Way("email", Template("{{Attributes.mail}}"), ("emailaddress1",))]
    sought = search(entity("contacts"), ways, Names({"Attributes": {"mail": written}}))
    assert sought is not None
    assert sought.value == value


@pytest.mark.parametrize("name", ["CustomerEndpoint", "From", "To", "Subject", "Parties"])
def test_connect_is_asked_who_a_mail_is_from_as_soon_as_a_pipeline_reads_it(
    event: Makes, told: Told, name: str
) -> None:
    pipeline = load(
        f"""name = "p"
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "emails"
body = '{{"subject": "{{{{{name}}}}}"}}'"""
    )
    contact = told(event("INITIATED", channel="EMAIL"))
    assert [question.topic for question in wanted(contact, [pipeline])] == ["contact"]


def mailed(contact: Contact) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the email pipeline makes and how it closes it."""
    create, close = plan(contact, [find("email")], float("inf"), Terms()).actions
    return create.columns, close.columns  # type: ignore[union-attr]  # both are changes


def test_a_customer_s_mail_is_on_the_form_with_subject_addresses_and_parties(
    record: Makes, told: Told
) -> None:
    columns, state = mailed(told(record(**MAIL, AdditionalEmailRecipients=COPIES)))
    assert columns["subject"] == "Invoice 4711 is wrong"
    assert columns["sender"] == "ada@customer.example"
    assert columns["torecipients"] == "service@acme.example"
    assert columns["email_activity_parties"] == PARTIES
    assert "ada" in columns["description"]
    assert state == {"statecode": 1, "statuscode": 4}


def test_our_answer_is_from_us_to_the_customer(record: Makes, told: Told) -> None:
    columns, state = mailed(told(record(**MAIL, InitiationMethod="AGENT_REPLY")))
    assert columns["directioncode"] is True
    assert columns["sender"] == "service@acme.example"
    assert [one["participationtypemask"] for one in columns["email_activity_parties"]] == [1, 2]
    assert state == {"statecode": 1, "statuscode": 3}


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({}, "E-mail between ada and ada@customer.example"),
        ({"Agent": None, "CustomerEndpoint": None}, "E-mail between no agent and unknown address"),
    ],
)
def test_a_mail_without_a_subject_says_who_it_is_between(
    record: Makes, told: Told, fields: dict[str, Any], subject: str
) -> None:
    columns, _ = mailed(told(record(**MAIL | {"SegmentAttributes": None} | fields)))
    assert columns["subject"] == subject


def test_the_addresses_are_there_before_the_contact_record_if_connect_says_them(
    event: Makes, told: Told
) -> None:
    contact = told(event("INITIATED", channel="EMAIL", instanceArn="arn:aws:connect:::instance/1"))
    (question,) = (q for q in wanted(contact, [find("email")]) if q.topic == "contact")
    said = {"CustomerEndpoint": CUSTOMER, "SystemEndpoint": SERVICE}
    answer = question.answered(contact, said, "2026-01-02T03:00:30.000Z")
    assert answer is not None
    contact.observe(answer)
    (create,) = plan(contact, [find("email")], 0.0, Terms()).actions
    columns = create.columns  # type: ignore[union-attr]  # a change
    assert (columns["sender"], columns["torecipients"]) == (
        "ada@customer.example",
        "service@acme.example",
    )
    assert columns["email_activity_parties"] == PARTIES[:2]


def test_the_subject_is_there_before_the_contact_record_if_connect_says_it(
    event: Makes, told: Told
) -> None:
    told_early = event("INITIATED", channel="EMAIL", segmentAttributes=MAIL["SegmentAttributes"])
    (create,) = plan(told(told_early), [find("email")], 0.0, Terms()).actions
    assert create.columns["subject"] == "Invoice 4711 is wrong"  # type: ignore[union-attr]


BUCKET = "https://recordings.s3.eu-central-1.amazonaws.com/connect/acme"


@pytest.mark.parametrize("pipeline", ["email", "timeline"])
def test_the_message_and_the_attachments_of_a_mail_are_linked_and_their_names_are_no_html(
    pipeline: str, record: Makes, stored: Makes, told: Told, carry_out: CarryOut
) -> None:
    contact = told(record(**MAIL))
    message, bill = f"{contact.id}_message.json", f"{contact.id}_<b>bill.pdf"
    contact.observe(stored(f"connect/acme/EmailMessages/{message}"))
    contact.observe(stored(f"connect/acme/Attachments/{bill}"))
    due = plan(contact, [find(pipeline)], float("inf"), Terms()).actions
    carry_out(contact, [one for one in due if isinstance(one, Reading)], status("NoMatch"))
    due = plan(contact, [find(pipeline)], float("inf"), Terms()).actions
    mail, note, *_ = (one for one in due if isinstance(one, Change))
    link = f"<a href='{BUCKET}/EmailMessages/{message}'>{message}</a>"
    agent = "Agent: ada<br>" if pipeline == "email" else ""
    assert mail.columns["description"] == f"{agent}Message: {link}"
    link = f"<a href='{BUCKET}/Attachments/{quote(bill)}'>{contact.id}_&lt;b&gt;bill.pdf</a>"
    assert note.columns["notetext"] == f"<p>{link}</p>"
    assert note.columns["objectid_email@odata.bind"] == f"/emails({mail.key})"


def test_of_a_mail_to_very_many_the_first_recipients_are_told() -> None:
    people = [f"n{number}@customer.example" for number in range(MOST_RECIPIENTS + 1)]
    names = mail_names({"Channel": "EMAIL", "AdditionalEmailRecipients": {"CcAddresses": people}})
    assert names["Cc"].split("; ") == people[:MOST_RECIPIENTS]
