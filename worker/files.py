"""Reads what Amazon Connect has stored: analyses and transcripts, for notes about them."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import structlog

from worker import aws
from worker.errors import ConfigError, WorkerError
from worker.faults import Faults


#: Larger files are left where they are (bytes); an hour's analysis has about 2 MB.
MOST_BYTES = 16 * 1024 * 1024

#: How much is read at a time (bytes).
CHUNK_BYTES = 1024 * 1024

#: How long reading one may take in all its tries (s). Nothing waits for it longer.
READ_S = 20.0

_log = structlog.get_logger(__name__)


class TooLargeError(WorkerError):
    """The file is larger than ``MOST_BYTES``: it is left where it is."""


class Files(Protocol):
    """Where stored files are."""

    async def read(self, bucket: str, key: str) -> bytes:
        """The file's bytes; b"" if they cannot be read. A note about it then has the link alone."""
        ...


@dataclass(frozen=True, slots=True)
class S3Files:
    """Files in S3; the worker needs ``s3:GetObject``, and ``kms:Decrypt`` where they are encrypted.

    Attributes:
        client: Opens an S3 client.
        faults: Contains bugs in reading one.
    """

    client: Callable[[], AbstractAsyncContextManager[Any]]
    faults: Faults = field(default_factory=Faults)

    async def read(self, bucket: str, key: str) -> bytes:
        """See ``Files``."""
        data = b""
        with self.faults.contained("file"):
            try:
                async with asyncio.timeout(READ_S), self.client() as s3:
                    data = await _contents(s3, bucket, key)
            except (ConfigError, TooLargeError, *aws.FAILURES) as error:
                # Neither the bucket's name nor the key is logged: both may name people.
                _log.warning("files.not_read", reason=aws.code(error))
        return data


async def _contents(s3: Any, bucket: str, key: str) -> bytes:
    """A file's bytes, whether or not S3 says beforehand how many there are.

    Raises:
        TooLargeError: There are more than ``MOST_BYTES``.
        Exception: One of ``aws.FAILURES``.
    """
    asked = partial(s3.get_object, Bucket=bucket, Key=key)
    content, size = await aws.asked(asked, lambda a: (a["Body"], int(a.get("ContentLength") or 0)))
    data = bytearray()
    async with content as body:
        while size <= MOST_BYTES and (chunk := await body.read(CHUNK_BYTES)):
            data += chunk
            size = max(size, len(data))
    if size > MOST_BYTES:
        raise TooLargeError
    return bytes(data)


@dataclass(frozen=True, slots=True)
class MemoryFiles:
    """In-memory twin: files by bucket and key. Without any it is what a dry run reads."""

    files: Mapping[tuple[str, str], bytes] = field(default_factory=dict)

    async def read(self, bucket: str, key: str) -> bytes:
        """See ``Files``."""
        return self.files.get((bucket, key), b"")
