"""Contact records, whatever their casing and age."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.decode import decode
from pipelines.fact import Fact, Undecodable


CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"


def record(**fields: Any) -> dict[str, Any]:
    return {
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "ContactId": CONTACT,
        "InitiationTimestamp": "2026-01-02T03:00:00Z",
        "DisconnectTimestamp": "2026-01-02T03:04:05Z",
        "LastUpdateTimestamp": "2026-01-02T03:06:07Z",
        **fields,
    }


def only(data: dict[str, Any]) -> Fact:
    (fact,) = decode(orjson.dumps(data))
    assert isinstance(fact, Fact)
    return fact


def test_a_record_is_versioned_by_its_last_update() -> None:
    fact = only(record())
    assert (fact.contact_id, fact.register) == (CONTACT, "record")
    assert fact.version.partition(" ")[0] == fact.at == "2026-01-02T03:06:07.000Z"
    assert fact.data == record()


@pytest.mark.parametrize(
    ("missing", "version"),
    [
        (["LastUpdateTimestamp"], "2026-01-02T03:04:05.000Z"),
        (["LastUpdateTimestamp", "DisconnectTimestamp"], "2026-01-02T03:00:00.000Z"),
        (["LastUpdateTimestamp", "DisconnectTimestamp", "InitiationTimestamp"], ""),
    ],
)
def test_without_a_last_update_the_next_best_time_counts(missing: list[str], version: str) -> None:
    data: dict[str, Any] = record() | dict.fromkeys(missing)
    assert only(data).version.partition(" ")[0] == version


def test_the_format_version_alone_marks_a_record() -> None:
    data = {"AWSContactTraceRecordFormatVersion": "2017-03-10", "ContactId": CONTACT}
    assert only(data).register == "record"


def test_contact_id_and_last_update_alone_mark_a_record() -> None:
    data = {"ContactId": CONTACT, "LastUpdateTimestamp": "2026-01-02T03:06:07Z"}
    assert only(data).register == "record"


@pytest.mark.parametrize("respell", [str.lower, str.upper, lambda name: name[0].lower() + name[1:]])
def test_names_may_be_spelled_in_any_case(respell: Any) -> None:
    data = {respell(name): value for name, value in record().items()}
    fact = only(data)
    assert (fact.register, fact.at) == ("record", "2026-01-02T03:06:07.000Z")
    assert fact.data == data


def test_a_record_without_a_contact_id_goes_to_quarantine() -> None:
    (outcome,) = decode(orjson.dumps(record(ContactId=None)))
    assert outcome == Undecodable("contact id missing or of unknown form")
