"""Dynamics in memory: what the tests of ``push`` and a dry run send to.

It knows creates, updates, conditions, reads, simple filters, parties and closed records, and can
be made to fail. It does as much as the worker uses; ``worker/sandbox`` speaks HTTP.
"""

from __future__ import annotations

import re
import uuid

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import orjson

from worker.dynamics.client import describe, is_create
from worker.dynamics.errors import Closed, DynamicsError, Exists, Missing, Refused
from worker.dynamics.protocol import WHO_AM_I, Answer, Request


#: Our application user, and somebody else.
USER_ID = "aaaaaaaa-0000-4000-8000-000000000001"
PERSON_ID = "bbbbbbbb-0000-4000-8000-000000000002"

OPEN = 0

#: Primary keys that are not the set's name in the singular with ``id``.
PRIMARY_KEYS = dict.fromkeys(
    ("phonecalls", "tasks", "emails", "chats", "appointments", "activitypointers"), "activityid"
)

#: What Dataverse fills in by itself (powerapps-docs ``reference/entities/phonecall`` and others).
DEFAULTS: dict[str, dict[str, Any]] = {
    "phonecalls": {"statuscode": 1, "directioncode": True, "prioritycode": 1},
    "tasks": {"statuscode": 2, "prioritycode": 1},
}

#: What every answer of Dataverse carries.
MARKS = {"OData-Version": "4.0"}

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error to raise for one request; ``committed``: after the request was carried out."""

    error: DynamicsError
    committed: bool = False


#: Decides which requests fail.
Script = Callable[[Request], Failure | None]


def nothing_fails(_request: Request) -> None:
    """The script of a quiet day."""


def in_turn(*failures: Failure | None) -> Script:
    """A script that gives each request its own: None lets it pass, later ones pass too."""
    left = iter(failures)
    return lambda _request: next(left, None)


def primary_key(entity_set: str) -> str:
    """The column that identifies a record: ``contacts`` have ``contactid``."""
    return PRIMARY_KEYS.get(entity_set, f"{entity_set.removesuffix('s')}id")


class MemoryDynamics:
    """In-memory twin of ``DataverseClient`` (see ``protocol.Dynamics``).

    Attributes:
        records: The records by (entity set, key), as a plain read would give them.
        requests: All requests in the order they came, the failed ones too.
        script: Decides which requests fail.
        refuse_closed: Whether closed records refuse updates that do not reopen them; what
            Dataverse does is unverified (reference ``dataverse.md`` section 14), so test both.
    """

    def __init__(
        self, *, refuse_closed: bool = False, script: Script = nothing_fails, user_id: str = USER_ID
    ) -> None:
        self.records: dict[tuple[str, str], Record] = {}
        self.requests: list[Request] = []
        self.script = script
        self.refuse_closed = refuse_closed
        self._user_id = user_id

    async def send(self, request: Request, *, timeout_s: float) -> Answer:  # noqa: ARG002 - the seam's; nothing here takes time
        """Carry the request out, unless the script says otherwise."""
        self.requests.append(request)
        failure = self.script(request)
        if failure is not None and not failure.committed:
            raise failure.error
        answer = self._carry_out(request)
        if failure is not None:
            raise failure.error
        return answer

    async def user_id(self) -> str:
        """Our application user's id."""
        return self._user_id

    def edit(self, entity_set: str, key: str, **columns: Any) -> None:
        """Change a record by hand, as a person does in Dynamics."""
        self.records[entity_set, key].update(columns, _modifiedby_value=PERSON_ID)

    def delete(self, entity_set: str, key: str) -> None:
        """Delete a record by hand."""
        del self.records[entity_set, key]

    def _carry_out(self, request: Request) -> Answer:
        entity_set, key, navigation, query = _split(request)
        if request.path == WHO_AM_I.path:
            return _answer(200, {"UserId": self._user_id})
        match request.method:
            case "GET" if key:
                return _answer(200, _select(self._existing(request, entity_set, key), query))
            case "GET":
                return _answer(200, {"value": self._find(request, entity_set, query)})
            case "POST":
                return self._create(request, entity_set, _key_in_body(request, entity_set), query)
            case "PATCH":
                return self._patch(request, entity_set, key, query)
            case "PUT" if navigation:
                return self._put(request, entity_set, key, navigation)
            case _:
                raise _refused(request)

    def _create(self, request: Request, entity_set: str, key: str, query: dict[str, str]) -> Answer:
        if (entity_set, key) in self.records:
            raise Exists(f"{describe(request)} answered 412", status=412, code="0x80040237")
        record = {
            "statecode": OPEN,
            **DEFAULTS.get(entity_set, {}),
            **_columns(request),
            primary_key(entity_set): key,
            "_createdby_value": self._user_id,
            "_modifiedby_value": self._user_id,
        }
        if record["statecode"] != OPEN:
            # Records start open whatever one asks for.
            record |= {"statecode": OPEN, "statuscode": _default(entity_set, "statuscode")}
        self.records[entity_set, key] = record
        return _written(request, entity_set, key, _select(record, query), created=True)

    def _patch(self, request: Request, entity_set: str, key: str, query: dict[str, str]) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        known = (entity_set, key) in self.records
        if is_create(request) or (not known and headers.get("if-match") != "*"):
            return self._create(request, entity_set, key, query)
        record = self._existing(request, entity_set, key)
        self._check_open(request, record)
        record.update(_columns(request), _modifiedby_value=self._user_id)
        return _written(request, entity_set, key, _select(record, query), created=False)

    def _put(self, request: Request, entity_set: str, key: str, navigation: str) -> Answer:
        record = self._existing(request, entity_set, key)
        self._check_open(request, record)
        record[navigation] = (request.body or {})["value"]
        record["_modifiedby_value"] = self._user_id
        return _answer(204, {})

    def _check_open(self, request: Request, record: Record) -> None:
        reopens = (request.body or {}).get("statecode") == OPEN
        if self.refuse_closed and record["statecode"] != OPEN and not reopens:
            raise Closed(f"{describe(request)} answered 400", status=400, code="0x80040230")

    def _existing(self, request: Request, entity_set: str, key: str) -> Record:
        try:
            return self.records[entity_set, key]
        except KeyError:
            raise Missing(
                f"{describe(request)} answered 404", status=404, code="0x80040217"
            ) from None

    def _find(self, request: Request, entity_set: str, query: dict[str, str]) -> list[Record]:
        matches = _filter(request, query.get("$filter", ""))
        found = [
            _select(record, query)
            for (its_set, _), record in self.records.items()
            if its_set == entity_set and matches(record)
        ]
        return found[: int(query.get("$top", len(found)))]


