"""Decompresses a gzip stream chunk by chunk, in constant memory whatever its size."""

from __future__ import annotations

import zlib

from collections.abc import Iterator


#: The first bytes of a gzip file (RFC 1952).
GZIP_MAGIC = b"\x1f\x8b"

#: Most bytes decompressed at a time; a small chunk can grow to a thousand times its size.
STEP_BYTES = 1024 * 1024

# Window of 32 KiB, with gzip's header and checksum (zlib manual, ``inflateInit2``).
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class DamagedStream(Exception):  # noqa: N818 - says what is the matter
    """The stream cannot be decompressed any further; the text says why."""


class Unpacker:
    """Passes a stream on, decompressed if it begins like gzip (of one or several members)."""

    def __init__(self) -> None:
        self._packed: bool | None = None  # None: nothing seen yet
        self._member: zlib._Decompress | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The bytes in this chunk, in steps.

        Args:
            chunk: The next bytes of the stream; the first chunk has at least two, if there are.

        Raises:
            DamagedStream: what follows is not gzip.
        """
        if self._packed is None:
            self._packed = chunk.startswith(GZIP_MAGIC)
        return self._unpack(chunk) if self._packed else iter((chunk,))

    def finish(self) -> None:
        """Check that the stream may end here.

        Raises:
            DamagedStream: it should not have ended yet.
        """
        if self._member is not None:
            raise DamagedStream("gzip data ends too early")

    def _unpack(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if self._member is None:
                chunk = chunk.lstrip(b"\0")  # padding between members, as gzip itself allows
                self._member = zlib.decompressobj(_GZIP_WINDOW) if chunk else None
                continue
            data, chunk = self._step(self._member, chunk)
            if data:
                yield data

    def _step(self, member: zlib._Decompress, chunk: bytes) -> tuple[bytes, bytes]:
        """One step's bytes, and what of the chunk is left."""
        try:
            data = member.decompress(chunk, STEP_BYTES)
        except zlib.error as error:
            raise DamagedStream("gzip data is damaged") from error
        if member.eof:
            self._member = None
            return data, member.unused_data
        return data, member.unconsumed_tail
