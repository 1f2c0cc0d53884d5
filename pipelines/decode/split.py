"""Splitting a stream of bytes into the JSON values it holds.

Values may stand one per line, side by side without separators (Firehose), as elements of an array,
or be printed over several lines. Nothing is parsed here: a piece may turn out not to be JSON.
After a broken value, reading goes on at the next one that can be made out.
"""

from __future__ import annotations

import re

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple


#: Longest piece in bytes; of a longer one only the head is kept.
MAX_BYTES = 8 * 1024 * 1024
HEAD_BYTES = 64 * 1024

TOO_LONG = "longer than 8 MiB"

# How far ahead a piece's end is looked for before it is read bracket by bracket.
_SIGHT_BYTES = 64 * 1024

# How many bytes may at first be read again: after broken values, or to look for an end ahead.
_REREAD_BYTES = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_QUOTE, _NEWLINE = b'"\n'
_CLOSER = {ord("{"): ord("}"), ord("["): ord("]")}
# What may stand before an opening bracket, by the closing bracket awaited around it.
_BEFORE = {ord("}"): b":", ord("]"): b"[,"}

# Between values. Possessive (*+): what was taken is never given back, so time stays linear.
_GAP = re.compile(rb"(?:[\s,]|\xef\xbb\xbf)*+")
# Inside a value, up to the next bracket, newline or quote; whole strings are passed over.
_REST = rb'[^"{}\[\]\n]*+'
_STRING = rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+'
_PLAIN = re.compile(rb'%b(?:"%b"%b)*+' % (_REST, _STRING, _REST))
_IN_STRING = re.compile(_STRING)
# Arrays may open side by side, and are read in one go: a message may hold nothing else.
_SAME_AGAIN = re.compile(rb"\[++|\{")
# What is no value ends at its line, before an object that touches the end of another, or where
# the array around it says so.
_JUNK_END = re.compile(rb"\n|(?<=\})\{")
_JUNK_END_IN_ARRAY = re.compile(rb"[\n,\]]|(?<=\})\{")
# A broken value ends where a line begins with a value, if one does.
_NEXT_LINE = re.compile(rb"\n(?=\{)")


class Piece(NamedTuple):
    """One value's bytes without space around them; with ``damage``, only its head."""

    body: bytes
    damage: str | None = None


def split(body: bytes, most: int | None = None) -> list[bytes]:
    """The JSON values in a whole body, or the first ``most`` of them."""
    return [piece.body for piece in islice(_pieces(body), most)]


def _pieces(body: bytes) -> Iterator[Piece]:
    splitter = Splitter()
    yield from splitter.feed(body)
    yield from splitter.finish()


def _end(pattern: re.Pattern[bytes], buffer: bytes, start: int) -> int:
    """Where what the pattern takes from ``start`` on ends; it may take nothing."""
    taken = pattern.match(buffer, start)
    return taken.end() if taken else start


