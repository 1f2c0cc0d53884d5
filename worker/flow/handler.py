"""The Lambda's entry: ``worker.flow.handler.handle``.

AWS keeps the process between invocations, and so are event loop, connections, token and answers
of a few seconds ago.
"""

from __future__ import annotations

import asyncio

from contextlib import AsyncExitStack
from typing import Any, Protocol

import structlog

from worker.errors import ConfigError
from worker.flow.answer import answer, degraded, flat
from worker.flow.session import ANSWER_S, FlowSession, open_session
from worker.settings import load_settings
from worker.telemetry.logs import configure


#: What is left of the Lambda's own time limit when the answer must be there (s).
SPARE_S = 0.5

_log = structlog.get_logger(__name__)


class Context(Protocol):
    """The part of AWS's invocation context that is read."""

    def get_remaining_time_in_millis(self) -> int:
        """How long until AWS ends it (ms)."""
        ...


class Environment:
    """One process of the Lambda: what it keeps between invocations."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        self._session: FlowSession | None = None

    def answer(self, event: Any, within_s: float) -> dict[str, str]:
        """See ``worker.flow.answer``. Wrong settings are logged, and read again next time."""
        return self._runner.run(self._answer(event, within_s))

    def close(self) -> None:
        """Close the connections and the loop."""
        self._runner.run(self._open.aclose())
        self._runner.close()

    async def _answer(self, event: Any, within_s: float) -> dict[str, str]:
        try:
            if self._session is None:
                settings = load_settings()
                configure(settings.log_level)
                self._session = await self._open.enter_async_context(open_session(settings))
        except ConfigError as error:
            _log.error("flow.misconfigured", reason=str(error))
            return flat(degraded("the Lambda's settings must be corrected: see its log"))
        return await answer(event, self._session, within_s)


_environment = Environment()


def handle(event: Any, context: Context) -> dict[str, str]:
    """Answer a flow (see ``worker.flow.answer``)."""
    left_s = context.get_remaining_time_in_millis() / 1000
    return _environment.answer(event, min(ANSWER_S, left_s - SPARE_S))
