"""Dynamics' pages beside the Web API of a sandbox, as one ASGI application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from worker.sandbox.browser.dynamics import addresses, pages, templates
from worker.sandbox.browser.dynamics.reading import Reading
from worker.sandbox.browser.dynamics.switches import PageSwitches
from worker.sandbox.dataverse.odata.wire import Call
from worker.sandbox.dataverse.users import CLIENT_ID, application_user


if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from worker.sandbox.dataverse.app import Dataverse


SIGN_IN: Final = "/sign-in"

_FILES: Final = Path(__file__).parent / "static"
_LIBRARY: Final = "/webresources/widget/msdyn_cilibrary.js"
_METHODS: Final = ["GET", "POST", "PATCH", "DELETE"]

#: Records hold what anybody wrote: nothing but the pages' own scripts may run.
_OWN_SCRIPTS: Final = "script-src 'self'; object-src 'none'; base-uri 'none'"


class Dynamics:
    """A Dataverse with the pages of Dynamics; give it to ``worker.sandbox.server.serve``.

    Args:
        dataverse: Whose rows the pages show. It answers everything that is no page.
        switches: How the pages behave.

    Attributes:
        app: The ASGI application.
        dataverse: The Dataverse.
        switches: How the pages behave; may be changed.
    """

    def __init__(self, dataverse: Dataverse, switches: PageSwitches | None = None) -> None:
        self.dataverse = dataverse
        self.switches = switches or PageSwitches()
        self._pages = pages.Pages(Reading(dataverse.records))
        self._user = application_user(CLIENT_ID)
        self.app: ASGIApp = Starlette(
            routes=[
                Route(addresses.MAIN, self._main),
                Route(addresses.WORKSPACE, self._workspace),
                Route(f"{addresses.STATIC}/workspace.json", self._setup),
                Route(f"{addresses.STATIC}/data/{{path:path}}", self._data, methods=_METHODS),
                Mount(addresses.STATIC, app=StaticFiles(directory=_FILES)),
                Route(SIGN_IN, self._sign_in),
                Mount("/", app=self._rest),
            ]
        )

    def release(self) -> None:
        """End hanging requests, now and from now on."""
        self.dataverse.release()

    async def _main(self, request: Request) -> Response:
        if not self.switches.signed_in:
            return RedirectResponse(SIGN_IN, 302)
        status, html = self._pages.answer(dict(request.query_params))
        return HTMLResponse(html, status, self._headers())

    async def _workspace(self, _: Request) -> Response:
        if not self.switches.signed_in:
            return RedirectResponse(SIGN_IN, 302)
        html = (_FILES / "workspace.html").read_text("utf-8")
        return HTMLResponse(html, headers=self._headers())

    async def _setup(self, request: Request) -> Response:
        origin = str(request.base_url).rstrip("/")
        setup = templates.workspace(self.dataverse.records, self.switches, origin)
        return JSONResponse(setup, headers={"cache-control": "no-store"})

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        """CIF's library, in whatever case its address is written, and the Dataverse."""
        library = scope["type"] == "http" and scope["path"].lower() == _LIBRARY
        await (self._library() if library else self.dataverse.app)(scope, receive, send)

    def _library(self) -> Response:
        if not self.switches.signed_in:
            return RedirectResponse(SIGN_IN, 302)
        script = (_FILES / "library.js").read_text("utf-8")
        return Response(script, media_type="text/javascript", headers={"cache-control": "no-cache"})

    async def _sign_in(self, _: Request) -> Response:
        return HTMLResponse(pages.sign_in(), headers={"x-frame-options": "DENY"})

    async def _data(self, request: Request) -> Response:
        """The Web API as the person in the browser uses it, for the workspace's own page.

        Pages of other sites are refused, as cookies that are sent within a site alone would do.
        """
        if not self.switches.signed_in:
            return Response("Unauthorized", 401)
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return Response("Forbidden", 403)
        call = Call(
            request.method,
            request.path_params["path"],
            request.url.query,
            dict(request.headers),
            await request.body(),
            f"{request.base_url}api/data/v9.2/",
            self._user,
        )
        reply = self.dataverse.organisation.answer(call)
        return Response(reply.body, reply.status, dict(reply.headers))

    def _headers(self) -> dict[str, str]:
        ancestors = self.switches.frame_ancestors
        framed = f"; frame-ancestors {ancestors}" if ancestors else ""
        headers = {
            "content-security-policy": f"{_OWN_SCRIPTS}{framed}",
            "cache-control": "no-store",
            "referrer-policy": "strict-origin-when-cross-origin",
        }
        if self.switches.coop:
            headers["cross-origin-opener-policy"] = self.switches.coop
        return headers
