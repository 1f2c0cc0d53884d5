"""Dynamics in this process: the sandbox's organisation, asked without HTTP, server or token.

``replay`` without an environment sends to it, and so do the simulation and the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import orjson

from worker.dynamics.classify import failure
from worker.dynamics.client import describe, is_create
from worker.dynamics.impersonation import of_caller
from worker.dynamics.protocol import Answer, Request
from worker.sandbox.dataverse.odata.wire import Call, Reply
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


if TYPE_CHECKING:
    from worker.sandbox.dataverse.organisation import Organisation


_ROOT = "https://sandbox.invalid/api/data/v9.2/"


class InProcessDynamics:
    """In-memory twin of ``DataverseClient`` (see ``worker.dynamics.protocol.Dynamics``).

    Args:
        organisation: Who answers.
        client_id: The client whose application user sends.
    """

    def __init__(self, organisation: Organisation, client_id: str = CLIENT_ID) -> None:
        self.organisation = organisation
        self._user_id = application_user(client_id)

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        """Send; the answer is there at once, so there is nothing to repeat.

        Raises:
            DynamicsError: What the answer means, as ``worker.dynamics.classify`` reads it.
        """
        del timeout_s
        reply = self.ask(request)
        headers = httpx.Headers(reply.headers)
        if not httpx.codes.is_success(reply.status):
            creates = is_create(request)
            error = failure(describe(request), reply.status, headers, reply.body, creates=creates)
            raise of_caller(request, error)
        return Answer(reply.status, headers, orjson.loads(reply.body) if reply.body else {})

    def ask(self, request: Request) -> Reply:
        """What the organisation answers, whatever it means."""
        return self.organisation.answer(self.call(request))

    def call(self, request: Request) -> Call:
        """The request as the organisation gets it."""
        path, _, query = request.path.partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = b"" if request.body is None else orjson.dumps(request.body)
        return Call(request.method, path, query, headers, body, _ROOT, self._user_id)

    async def user_id(self) -> str:
        """Our application user's systemuserid."""
        return self._user_id

    async def organization_id(self) -> str:
        """The organisation's id."""
        return self.organisation.records.organisation_id
