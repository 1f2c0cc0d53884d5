"""A page to play customers by hand, at the softphone's origin: who calls, writes, hangs up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from worker.sandbox.browser.softphone_web import page


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from starlette.requests import Request

    from worker.sandbox.browser.exchange import Exchange
    from worker.sandbox.browser.floor import Ongoing
    from worker.sandbox.traffic.people import Customer


#: What a customer can do, by the name of the exchange's method.
WAYS: Final = {
    "call": "calls",
    "chat": "writes in a chat",
    "email": "sends a mail",
    "task": "needs something done",
    "callback": "wants to be called back",
}


@dataclass(frozen=True, slots=True)
class Switchboard:
    """The page and what its buttons do.

    Attributes:
        exchange: Where everything happens.
        callers: Kinds of customers by name.
        agent: The only agent for what comes; "" for the first who is free.
    """

    exchange: Exchange
    callers: Mapping[str, Callable[[Random], Customer]]
    agent: str = ""

    def routes(self) -> list[Route]:
        """Where it is, to be added to the softphone's application."""
        return [
            Route("/", self._page),
            Route("/switchboard", self._state),
            Route("/switchboard/{act}", self._act, methods=["POST"]),
        ]

    async def _page(self, request: Request) -> Response:
        del request
        return HTMLResponse(page("switchboard.html"), headers={"Cache-Control": "no-store"})

    async def _state(self, request: Request) -> Response:
        """What there is to press."""
        del request
        state: dict[str, Any] = {
            "callers": list(self.callers),
            "ways": WAYS,
            "agents": self._agents(),
            "contacts": [_told(call) for call in self.exchange.ongoing()],
        }
        return Response(orjson.dumps(state), media_type="application/json")

    async def _act(self, request: Request) -> Response:
        """Do what a button says; 404 if what it was about is over."""
        about = request.query_params.get("about", "")
        act = request.path_params["act"]
        if act in WAYS and about in self.callers:
            getattr(self.exchange, act)(self.callers[about](self.exchange.rng), self.agent)
            return Response(status_code=204)
        call = next((call for call in self.exchange.ongoing() if call.leg.id == about), None)
        if call is None or call.over:
            return Response(status_code=404)
        if act == "hang_up":
            self.exchange.hang_up(call.leg)
        elif act == "transfer" and call.leg.answered:
            self.exchange.transfer(call.leg)
        else:
            return Response(status_code=404)
        return Response(status_code=204)

    def _agents(self) -> list[str]:
        softphone = self.exchange.softphone
        return [name for name in softphone.names() if softphone.signed_in(name)]


def _told(call: Ongoing) -> dict[str, Any]:
    leg = call.leg
    state = "is over" if call.over else "waits"
    if call.agent and not call.over:
        state = f"talks to {call.agent}" if leg.answered else f"rings at {call.agent}"
    return {
        "id": leg.id,
        "channel": leg.channel.lower(),
        "customer": leg.customer.name or leg.customer.number,
        "state": state,
        "over": call.over,
        "answered": leg.answered,
    }