def _refused(request: Request) -> Refused:
    return Refused(f"{describe(request)} answered 400", status=400, code="0x80060888")


_PATH = re.compile(r"(?P<set>\w+)(?:\((?P<key>[^)]*)\))?(?:/(?P<navigation>\w+))?")


def _split(request: Request) -> tuple[str, str, str, dict[str, str]]:
    """Entity set, key, navigation property and query options; "" where there is none."""
    address = urlsplit(request.path)
    parts = _PATH.fullmatch(unquote(address.path))
    if parts is None:
        raise _refused(request)
    key = (parts["key"] or "").lower()
    return parts["set"], key, parts["navigation"] or "", dict(parse_qsl(address.query))


def _key_in_body(request: Request, entity_set: str) -> str:
    chosen = (request.body or {}).get(primary_key(entity_set))
    return str(chosen or uuid.uuid4()).lower()


def _columns(request: Request) -> Record:
    """The body as a read would give it back: binds become lookup columns."""
    # A copy by way of JSON: the caller keeps its own lists and objects.
    body: Record = orjson.loads(orjson.dumps(request.body or {}))
    return dict(_column(name, value) for name, value in body.items())


def _column(name: str, value: Any) -> tuple[str, Any]:
    """``regardingobjectid_contact@odata.bind`` is read as ``_regardingobjectid_value``."""
    navigation, bound, _ = name.partition("@odata.bind")
    if not bound:
        return name, value
    target = None if value is None else str(value).rpartition("(")[2].rstrip(")").lower()
    return f"_{navigation.partition('_')[0]}_value", target


def _default(entity_set: str, column: str) -> Any:
    return DEFAULTS.get(entity_set, {}).get(column)


def _select(record: Record, query: dict[str, str]) -> Record:
    names = query.get("$select", "")
    return {name: record.get(name) for name in names.split(",")} if names else dict(record)


_TERM = re.compile(
    r"(?P<name>\w+) eq (?:'(?P<text>(?:[^']|'')*)'|(?P<value>\w[\w-]*))"
    r"|(?P<where>startswith|endswith)\((?P<column>\w+),'(?P<pattern>(?:[^']|'')*)'\)"
)
_SHAPE = re.compile(r"[01() ]|and|or")


def _filter(request: Request, text: str) -> Callable[[Record], bool]:
    """Comparisons joined by ``and`` and ``or``; text compares without case, as in Dataverse."""
    if _SHAPE.sub("", _TERM.sub("1", text)):
        raise _refused(request)
    return lambda record: not text or _true(_TERM.sub(lambda term: _holds(term, record), text))


def _holds(term: re.Match[str], record: Record) -> str:
    """1 if a comparison holds for a record, else 0."""
    stored = str(record.get(term["name"] or term["column"])).lower()
    if term["where"]:
        pattern = _like(term["pattern"].replace("''", "'").lower())
        pattern = f"{pattern}.*" if term["where"] == "startswith" else f".*{pattern}"
        return str(int(re.fullmatch(pattern, stored, re.DOTALL) is not None))
    wanted = term["value"] or term["text"].replace("''", "'")
    return str(int(stored == wanted.lower()))


def _like(text: str) -> str:
    """A LIKE pattern as a regular expression."""
    pieces = re.findall(r"\[[^\]]+\]|.", text, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return "".join(wild.get(p) or (p if len(p) > 1 else re.escape(p)) for p in pieces)


def _true(text: str) -> bool:
    """The value of ones and zeros joined by ``and``, ``or`` and parentheses."""
    while "(" in text:
        text = re.sub(r"\(([^()]*)\)", lambda inner: str(int(_true(inner[1]))), text)
    return any("0" not in part for part in text.split(" or "))


def _written(
    request: Request, entity_set: str, key: str, record: Record, *, created: bool
) -> Answer:
    """204 with the record's address, or the record itself if it was asked for."""
    prefer = {name.lower(): value for name, value in request.headers.items()}.get("prefer", "")
    if "return=representation" in prefer:
        return _answer(201 if created else 200, record)
    address = f"https://memory.invalid/api/data/v9.2/{entity_set}({key})"
    return Answer(204, httpx.Headers({**MARKS, "OData-EntityId": address}), {})


def _answer(status: int, body: Record) -> Answer:
    return Answer(status, httpx.Headers(MARKS), body)
