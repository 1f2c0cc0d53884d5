"""One strange contact ends no worker: whatever decodes can be planned, pushed and stored."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import orjson

from hypothesis import given, settings
from hypothesis import strategies as st


if TYPE_CHECKING:
    from tests.property.conftest import World


thorough = settings(max_examples=60, deadline=None, derandomize=True)


OpenWorld = Callable[..., "AbstractAsyncContextManager[World]"]

CONTACT = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"

#: The names that phases, names, files and the shipped pipeline are made of.
NAMES = (
    "Agent",
    "CustomerEndpoint",
    "DisconnectTimestamp",
    "InitiationMethod",
    "InitiationTimestamp",
    "InstanceARN",
    "LastUpdateTimestamp",
    "Queue",
    "Recording",
    "Recordings",
)

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["VOICE", "INBOUND", "2026-01-02T03:04:05Z", "0001-01-01T00:00:00Z", "9999-12"]
    ),
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Address", "Username", "Name", "Location", "ConnectedToAgentTimestamp", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
records = st.fixed_dictionaries(
    {"AWSContactTraceRecordFormatVersion": st.just("1"), "ContactId": st.just(CONTACT)},
    optional=dict.fromkeys(NAMES, values),
)
details = st.fixed_dictionaries(
    {"eventType": texts, "contactId": st.just(CONTACT)},
    optional={name[0].lower() + name[1:]: values for name in NAMES}
    | {"agentInfo": values, "queueInfo": values, "endpoints": values},
)


def voice(message: dict[str, Any]) -> dict[str, Any]:
    """Of a kind that the pipeline admits, so that it is rendered."""
    channel = "Channel" if "ContactId" in message else "channel"
    return message | {channel: "VOICE"}


@thorough
@given(messages=st.lists(st.one_of(records, details).map(voice), min_size=1, max_size=3))
async def test_whatever_a_contact_is_told_to_be_the_worker_goes_on(
    open_world: OpenWorld, messages: list[dict[str, Any]]
) -> None:
    async with open_world("sandbox post allow") as world:
        await world.tell([orjson.dumps(message) for message in messages])
        assert (await world.store.counts(world.clock())).due == 0