class Splitter:
    """Splits a stream handed over chunk by chunk; holds one value and one chunk at most."""

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0  # of the piece in hand
        self._at = 0  # read up to here
        self._line_end = -1  # first newline after _start; -1: not looked for yet
        self._awaited = bytearray()  # closing brackets, innermost last
        self._in_string = False
        self._in_junk = False
        self._in_array = False  # inside an array that only holds the values together
        self._by_line = False  # after a broken value: none goes on past the end of its line
        self._head = b""  # of a piece that is too long
        # Both grow with what is read, so time stays linear.
        self._may_reread = _REREAD_BYTES
        self._may_look = _REREAD_BYTES

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """The pieces that end in this chunk; take all of them before the next call."""
        self._buffer = self._buffer[self._start :] + chunk
        self._at -= self._start
        self._start = 0
        self._line_end = -1
        while (end := self._end_of_piece(final=False)) >= 0:
            yield from self._take(end)
        if self._head or self._at - self._start > MAX_BYTES:
            self._head = self._head or self._buffer[self._start :][:HEAD_BYTES]
            self._start = self._at

    def finish(self, damage: str | None = None) -> Iterator[Piece]:
        """The pieces left at the end of the stream.

        Args:
            damage: Why the stream ends here, if it should go on: what is left is one damaged
                piece then, even if it is empty.
        """
        if damage:
            yield Piece(self._head or self._buffer[self._start :].strip(), damage)
            return
        while self._start < len(self._buffer) or self._head:
            end = self._end_of_piece(final=True)
            yield from self._take(end if end >= 0 else self._broken(len(self._buffer)))

    def _take(self, end: int) -> list[Piece]:
        """The piece in hand, which ends at ``end``, and be ready for the next."""
        body = self._head or self._buffer[self._start : end].strip()
        too_long = self._head or len(body) > MAX_BYTES
        self._may_reread += end - self._start
        self._may_look += end - self._start
        self._start = self._at = end
        self._awaited.clear()
        self._in_string = self._in_junk = False
        self._head = b""
        if too_long:
            return [Piece(body[:HEAD_BYTES], TOO_LONG)]
        return [Piece(body)] if body else []

    def _end_of_piece(self, *, final: bool) -> int:
        """Where the piece in hand ends, or -1: not in what is there yet."""
        if self._awaited:
            return self._end_of_value()
        if self._in_junk:
            return self._end_of_junk()
        return self._end_of_next(final=final)

    def _end_of_next(self, *, final: bool) -> int:
        """Go to the next piece and read it."""
        self._skip_gap()
        head = self._buffer[self._start : self._start + len(_BOM)]
        if not head or (not final and len(head) < len(_BOM) and _BOM.startswith(head)):
            return -1
        if head[0] in _CLOSER:
            end = self._end_at_sight()
            return end if end >= 0 else self._end_of_value()
        self._in_junk = True
        return self._end_of_junk()

    def _skip_gap(self) -> None:
        """Pass over space, commas, byte order marks and the brackets of the array around."""
        while True:
            self._start = self._at = _end(_GAP, self._buffer, self._start)
            bracket = self._buffer[self._start : self._start + 1]
            if bracket != (b"]" if self._in_array else b"["):
                return
            self._in_array = not self._in_array
            self._start += 1

    def _end_at_sight(self) -> int:
        """Where a piece ends that need not be read bracket by bracket, or -1.

        Outside strings no JSON value has an opening brace after a closing one. So a value ends
        between a line that ends with the one and a line that begins with the other; and between
        the two side by side, if the quotes before them pair up.
        """
        if self._in_array:  # values there end with a comma
            return -1
        if self._line_end < self._start:
            found = self._buffer.find(b"\n", self._start)
            self._line_end = found if found >= 0 else len(self._buffer)
        end = min(self._line_end, self._start + _SIGHT_BYTES)
        if end - self._start > self._may_look:
            return -1
        touch = self._buffer.find(b"}{", self._start, end)
        self._may_look -= (touch if touch >= 0 else end) - self._start
        if touch >= 0:
            value = self._buffer[self._start : touch]
            return -1 if b"\\" in value or value.count(b'"') % 2 else touch + 1
        line = self._buffer[self._start : end]
        if self._buffer[end : end + 2] != b"\n{" or not line.rstrip().endswith(b"}"):
            return -1
        self._by_line = False
        return end

    def _end_of_junk(self) -> int:
        pattern = _JUNK_END_IN_ARRAY if self._in_array else _JUNK_END
        found = pattern.search(self._buffer, max(self._at, self._start + 1))
        self._at = found.start() if found else len(self._buffer)
        return self._at if found else -1

    def _end_of_value(self) -> int:
        """Read on until the value is closed or seen to be broken; -1: more is needed."""
        while True:
            if self._in_string:
                self._at = _end(_IN_STRING, self._buffer, self._at)
                if self._buffer[self._at : self._at + 1] != b'"':
                    return self._end_of_line_in_string()
                self._in_string = False
                self._at += 1
            self._at = at = _end(_PLAIN, self._buffer, self._at)
            if at == len(self._buffer):
                return -1
            self._at = at + 1
            end = self._end_with(self._buffer[at], at)
            if end >= 0:
                return end

    def _end_of_line_in_string(self) -> int:
        """Where a string is broken because its line ends; -1: more is needed."""
        at = self._at + self._buffer.startswith(b"\\", self._at)  # not even escaped may it go on
        return self._broken(at) if self._buffer.startswith(b"\n", at) else -1

    def _end_with(self, byte: int, at: int) -> int:
        """Where the value ends because of this bracket, newline or quote; -1: it goes on."""
        if byte == _QUOTE:
            self._in_string = True
        elif byte in _CLOSER:
            if self._awaited and not self._may_open(at):
                return self._broken(at)
            self._at = _end(_SAME_AGAIN, self._buffer, at)
            self._awaited += bytes([_CLOSER[byte]]) * (self._at - at)
        elif byte == _NEWLINE:
            if self._by_line and self._buffer[self._start + 1 : at].strip():
                return self._broken(at)
            self._by_line = False  # a lone bracket: printed over several lines after all
        elif self._awaited.pop() != byte:
            return self._broken(at + 1)
        elif not self._awaited:
            self._by_line = False
            return at + 1
        return -1

    def _may_open(self, at: int) -> bool:
        """Whether JSON allows the bracket at ``at``, inside another, after what is before it."""
        before = at - 1
        while before >= self._start and self._buffer[before] in _SPACE:
            before -= 1
        if before < self._start:  # let go of with the rest of a piece that is too long
            return True
        return self._buffer[before] in _BEFORE[self._awaited[-1]]

    def _broken(self, at: int) -> int:
        """Where a value ends that cannot go on at ``at``: there, or where a line begins anew."""
        line = None if self._head else _NEXT_LINE.search(self._buffer, self._start, at)
        if line is None or at - line.start() > self._may_reread:
            return at
        self._may_reread -= at - line.start()
        self._by_line = not self._in_array
        return line.start()
