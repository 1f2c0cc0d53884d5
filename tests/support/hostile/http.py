"""HTTP/1.1 as it stands on the wire: a message's head and body, byte for byte."""

from __future__ import annotations

import re

from dataclasses import dataclass
from typing import Final

from hostile.channel import Channel


_BODILESS: Final = re.compile(rb"HTTP/1\.\d (1\d\d|204|304)")


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer.

    Attributes:
        head: First line and headers, with the empty line.
        body: All that follows, chunks as chunks.
    """

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        """As it came."""
        return self.head + self.body

    @property
    def content(self) -> bytes:
        """The body without the chunks' frames."""
        if self.header(b"transfer-encoding") != b"chunked":
            return self.body
        content, rest = b"", self.body
        while size := int(rest.partition(b"\r\n")[0], 16):
            rest = rest.partition(b"\r\n")[2]
            content, rest = content + rest[:size], rest[size + 2 :]
        return content

    @property
    def about(self) -> str:
        """Of a request: method, path without query, and which call of AWS it is."""
        method, path, _ = self.head.decode("latin-1").split(" ", 2)
        target = self.header(b"x-amz-target").decode("latin-1")
        return f"{method} {path.partition('?')[0]} {target}".rstrip()

    @property
    def framed(self) -> bool:
        """Whether an answer says itself where it ends."""
        lengths = self.header(b"content-length") or self.header(b"transfer-encoding")
        return bool(lengths or _BODILESS.match(self.head))

    def header(self, name: bytes) -> bytes:
        """The header's value, b"" without one."""
        found = re.search(rb"(?im)^" + name + rb":[ \t]*([^\r\n]*)", self.head)
        return found[1].strip() if found else b""

    def without(self, *names: bytes) -> Message:
        """The same without these headers."""
        kept = re.sub(rb"(?im)^(?:" + b"|".join(names) + rb"):[^\n]*\n", b"", self.head)
        return Message(kept, self.body)

    def having(self, *headers: bytes) -> Message:
        """The same with these headers more."""
        added = b"".join(header + b"\r\n" for header in headers)
        return Message(self.head[:-2] + added + b"\r\n", self.body)


async def read_head(channel: Channel) -> bytes:
    """A message up to its empty line.

    Raises:
        OSError: The other side ended first.
    """
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await channel.line()
    return head


async def read_body(channel: Channel, head: bytes, *, answer: bool) -> bytes:
    """What follows a head.

    Raises:
        OSError: The other side ended first.
    """
    message = Message(head, b"")
    if answer and _BODILESS.match(head):
        return b""
    if message.header(b"transfer-encoding") == b"chunked":
        return await _chunks(channel)
    if length := message.header(b"content-length"):
        return await channel.exactly(int(length))
    return await channel.rest() if answer else b""


async def _chunks(channel: Channel) -> bytes:
    body = b""
    while True:
        line = await channel.line()
        size = int(line, 16)
        body += line + await channel.exactly(size + 2)
        if not size:
            return body
