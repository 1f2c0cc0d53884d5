"""A session on a sandbox in this process, and a contact flow that asks at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from twins.dynamics import connect_in_process
from worker.definitions import find
from worker.flow.answer import answer
from worker.flow.session import ANSWER_S, FlowSession
from worker.sandbox.dataverse.app import Dataverse, create_dataverse


CONTACT = "c0000000-0000-4000-8000-000000000001"
NUMBER = "+4930901820"


def flow_event(contact: dict[str, Any] | None = None, **parameters: str) -> dict[str, Any]:
    """An event as the Administrator Guide shows it ("connect-lambda-functions")."""
    data = {
        "Attributes": {"CallReason": "invoice"},
        "AwsRegion": "eu-central-1",
        "Channel": "VOICE",
        "ContactId": CONTACT,
        "CustomerEndpoint": {"Address": NUMBER, "Type": "TELEPHONE_NUMBER"},
        "CustomerId": None,
        "InitialContactId": CONTACT,
        "InitiationMethod": "INBOUND",
        "InstanceARN": "arn:aws:connect:eu-central-1:111122223333:instance/i",
        "LanguageCode": "de-DE",
        "MediaStreams": {"Customer": {"Audio": None}},
        "PreviousContactId": CONTACT,
        "Queue": None,
        "References": {},
        "SystemEndpoint": {"Address": "+493012345", "Type": "TELEPHONE_NUMBER"},
        **(contact or {}),
    }
    details = {"ContactData": data, "Parameters": parameters}
    return {"Details": details, "Name": "ContactFlowEvent"}


@dataclass(slots=True)
class Flow:
    """A flow, the session it asks at and the sandbox behind."""

    dataverse: Dataverse
    session: FlowSession
    contact: dict[str, Any] = field(default_factory=dict)

    async def ask(self, **parameters: str) -> dict[str, str]:
        return await answer(flow_event(self.contact, **parameters), self.session, ANSWER_S)

    def know(self, table: str = "contacts", **row: Any) -> str:
        """Let Dynamics have a customer; the key."""
        return self.dataverse.put(table, row)

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.dataverse.dump().get(table, [])


@pytest.fixture
async def flow() -> AsyncIterator[Flow]:
    dataverse = create_dataverse(auth=False)
    async with connect_in_process(httpx.ASGITransport(dataverse.app)) as client:
        yield Flow(dataverse, FlowSession(client, client.gate, find("timeline")))
    dataverse.close()


@pytest.fixture(scope="session")
def event() -> Callable[..., dict[str, Any]]:
    """Makes a flow's event; see ``flow_event``."""
    return flow_event
