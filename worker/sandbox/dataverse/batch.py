"""``$batch``: several requests in one [DOC webapi/execute-batch-operations-using-web-api]."""

from __future__ import annotations

import re

from contextlib import nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.odata.wire import BATCH_URL_LIMIT, Call, Reply, prefer


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager


MAX_REQUESTS: Final = 1000
FAILED: Final = 400  # statuses from here on

_BOUNDARY: Final = re.compile(r'multipart/mixed;.*?boundary="?([^";]+)"?', re.IGNORECASE)
_API: Final = re.compile(r"(?:https?://[^/]+)?/?api/data/v9\.\d+/")
_REFERENCE: Final = re.compile(r"\$(\d+)(?![\w$])")
_REFERRING: Final = re.compile(rb"@odata\.(?:bind|id)")
_GONE: Final = "Microsoft.OData.ODataException: Stream was not readable."


class _Failed(Exception):  # noqa: N818 - ends a transaction, carries the answer out of it
    def __init__(self, part: bytes, status: int) -> None:
        super().__init__(status)
        self.part = part
        self.status = status


@dataclass(frozen=True, slots=True)
class _Part:
    headers: Mapping[str, str]
    content: bytes

    @property
    def boundary(self) -> str | None:
        match = _BOUNDARY.match(self.headers.get("content-type", ""))
        return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Batch:
    """A ``$batch`` request.

    Attributes:
        call: The request as a whole.
        answer: Answers one request of it.
        refuse: The answer to a request with these headers that is refused.
        transaction: All writes within, or none of them if it ends in an exception.
        new_id: Makes ids.
        undoes: Whether a failure without continue-on-error takes back what went before it.
        line_ends: Which line ends it may have; see the switch ``batch_line_ends``.
    """

    call: Call
    answer: Callable[[Call], Reply]
    refuse: Callable[[Refusal, Mapping[str, str]], Reply]
    transaction: Callable[[], AbstractContextManager[None]]
    new_id: Callable[[], str]
    undoes: bool
    line_ends: str

    def run(self) -> Reply:
        """Carry it out.

        Raises:
            Refusal: It cannot be read. Unless a switch says otherwise, line ends must be CRLF,
                after the last boundary too.
        """
        outer = _Part(self.call.headers, self._body())
        if outer.boundary is None:
            raise Refusal(415, "0x80060888", "A batch must be multipart/mixed.")
        parts = list(_split(outer))
        if sum(1 + part.content.count(b"\r\nContent-ID:") for part in parts) > MAX_REQUESTS:
            raise refusals.invalid_argument(f"A batch holds at most {MAX_REQUESTS} requests.")
        undone = self.undoes and not self._goes_on
        try:
            with self.transaction() if undone else nullcontext():
                return self._reply(200, [self._answer(part) for part in parts])
        except _Failed as failed:
            return self._reply(failed.status, [failed.part])

    def _body(self) -> bytes:
        if self.line_ends == "crlf":
            return self.call.body
        return b"".join(line + b"\r\n" for line in self.call.body.splitlines())

    @property
    def _goes_on(self) -> bool:
        return prefer(self.call.headers).continue_on_error

    def _reply(self, status: int, parts: list[bytes]) -> Reply:
        boundary = f"batchresponse_{self.new_id()}"
        headers = [("content-type", f"multipart/mixed; boundary={boundary}")]
        return Reply(status, headers, _join(boundary, parts))

    def _answer(self, part: _Part) -> bytes:
        answer, status = self._change_set(part) if part.boundary else self._single(part, {})
        if status >= FAILED and not self._goes_on:
            raise _Failed(answer, status)
        return answer

    def _change_set(self, part: _Part) -> tuple[bytes, int]:
        """All of a change set or nothing; of a failing one only the failure is answered."""
        boundary = f"changesetresponse_{self.new_id()}"
        made: dict[str, str] = {}
        status = 200
        try:
            with self.transaction():
                answers = [self._change(inner, made) for inner in _split(part)]
        except _Failed as failed:
            answers, status = [failed.part], failed.status
        head = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()
        return head + _join(boundary, answers), status

    def _change(self, part: _Part, made: dict[str, str]) -> bytes:
        answer, status = self._single(part, made, change=True)
        if status >= FAILED:
            raise _Failed(answer, status)
        return answer

    def _single(
        self, part: _Part, made: dict[str, str], *, change: bool = False
    ) -> tuple[bytes, int]:
        content_id = part.headers.get("content-id", "")
        reply = self._carry_out(part, made, change=change)
        if content_id:
            made[content_id] = dict(reply.headers).get("odata-entityid", "")
        return _part(reply, content_id, self.new_id()), reply.status

    def _carry_out(self, part: _Part, made: dict[str, str], *, change: bool) -> Reply:
        try:
            inner = self._read(part, made)
            if inner.path == "$batch" or (change and inner.method == "GET"):
                raise refusals.bad_query("This request is not allowed here.")
        except Refusal as refusal:
            return self.refuse(refusal, self.call.headers)
        return self.answer(inner)

    def _read(self, part: _Part, made: dict[str, str]) -> Call:
        """The request of a part, with ``$1`` replaced by what the request of that id made."""
        head, _, body = part.content.partition(b"\r\n\r\n")
        request, *lines = head.decode().split("\r\n")
        match = re.fullmatch(r"([A-Z]+) (\S.*) HTTP/1\.1", request)  # spaces need no encoding here
        if not match:
            raise refusals.payload("$batch", _GONE)
        url = _referred(match[2], made) if match[2].lstrip("/").startswith("$") else match[2]
        path, _, query = _API.sub("", url, count=1).partition("?")
        headers = {"content-type": "application/json"} | _headers(lines)
        text = _referred(body.decode(), made) if _REFERRING.search(body) else body.decode()
        call = self.call
        inner = Call(match[1], path, query, headers, text.encode(), call.root, call.user)
        inner.url_limit, inner.delegate = BATCH_URL_LIMIT, call.delegate
        return inner


def _referred(text: str, made: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        url = made.get(match[1])
        if url is None:
            message = f"Content-ID Reference: '{match[0]}' does not exist in the batch context."
            raise refusals.bad_query(message)
        return url

    pattern = _REFERENCE if not text.lstrip().startswith("{") else _BOUND
    return pattern.sub(replace, text)


#: A reference as the value of a bind.
_BOUND: Final = re.compile(r'(?<=")/?\$(\d+)(?=")')


def _split(part: _Part) -> Iterator[_Part]:
    boundary = f"--{part.boundary}".encode()
    _, *pieces = (b"\r\n" + part.content).split(b"\r\n" + boundary)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--\r\n"):  # noqa: PLR2004 - a part, the end
        raise refusals.payload("$batch", _GONE)
    for piece in pieces[:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        yield _Part(_headers(head.decode().split("\r\n")), content)


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _join(boundary: str, parts: list[bytes]) -> bytes:
    opening = f"--{boundary}\r\n".encode()
    return b"".join(opening + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def _part(reply: Reply, content_id: str, request_id: str) -> bytes:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {_streamed(value)}" for name, value in reply.headers]
    location = dict(reply.headers).get("odata-entityid")
    if location:
        lines.append(f"Location: {location}")
    lines += ["OData-Version: 4.0", f"REQ_ID: {request_id}", "", ""]
    return "\r\n".join(lines).encode() + reply.body


def _streamed(value: str) -> str:
    """Bodies within a batch say that they are streamed."""
    return f"{value}; odata.streaming=true" if value.endswith("odata.metadata=minimal") else value
