"""The sandbox: an organisation and its token endpoint, as one ASGI application.

Give ``Dataverse.app`` to ``httpx.ASGITransport``, or the whole to ``worker.sandbox.server.serve``.
"""

from __future__ import annotations

import asyncio
import time

from random import Random
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from worker.sandbox.dataverse.limits import Limits, Throttle
from worker.sandbox.dataverse.organisation import Organisation, create_organisation
from worker.sandbox.dataverse.rules import InjectedFaults
from worker.sandbox.dataverse.schema.tables import SHIPPED
from worker.sandbox.dataverse.users import CLIENT_ID, application_user
from worker.sandbox.dataverse.web import Listener, Web
from worker.sandbox.entra import TokenServer


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from worker.sandbox.dataverse.schema.columns import Schema
    from worker.sandbox.dataverse.switches import Switches


CLIENT_SECRET: Final = "sandbox-secret"
TOKEN_LIFETIME_S: Final = 3599
DOP_HINT: Final = 4  # what Microsoft's samples print

#: Where faults are listed, added and removed at run time.
FAULTS: Final = "/sandbox/faults"


class Dataverse:
    """A sandbox; made by ``create_dataverse``.

    Attributes:
        app: The ASGI application.
        tokens: The token endpoint.
        faults: What goes wrong on purpose.
        records: The rows.
        switches: What it does where Dataverse's documentation does not say; may be changed.
    """

    def __init__(self, organisation: Organisation, tokens: TokenServer, web: Web) -> None:
        at_run_time = Route(FAULTS, self._change_faults, methods=["GET", "POST", "DELETE"])
        self.app = Starlette(routes=[Mount("/api/data", app=web), at_run_time, *tokens.routes()])
        self.tokens = tokens
        self.faults = web.faults
        self.records = organisation.records
        self.switches = organisation.switches
        self._organisation = organisation
        self._web = web

    @property
    def organisation(self) -> Organisation:
        """What answers, without requests over HTTP."""
        return self._organisation

    @property
    def requests(self) -> int:
        """How many Web API requests came."""
        return self._web.requests

    @property
    def writes(self) -> int:
        """How many writes succeeded; a bulk message's rows count one each."""
        return self.records.writes

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """All rows; see ``Rows.dump``."""
        return self.records.dump()

    def put(self, entity_set: str, body: Mapping[str, Any], client_id: str = CLIENT_ID) -> str:
        """Make a row as a client would, without a request; its id.

        Raises:
            Refusal: The body does not fit.
        """
        user = application_user(client_id)
        with self.records.transaction():
            table = self.records.schema.tables[entity_set]
            return self._organisation.writer.create(table, body, user).id

    def release(self) -> None:
        """End hanging requests, now and from now on."""
        self._web.closing.set()

    async def _change_faults(self, request: Request) -> Response:
        """GET lists the rules, POST adds those of a JSON list, DELETE removes all."""
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            try:
                self.faults.add(await request.body())
            except ValueError as error:
                return JSONResponse({"error": {"code": "", "message": str(error)}}, 400)
        return Response(self.faults.shown(), media_type="application/json")

    def close(self) -> None:
        """End hanging requests and close the file."""
        self.release()
        self.records.close()


def create_dataverse(
    *,
    path: Path | None = None,
    auth: bool = True,
    clients: Mapping[str, str] | None = None,
    tenants: Sequence[str] = (),
    expires_in_s: int = TOKEN_LIFETIME_S,
    schema: Schema = SHIPPED,
    keys: Mapping[str, Sequence[tuple[str, ...]]] | None = None,
    switches: Switches | None = None,
    limits: Limits | None = None,
    dop_hint: int = DOP_HINT,
    listener: Listener | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    random: Random | None = None,
) -> Dataverse:
    """A sandbox.

    Args:
        path: SQLite file that keeps the rows; None: memory alone.
        auth: Whether requests need a token; without, all are ``CLIENT_ID``'s.
        clients: Secrets by client id; ``CLIENT_ID`` with ``CLIENT_SECRET`` by default.
        tenants: The tenants there are; any by default.
        expires_in_s: How long tokens are valid.
        schema: What tables there are.
        keys: More alternate keys, as columns, by entity set.
        switches: What it does where Dataverse's behaviour is not documented.
        limits: Service protection; None: none.
        dop_hint: What ``x-ms-dop-hint`` recommends.
        listener: Called for every request.
        clock: Wall-clock time (s since 1970).
        sleep: Waits, for latency.
        random: Source of ids, tokens and chance.
    """
    random = random or Random()

    secrets = {CLIENT_ID: CLIENT_SECRET} if clients is None else clients
    organisation = create_organisation(
        path,
        schema=schema,
        keys=keys,
        switches=switches,
        clients=secrets,
        clock=clock,
        random=random,
    )
    tokens = TokenServer(secrets, frozenset(tenants), expires_in_s, clock, organisation.new_id)
    web = Web(
        organisation=organisation,
        authenticate=_by_token(tokens) if auth else _always_default,
        throttle=Throttle(limits, clock) if limits else None,
        faults=InjectedFaults(random, schema.tables),
        dop_hint=dop_hint,
        listener=listener,
        sleep=sleep,
    )
    return Dataverse(organisation, tokens, web)


def _by_token(tokens: TokenServer) -> Callable[[str], str | None]:
    def authenticate(authorization: str) -> str | None:
        client_id = tokens.client(authorization)
        return application_user(client_id) if client_id else None

    return authenticate


def _always_default(_: str) -> str:
    return _DEFAULT_USER


_DEFAULT_USER: Final = application_user(CLIENT_ID)
