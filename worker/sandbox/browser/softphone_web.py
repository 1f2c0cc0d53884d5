"""The softphone's web side: the framed page, its stream of states, its actions, and the sign-in."""

from __future__ import annotations

import html

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from worker.sandbox.browser.requests import RefusedError, answer


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from worker.sandbox.browser.softphone import Softphone


FILES: Final = Path(__file__).parent / "softphone"

#: Where the framed page is, as in Connect.
PATH: Final = "/ccp-v2/"

#: Names the agent of a browser. Connect's own cookie is needed in a foreign page's frame, too.
COOKIE: Final = "softphone-agent"

_POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'"
_CLOSING: Final = "closing.html"


def application(softphone: Softphone) -> Starlette:
    """What is served at the softphone's origin."""
    web = _Web(softphone)
    return Starlette(
        routes=[
            Route(PATH, web.page),
            Route("/login", web.login),
            Route("/login", web.signed, methods=["POST"]),
            Route("/agents/{agent}/events", web.events),
            Route("/agents/{agent}/requests", web.request, methods=["POST"]),
            Route("/agents/{agent}/logout", web.logout, methods=["POST"]),
            Mount("/static", StaticFiles(directory=FILES)),
        ]
    )


def page(name: str, **fields: str) -> str:
    """A page of the folder with its fields filled in, as text that HTML takes literally."""
    text = (FILES / name).read_text(encoding="utf-8")
    return Template(text).substitute({n: html.escape(v) for n, v in fields.items()})


class _Web:
    def __init__(self, softphone: Softphone) -> None:
        self._softphone = softphone

    async def page(self, request: Request) -> Response:
        """The softphone, or the sign-in, which no page may frame."""
        agent = self._who(request)
        if not self._softphone.signed_in(agent):
            asked = request.query_params.get("agent", "")
            return RedirectResponse(f"/login?{urlencode({'agent': asked})}", 302, _UNFRAMED)
        policy = _POLICY + self._framing(request)
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
        return HTMLResponse(page("ccp.html", agent=agent), headers=headers)

    async def login(self, request: Request) -> Response:
        """The first page of the sign-in."""
        agent = request.query_params.get("agent", "")
        form = "provider.html" if self._softphone.saml else "login.html"
        return HTMLResponse(page(form, agent=agent), headers=_UNFRAMED)

    async def signed(self, request: Request) -> Response:
        """What a page of the sign-in sends: the next page, or the softphone."""
        form = parse_qs((await request.body()).decode(), keep_blank_values=True)
        agent = form.get("agent", [""])[0]
        if not agent:
            return RedirectResponse("/login", 303)
        if "password" not in form:
            return HTMLResponse(page("password.html", agent=agent), headers=_UNFRAMED)
        self._softphone.sign_in(agent, "Offline")
        if self._softphone.popup_closes:
            answered: Response = HTMLResponse(page(_CLOSING), headers=_UNFRAMED)
        else:
            answered = RedirectResponse(PATH, 303)
        answered.set_cookie(COOKIE, agent, secure=True, httponly=True, samesite="none")
        return answered

    async def events(self, request: Request) -> Response:
        """What the page is to know, as it happens."""
        agent = request.path_params["agent"]
        if not self._softphone.signed_in(agent):
            return Response(status_code=401)
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(self._told(agent), 200, headers, "text/event-stream")

    async def request(self, request: Request) -> Response:
        """Something that the agent, or the page around, wants done."""
        agent = request.path_params["agent"]
        if not self._softphone.signed_in(agent):
            return Response(status_code=401)
        asked = orjson.loads(await request.body())
        if asked["method"] == "broadcast":
            self._softphone.broadcast(agent, asked["params"]["event"], asked["params"]["data"])
            return _json({"data": {}})
        try:
            return _json({"data": answer(self._softphone, agent, asked["method"], asked["params"])})
        except RefusedError as refused:
            return _json({"err": str(refused)})

    async def logout(self, request: Request) -> Response:
        """The agent signs out."""
        self._softphone.sign_out(request.path_params["agent"])
        return Response(status_code=204)

    async def _told(self, agent: str) -> AsyncIterator[bytes]:
        opened = self._softphone.pages.open(agent)
        try:
            while (message := await opened.get()) is not None:
                yield b"data: " + orjson.dumps(message) + b"\n\n"
        finally:
            self._softphone.pages.close(agent, opened)

    def _who(self, request: Request) -> str:
        """Whose page this is: the one asked for, the one signed in here, or the one there is."""
        known = request.query_params.get("agent") or request.cookies.get(COOKIE, "")
        return known or self._softphone.current

    def _framing(self, request: Request) -> str:
        allowed = self._softphone.frame_ancestors
        if allowed is None:
            return ""
        asking = urlsplit(request.headers.get("referer", ""))
        known = f"{asking.scheme}://{asking.netloc}" in set(allowed)
        return "; frame-ancestors 'self'" + "".join(f" {o}" for o in allowed if known)


_UNFRAMED: Final = {
    "Content-Security-Policy": _POLICY + "; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
