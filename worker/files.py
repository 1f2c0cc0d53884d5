"""Reads what Amazon Connect has stored: analyses and transcripts, for notes about them."""

from __future__ import annotations

import asyncio

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from worker import aws


#: Larger files are left where they are (bytes); an hour's analysis has about 2 MB.
MOST_BYTES = 16 * 1024 * 1024

#: How long reading one may take in all its tries (s). Nothing waits for it longer.
READ_S = 20.0

_log = structlog.get_logger(__name__)


class Files(Protocol):
    """Where stored files are."""

    async def read(self, bucket: str, key: str) -> bytes:
        """The file's bytes; b"" if it cannot be had. A note about it then has the link alone."""
        ...


@dataclass(frozen=True, slots=True)
class S3Files:
    """Files in S3; the worker needs ``s3:GetObject``, and ``kms:Decrypt`` where they are encrypted.

    Attributes:
        client: Opens an S3 client.
    """

    client: Callable[[], AbstractAsyncContextManager[Any]]

    async def read(self, bucket: str, key: str) -> bytes:
        """See ``Files``."""
        try:
            async with asyncio.timeout(READ_S), self.client() as s3:
                answer = await s3.get_object(Bucket=bucket, Key=key)
                async with answer["Body"] as body:
                    if answer["ContentLength"] <= MOST_BYTES:
                        return bytes(await body.read())
        except (TimeoutError, *aws.FAILURES) as error:
            _log.warning("files.not_read", bucket=bucket, reason=aws.code(error))
            return b""
        _log.warning("files.not_read", bucket=bucket, reason="too large")
        return b""


@dataclass(frozen=True, slots=True)
class MemoryFiles:
    """In-memory twin: files by bucket and key. Without any it is what a dry run reads."""

    files: Mapping[tuple[str, str], bytes] = field(default_factory=dict)

    async def read(self, bucket: str, key: str) -> bytes:
        """See ``Files``."""
        return self.files.get((bucket, key), b"")
