"""Odd contacts are told as they happened, beside what is odd about them."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from pipelines.decode import decode
from pipelines.fact import Undecodable
from torture.oddities import ATTRIBUTES, MESSAGES, tell_oddly
from torture.versions import tell_in_versions
from worker.sandbox.traffic import EVENTS, RECORDS


NOW = datetime(2026, 1, 2, tzinfo=UTC)
SCENARIO = tell_oddly(30, 1, NOW)
ODD = {name for attributes in ATTRIBUTES for name in attributes}


def test_some_contacts_are_odd_and_others_are_not() -> None:
    odd: dict[str, bool] = {}
    for message in SCENARIO.sent:
        if message.stream == RECORDS:
            record = orjson.loads(message.body)
            odd[record["ContactId"]] = bool(ODD & record["Attributes"].keys())
    assert set(odd.values()) == {True, False}


def test_odd_contacts_keep_their_own_attributes_and_everything_else() -> None:
    usual = tell_in_versions(30, 1, NOW)
    assert [leg.id for leg in SCENARIO.legs] == [leg.id for leg in usual.legs]
    told = {(m.at_s, m.stream, m.contact_id): m.body for m in SCENARIO.sent}
    for message in usual.sent:
        odd = told[message.at_s, message.stream, message.contact_id]
        if message.stream == RECORDS:
            before, after = orjson.loads(message.body), orjson.loads(odd)
            assert before.pop("Attributes").items() <= after.pop("Attributes").items()
            assert before == after
        elif message.stream != EVENTS:
            assert odd == message.body


def test_what_is_no_message_is_undecodable() -> None:
    for body in MESSAGES:
        assert any(isinstance(found, Undecodable) for found in decode(body)), body[:30]
