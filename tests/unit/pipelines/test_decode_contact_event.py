"""Contact events, with and without envelope, as documented and as seen."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.decode import decode
from pipelines.fact import Fact, Undecodable


CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
OWN = "2026-01-02T03:04:05.678Z"
ARN = "arn:aws:connect:eu-central-1:111122223333:instance/9308c2a1"


def detail(**fields: Any) -> dict[str, Any]:
    return {"eventType": "INITIATED", "contactId": CONTACT, "instanceArn": ARN, **fields}


def envelope(data: Any, **fields: Any) -> bytes:
    return orjson.dumps(
        {
            "version": "0",
            "detail-type": "Amazon Connect Contact Event",
            "source": "aws.connect",
            "time": "2026-01-02T03:04:59Z",
            "region": "eu-central-1",
            "detail": data,
        }
        | fields
    )


def only(body: bytes) -> Fact:
    (fact,) = decode(body)
    assert isinstance(fact, Fact)
    return fact


OWN_TIMES: list[tuple[str, dict[str, Any]]] = [
    ("INITIATED", {"initiationTimestamp": OWN}),
    ("CONNECTED_TO_SYSTEM", {"connectedToSystemTimestamp": OWN}),
    ("QUEUED", {"queueInfo": {"enqueueTimestamp": OWN}}),
    (
        "CONNECTED_TO_AGENT",
        {"agentInfo": {"connectedToAgentTimestamp": OWN}},
    ),
    ("DISCONNECTED", {"disconnectTimestamp": OWN}),
]


@pytest.mark.parametrize(("kind", "fields"), OWN_TIMES)
def test_an_event_is_versioned_by_its_own_time(kind: str, fields: dict[str, Any]) -> None:
    data = detail(eventType=kind, **fields)
    fact = only(envelope(data))
    assert (fact.contact_id, fact.register) == (CONTACT, f"event/{kind}")
    assert fact.version == fact.at == OWN
    assert fact.data == data


@pytest.mark.parametrize(
    "kind", ["COMPLETED", "CONTACT_DATA_UPDATED", "PAUSED", "RESUMED", "AMD_DISABLED", "WEBRTC_API"]
)
def test_other_events_are_versioned_by_their_envelope(kind: str) -> None:
    data = detail(eventType=kind, initiationTimestamp=OWN)
    assert only(envelope(data)).version == "2026-01-02T03:04:59.000Z"


def test_an_own_time_that_is_not_set_gives_way_to_the_envelope() -> None:
    data = detail(initiationTimestamp="1970-01-01T00:00:00.001Z")
    assert only(envelope(data)).version == "2026-01-02T03:04:59.000Z"


def test_without_both_the_latest_time_mentioned_counts_but_not_the_scheduled_one() -> None:
    data = detail(
        eventType="COMPLETED",
        initiationTimestamp=OWN,
        scheduledTimestamp="2027-01-01T00:00:00.000Z",
        agentInfo={"stateTransitions": [{"stateEndTimestamp": "2026-01-02T03:09:00.001Z"}]},
    )
    assert only(orjson.dumps(data)).version == "2026-01-02T03:09:00.001Z"


def test_without_any_time_the_version_is_empty() -> None:
    fact = only(orjson.dumps(detail()))
    assert fact.version == fact.at == ""


def test_event_types_unknown_here_are_kept_in_upper_case() -> None:
    assert only(envelope(detail(eventType="Something_New"))).register == "event/SOMETHING_NEW"


def test_the_detail_type_of_the_renamed_product_is_a_contact_event_too() -> None:
    body = envelope(detail(), **{"detail-type": "Connect Customer Contact Event"})
    assert only(body).register == "event/INITIATED"


def test_names_may_be_spelled_in_any_case_and_stay_as_they_came() -> None:
    data: dict[str, Any] = {"EventType": "queued", "CONTACTID": f" {CONTACT.upper()} "}
    data |= {"QueueInfo": {"EnqueueTimeStamp": "2026-01-02T03:04:05Z"}, "InstanceARN": ARN}
    fact = only(envelope(data))
    assert (fact.contact_id, fact.register) == (CONTACT, "event/QUEUED")
    assert fact.version == "2026-01-02T03:04:05.000Z"
    assert fact.data == data


def test_both_regions_of_a_linked_pair_publish_the_same_register_and_version() -> None:
    time = {"initiationTimestamp": OWN}
    here = only(envelope(detail(**time)))
    other = detail(**time) | {"instanceArn": ARN.replace("eu-central-1", "eu-west-2")}
    there = only(envelope(other, region="eu-west-2", time="2026-01-02T03:05:07Z"))
    assert (here.contact_id, here.register, here.version) == (
        there.contact_id,
        there.register,
        there.version,
    )


def test_plain_strings_in_place_of_objects_are_tolerated() -> None:
    data = detail(eventType="QUEUED", queueInfo="a queue", agentInfo="an agent")
    assert only(envelope(data)).version == "2026-01-02T03:04:59.000Z"


@pytest.mark.parametrize("contact_id", [None, "", "  ", 7, ["x"], "a b", "ä", "x" * 257, "a/b"])
def test_an_event_without_a_usable_contact_id_goes_to_quarantine(contact_id: object) -> None:
    (outcome,) = decode(envelope(detail(contactId=contact_id)))
    assert outcome == Undecodable("contact id missing or of unknown form")


@pytest.mark.parametrize("kind", [None, "", " ", 7, {}, "x" * 65, "ä", "a\nb"])
def test_an_event_without_a_usable_type_goes_to_quarantine(kind: object) -> None:
    (outcome,) = decode(envelope(detail(eventType=kind)))
    assert outcome == Undecodable("event type missing or of unknown form")


@pytest.mark.parametrize("data", [None, "text", [], 5])
def test_an_event_without_a_detail_object_goes_to_quarantine(data: object) -> None:
    (outcome,) = decode(envelope(data))
    assert outcome == Undecodable("contact event without detail")


def test_nesting_that_cannot_be_written_again_goes_to_quarantine() -> None:
    deep = b'{"eventType":"X","contactId":"c","x":' + b"[" * 500 + b"]" * 500 + b"}"
    assert decode(deep) == [Undecodable("nested too deeply")]


def test_the_digest_tells_different_data_apart_and_nothing_else() -> None:
    first, again = only(envelope(detail(a=1, b=2))), only(envelope(detail(b=2, a=1), id="x"))
    assert first.digest == again.digest
    assert len(first.digest) == 32
    assert first.digest != only(envelope(detail(a=1, b=3))).digest
