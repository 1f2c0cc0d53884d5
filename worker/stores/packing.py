"""Packing: contacts made small, where a table is paid by the kilobyte.

Contacts are short and alike, so what compresses them is knowing their vocabulary beforehand: names
of contact events, contact records, registers and ledgers (RFC 1950, "preset dictionary"). It
halves them, which no level of compression does.
"""

from __future__ import annotations

import zlib

from functools import lru_cache
from pathlib import Path
from typing import Final

from pipelines.contact import Damaged


#: First line of a packed contact. A release that does not know this form takes it for a newer
#: one's, see ``pipelines.contact``. Another vocabulary needs another form.
PACKED: Final = b'{"form":2,"vocabulary":1}\n'

#: Larger contacts have a vocabulary of their own (bytes).
MOST_BYTES: Final = 64 * 1024

#: zlib's: no higher one makes contacts smaller.
LEVEL: Final = 6


def packed(data: bytes) -> bytes:
    """A contact, as ``Contact.to_bytes`` writes it, made small."""
    if len(data) > MOST_BYTES:
        return data
    packer = zlib.compressobj(LEVEL, zdict=_vocabulary())
    return PACKED + packer.compress(data) + packer.flush()


def unpacked(data: bytes) -> bytes:
    """The bytes given to ``packed``; what was not packed is left as it is.

    Raises:
        Damaged: ``packed`` did not make these.
    """
    if not data.startswith(PACKED):
        return data
    unpacker = zlib.decompressobj(zdict=_vocabulary())
    try:
        found = unpacker.decompress(data[len(PACKED) :]) + unpacker.flush()
    except zlib.error:
        raise Damaged("its contents cannot be unpacked") from None
    if not unpacker.eof or unpacker.unused_data:
        raise Damaged("its contents are not whole")
    return found


@lru_cache(maxsize=1)
def _vocabulary() -> bytes:
    """What most contacts have in them, the most common last. It must never change."""
    return Path(__file__).with_name("vocabulary_1.txt").read_bytes()
