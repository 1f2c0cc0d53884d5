"""Statuses that may not follow one another are told where a table enforces that."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.loader import load
from worker.commands.check import ask
from worker.dynamics.protocol import Answer, Request
from worker.sandbox.dataverse.organisation import create_organisation
from worker.sandbox.inprocess import InProcessDynamics
from worker.settings import Settings


TEXT = """
name = "p"
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{{"subject": "x", "statecode": 1, "statuscode": {status}}}'
"""


class Enforcing:
    """The sandbox, with a table in which 4 alone may follow 1, and 2 may follow 4."""

    def __init__(self) -> None:
        self._inner = InProcessDynamics(create_organisation())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        answer = await self._inner.send(request, timeout_s=timeout_s)
        for row in answer.body.get("value") or []:
            row["EnforceStateTransitions"] = True
            for option in (row.get("OptionSet") or {}).get("Options") or []:
                if follows := {1: "4", 4: "2"}.get(option["Value"]):
                    option["TransitionData"] = (
                        f'<allowedtransitions><allowedtransition tostatusid="{follows}"/>'
                        "</allowedtransitions>"
                    )
        return answer


@pytest.mark.parametrize(
    ("status", "told"),
    [(4, ""), (2, "statuscode: 2 may not follow that of an open record; of those that may are 4")],
)
async def test_a_status_that_an_open_record_cannot_get_is_told(status: int, told: str) -> None:
    pipeline = load(TEXT.format(status=status), "p.toml")
    found = [one.text for one in await ask(Enforcing(), Settings(), [pipeline]) if one.wrong]
    assert [told in text for text in found] == ([True] if told else [])
