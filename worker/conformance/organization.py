"""An organization under test: plain requests, and records that are removed again.

Every record that a probe makes has a recognisable name and an id that is noted before anything is
sent, so that whatever happens it can be removed: at the end, or, if this process was killed, at
the beginning of the next run.
"""

from __future__ import annotations

import asyncio
import re
import uuid

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import orjson

from worker.dynamics.auth import Tokens
from worker.dynamics.classify import read_error, retry_after_s
from worker.dynamics.client import HEADERS
from worker.dynamics.errors import Unavailable
from worker.dynamics.transport import redirect


#: What the name of every record that is made here begins with.
MARK: Final = "connect-dynamics conform"

#: Limit of each request (s); Dataverse's own is 120.
ASK_S: Final = 130.0

#: How often one request is sent at most while Dataverse throttles.
TRIES: Final = 5

#: What may still be carried out after its connection was lost is looked for again so much later.
UNSURE_S: Final = 5.0

#: The tables in which records are made: key, and the column that holds their name.
NAMED: Final[Mapping[str, tuple[str, str]]] = {
    "phonecalls": ("activityid", "subject"),
    "contacts": ("contactid", "lastname"),
    "accounts": ("accountid", "name"),
    "msdyn_applicationtabtemplates": ("msdyn_applicationtabtemplateid", "msdyn_name"),
}

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MISSING: Final = 404
_THROTTLED: Final = 429
_FAILED: Final = 400
#: Not signed in, not allowed, taken already, too much.
_OTHERWISE: Final = frozenset((401, 403, 408, 412, 429))


class CannotTellError(Exception):
    """A probe could not find out; the text says why, without values."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer.

    Attributes:
        status: HTTP status.
        code: Dataverse's error code, "" without one; as it came, unless it is no code.
        message: Its error message. May hold anything: it is never kept.
        headers: By lower-case name.
        body: The JSON object; {} if it is none.
        text: The body as it came.
    """

    status: int
    code: str
    message: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    text: str

    @property
    def failed(self) -> bool:
        """Whether it is a refusal."""
        return self.status >= _FAILED

    def __str__(self) -> str:
        """Status and code: all that is kept of it."""
        return f"{self.status} {self.code}".rstrip()


@dataclass(slots=True)
class Organization:
    """Sends requests as one application user.

    Attributes:
        http: Carries them.
        tokens: Our access tokens.
        root: ``https://org.crm.dynamics.com/api/data/v9.2/``.
        sleep: Waits.
        run: Stands in the names of this run's records.
        heard: What was answered since it was last emptied.
    """

    http: httpx.AsyncClient
    tokens: Tokens
    root: str
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    heard: list[str] = field(default_factory=list)
    _made: list[tuple[str, str]] = field(default_factory=list)
    _unanswered: int = 0

    @property
    def name(self) -> str:
        """A name for a record, another one each time: names may be alternate keys."""
        return f"{MARK} {self.run}-{len(self._made)}"

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        content: str = "",
    ) -> Heard:
        """The answer to a request, whatever it is; while Dataverse throttles it is sent again.

        Args:
            method: GET, POST, PATCH, PUT or DELETE.
            path: Below the root, percent-encoded.
            body: JSON.
            headers: Beside those of every request.
            content: A body that is no JSON, with its ``Content-Type`` among the headers.

        Raises:
            DynamicsError: There is no token, or no answer.
        """
        for attempt in range(1, TRIES + 1):
            answer = await self._once(method, path, body, headers or {}, content)
            if (
                answer.status != _THROTTLED
                or attempt == TRIES
                or "retry-after" not in answer.headers
            ):
                break
            await self.sleep(retry_after_s(answer.headers))
        self.heard.append(str(answer))
        return answer

    def own(self, entity_set: str) -> str:
        """The id of a record that is going to be made, and removed at the end."""
        key = str(uuid.uuid4())
        self._made.append((entity_set, key))
        return key

    def take(self, entity_set: str, key: str) -> None:
        """Remove this record at the end too: Dataverse made it beside one of ours."""
        self._made.append((entity_set, key))

    async def make(self, entity_set: str, **columns: Any) -> str:
        """Make a record; its id.

        Raises:
            CannotTellError: It is refused.
        """
        key, name = NAMED[entity_set]
        record = self.own(entity_set)
        answer = await self.ask("POST", entity_set, {key: record, name: self.name, **columns})
        if answer.failed:
            raise CannotTellError(f"{entity_set} cannot be made ({answer})")
        return record

    async def read(self, path: str) -> dict[str, Any]:
        """The body of what is read.

        Raises:
            CannotTellError: It cannot be.
        """
        answer = await self.ask("GET", path)
        if answer.failed:
            raise CannotTellError(
                f"{path.partition('(')[0].partition('?')[0]} cannot be read ({answer})"
            )
        return answer.body

    async def sweep(self) -> int:
        """Remove what earlier runs have left; how many records that were."""
        found = []
        for entity_set, (key, name) in NAMED.items():
            query = f"$select={key}&$filter=startswith({name},'{MARK}%20')&$top=500"
            answer = await self.ask("GET", f"{entity_set}?{query}")
            found += [(entity_set, str(row[key])) for row in answer.body.get("value", ())]
        self._made += found
        await self.clean()
        return len(found)

    async def clean(self) -> list[str]:
        """Remove what was made, last first; what could not be removed, as ``set(id)``."""
        left = [one for one in reversed(self._made) if not await self._removed(*one)]
        if self._unanswered:
            await self.sleep(UNSURE_S)
            left = [one for one in reversed(self._made) if not await self._removed(*one)]
        self._made = list(reversed(left))
        return [f"{entity_set}({key})" for entity_set, key in left]

    async def _removed(self, entity_set: str, key: str) -> bool:
        if not _GUID.fullmatch(key):
            return False
        try:
            answer = await self.ask("DELETE", f"{entity_set}({key})")
        except Unavailable:
            return False
        return not answer.failed or answer.status == _MISSING

    async def _once(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], content: str
    ) -> Heard:
        token = await self.tokens.token()
        sent = httpx.Headers({**HEADERS, "Authorization": f"Bearer {token}"})
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers)
        data = content.encode() if body is None else orjson.dumps(body)
        self._unanswered += 1
        try:
            async with asyncio.timeout(ASK_S):
                reply = await self.http.request(
                    method, self.root + path, headers=sent, content=data or None
                )
        except TimeoutError:
            raise Unavailable(f"{method} got no answer in time") from None
        except httpx.RequestError as error:
            raise Unavailable(f"{method} got no answer: {type(error).__name__}") from None
        self._unanswered -= 1
        if host := redirect(reply.status_code, reply.headers):
            raise Unavailable(f"{method} was redirected to {host}, which gets no token")
        return _heard(reply)


def accepted(answer: Heard) -> bool:
    """Whether it was done; False: refused as such.

    Raises:
        CannotTellError: Refused for what has nothing to do with the question.
    """
    if answer.status in _OTHERWISE or answer.status >= 500:  # noqa: PLR2004 - HTTP
        raise CannotTellError(f"answered {answer}")
    return not answer.failed


def _heard(reply: httpx.Response) -> Heard:
    code, message = read_error(reply.content)
    try:
        parsed = orjson.loads(reply.content)
    except orjson.JSONDecodeError:
        parsed = None
    body = parsed if isinstance(parsed, dict) else {}
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return Heard(reply.status_code, code, message, headers, body, reply.text)
