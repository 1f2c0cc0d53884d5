"""Splitting a stream of bytes into the JSON values it holds.

Values may stand one per line, side by side without separators (Firehose), as elements of an array,
or be printed over several lines. Nothing is parsed here: a piece may turn out not to be JSON.
After a broken value, reading goes on at the next one that can be made out: at a line that begins
with one and is indented no deeper. So a value printed over a hundred lines is one broken piece.
"""

from __future__ import annotations

import re

from collections.abc import Iterator
from functools import cache
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
_MARGIN = re.compile(rb"[ \t]*+")
# Inside a value, up to the next bracket, newline or quote; whole strings are passed over.
_REST = rb'[^"{}\[\]\n]*+'
_STRING = rb'[^"\\\n]*+(?:\\.[^"\\\n]*+)*+'
_PLAIN = re.compile(rb'%b(?:"%b"%b)*+' % (_REST, _STRING, _REST))
_IN_STRING = re.compile(_STRING)
# Arrays may open side by side, and are read in one go: a message may hold nothing else.
_SAME_AGAIN = re.compile(rb"\[++|\{")
# What is no value goes on to the next line that begins with one, or ends before an object that
# touches the end of another, or where the array around it says so.
_JUNK_END = re.compile(rb"\n|(?<=\})\{")
_JUNK_END_IN_ARRAY = re.compile(rb"[\n,\]]|(?<=\})\{")
# In an array a line that begins with a name is what is left of an object.
_MEMBER = re.compile(rb'"[^"\n]*+"[ \t]*+:')
# Deeper indentation than this counts as this.
_DEEPEST = 64
# The most that ``_next_line`` looks at, beside the indentation.
_RESUMED_BYTES = 32
# A line of a log: when, and what; the JSON in it may hold any brackets in its strings.
_LOGGED = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[0-9.,:+Z-]*+[ \t]++")
_LOGGED_BYTES = 48


class Piece(NamedTuple):
    """One value's bytes without space around them; with ``damage``, only its head."""

    body: bytes
    damage: str | None = None


@cache
def _next_line(indent: int) -> re.Pattern[bytes]:
    """Where, after a broken value, a line begins with another that is indented no deeper.

    Printers that write ``}, {`` end one value and begin the next on the same line.
    """
    return re.compile(
        rb"\n(?=[ \t]{0,%d}[{\[]|\d{4}-\d\d-\d\dT)"
        rb"|\n[ \t]{0,%d}\}[ \t]{0,8},?[ \t]{0,8}(?=\{)" % (indent, indent)
    )


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
        self._in_rubble = False  # in what is left of a broken value
        self._indent = 0  # of the line read up to the piece in hand
        self._at_margin = True  # nothing but space on that line so far
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
            if end < 0 and not (self._in_junk or self._in_rubble):
                end = self._broken(len(self._buffer))
            yield from self._take(end if end >= 0 else len(self._buffer))

    def _take(self, end: int) -> list[Piece]:
        """The piece in hand, which ends at ``end``, and be ready for the next."""
        body = self._head or self._buffer[self._start : end].strip()
        too_long = self._head or len(body) > MAX_BYTES
        self._may_reread += end - self._start
        self._may_look += end - self._start
        self._pass(end)
        self._at = end
        self._awaited.clear()
        self._in_string = self._in_junk = self._in_rubble = False
        self._head = b""
        if too_long:
            return [Piece(body[:HEAD_BYTES], TOO_LONG)]
        return [Piece(body)] if body else []

    def _end_of_piece(self, *, final: bool) -> int:
        """Where the piece in hand ends, or -1: not in what is there yet."""
        if self._in_rubble:
            return self._end_of_rubble()
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
        if b"0" <= head[:1] <= b"9":
            near = self._buffer[self._start : self._start + _LOGGED_BYTES]
            if not final and len(near) < _LOGGED_BYTES and b"\n" not in near:
                return -1
            if logged := _LOGGED.match(near):
                return self._end_of_logged(self._start + logged.end())
        self._in_junk = True
        return self._end_of_junk()

    def _skip_gap(self) -> None:
        """Pass over space, commas, byte order marks and the brackets of the array around."""
        while True:
            self._pass(_end(_GAP, self._buffer, self._start))
            self._at = self._start
            bracket = self._buffer[self._start : self._start + 1]
            if bracket != (b"]" if self._in_array else b"["):
                return
            self._in_array = not self._in_array
            self._pass(self._start + 1)

    def _pass(self, end: int) -> None:
        """Leave behind what is before ``end``; how far its last line is indented is kept."""
        if (line := self._buffer.rfind(b"\n", self._start, end) + 1) > 0:
            self._indent, self._at_margin = 0, True
        begin = line or self._start
        if self._at_margin and begin < end:
            if self._buffer[begin] in b" \t":
                text = self._buffer[begin : min(end, begin + _DEEPEST)]
                margin = _end(_MARGIN, text, 0)
                self._indent = min(self._indent + margin, _DEEPEST)
                begin += margin
            self._at_margin = begin == end
        self._start = end

    def _end_of_logged(self, at: int) -> int:
        """The end of a log's line whose message begins at ``at``."""
        self._at = at
        if self._buffer[at : at + 1] == b"{":
            return self._end_of_value()
        self._in_rubble = True
        return self._end_of_rubble()

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
        if not found:
            return -1
        if self._in_array and not (self._at_margin and _MEMBER.match(self._buffer, self._start)):
            return self._at
        if self._buffer[self._at] != _NEWLINE and not self._in_array:
            return self._at
        # Its lines belong to an object that is indented less.
        self._indent = max(self._indent - 1, 0)
        self._in_rubble = True
        return self._end_of_rubble()

    def _end_of_rubble(self) -> int:
        """Where a line begins with another value; -1: not in what is there yet."""
        found = _next_line(self._indent).search(self._buffer, self._at)
        if found:
            return found.end()
        # The last line may turn out to be one, unless it is too long already.
        size = len(self._buffer)
        line = self._buffer.rfind(b"\n", max(self._at, size - self._indent - _RESUMED_BYTES))
        self._at = line if line >= 0 else size
        return -1

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
            if end >= 0 or self._in_rubble:
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
        """Where a value ends that cannot go on at ``at``: where a line begins with another.

        In a value on one line that is ``at`` itself, for others may stand side by side with it.
        """
        last = self._buffer.rfind(b"\n", self._start, at + 1)
        if self._head:
            return self._rubble(at if last < 0 else last)
        line = _next_line(self._indent).search(self._buffer, self._start, at)
        if line is not None and at - line.start() <= self._may_reread:
            self._may_reread -= at - line.start()
            self._by_line = not self._in_array
            return line.end()
        return at if last < 0 else self._rubble(last)

    def _rubble(self, at: int) -> int:
        """Go on from ``at`` in what is left of a broken value; where it ends, or -1."""
        self._in_rubble = True
        self._at = at
        return self._end_of_rubble()
