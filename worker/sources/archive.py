"""Archives: files, folders and S3 prefixes of messages kept earlier, for replay.

Known by content, not by name: JSON values one per line, side by side (Firehose), in an array or
printed over several lines, plain or gzipped. Read as a stream: memory stays flat.
"""

from __future__ import annotations

import asyncio
import os

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipelines.decode.split import HEAD_BYTES, Piece, Splitter
from worker.errors import ConfigError
from worker.sources.protocol import Handle, Message
from worker.sources.unpack import DamagedStream, Unpacker


S3_SCHEME = "s3://"

#: Most messages and bytes of one batch; a single longer message is a batch of its own.
BATCH_MESSAGES = 1000
BATCH_BYTES = 4 * 1024 * 1024

#: Bytes read at a time.
CHUNK_BYTES = 256 * 1024

# A zero byte this early means: recording, picture, UTF-16, but no JSON.
_SNIFFED_BYTES = 4096
NOT_TEXT = "not a file of JSON"

#: Opens an S3 client (aiobotocore) for as long as it is needed.
ClientFactory = Callable[[], AbstractAsyncContextManager[Any]]


@dataclass(slots=True)
class Progress:
    """How far a replay is, in bytes as stored (packed); ``total`` is 0 before the start."""

    read: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    """One file or S3 object: what it is called in origins, its size, and where it is."""

    name: str
    size: int
    path: str
    bucket: str = ""


class Archive:
    """Messages from files, folders (hidden files left out) and S3 prefixes, in sorted order.

    Args:
        paths: Files, folders or ``s3://bucket/prefix``.
        s3: Opens the S3 client; needed for S3 paths only.

    Attributes:
        progress: Bytes read and to be read.
    """

    def __init__(self, paths: Sequence[str], s3: ClientFactory | None = None) -> None:
        self.progress = Progress()
        self._paths = paths
        self._s3 = s3

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Hand out everything once, in batches (see ``Source``).

        Raises:
            ConfigError: a path is missing or cannot be read.
        """
        async with self._client() as client:
            files = [file for path in self._paths for file in await _listed(path, client)]
            self.progress = Progress(total=sum(file.size for file in files))
            async with aclosing(self._messages(files, client)) as messages:
                await _hand_out(messages, handle, stop)

    def _client(self) -> AbstractAsyncContextManager[Any]:
        """The S3 client, if a path needs one."""
        if not any(path.startswith(S3_SCHEME) for path in self._paths):
            return nullcontext()
        if self._s3 is None:
            raise ConfigError("an s3:// path needs AWS access; set it up or give local paths only")
        return self._s3()

    async def _messages(self, files: Sequence[_File], client: Any) -> AsyncGenerator[Message, None]:
        done = 0
        for file in files:
            ordinal = 0
            async with aclosing(self._pieces(file, client)) as pieces:
                async for body, damage in pieces:
                    ordinal += 1
                    yield Message(body, f"archive:{file.name}:{ordinal}", damage)
            done += file.size
            self.progress.read = done  # also what was not read because of damage

    async def _pieces(self, file: _File, client: Any) -> AsyncGenerator[Piece, None]:
        """The values in one file. What cannot be unpacked or is no text ends with damage."""
        unpacker, splitter = Unpacker(), Splitter()
        sniffed = False
        try:
            async with aclosing(self._chunks(file, client)) as chunks:
                async for chunk in chunks:
                    for data in unpacker.feed(chunk):
                        if not sniffed and b"\0" in data[:_SNIFFED_BYTES]:
                            yield Piece(data[:HEAD_BYTES], NOT_TEXT)
                            return
                        sniffed = True
                        for piece in splitter.feed(data):
                            yield piece
            unpacker.finish()
        except DamagedStream as damage:
            last = splitter.finish(str(damage))
        else:
            last = splitter.finish()
        for piece in last:
            yield piece

    async def _chunks(self, file: _File, client: Any) -> AsyncGenerator[bytes, None]:
        """The bytes of one file as stored; the first chunk has two at least, if the file has."""
        with _readable(file.path):
            async with _opened(file, client) as read:
                chunk = await read()
                if len(chunk) == 1:
                    chunk += await read()
                while chunk:
                    self.progress.read += len(chunk)
                    yield chunk
                    chunk = await read()


async def _hand_out(messages: AsyncIterator[Message], handle: Handle, stop: asyncio.Event) -> None:
    """Gather messages to batches and hand them out until ``stop`` is set."""
    batch: list[Message] = []
    size = 0
    async for message in messages:
        size += len(message.body)
        if batch and (len(batch) >= BATCH_MESSAGES or size > BATCH_BYTES):
            if stop.is_set():
                return
            await handle(batch)
            batch = []
            size = len(message.body)
        batch.append(message)
    if batch and not stop.is_set():
        await handle(batch)


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Turn failures to read into one sentence about the path."""
    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        raise ConfigError(
            f"{path} cannot be read ({type(error).__name__}): check that it exists and may be read,"
            " then start the replay again; nothing is done twice"
        ) from error


@asynccontextmanager
async def _opened(file: _File, client: Any) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """A function that reads the next chunk, b"" at the end."""
    if file.bucket:
        answer = await client.get_object(Bucket=file.bucket, Key=file.name)
        async with answer["Body"] as body:
            yield partial(body.read, CHUNK_BYTES)
        return
    stream = await asyncio.to_thread(Path(file.path).open, "rb")
    try:
        yield partial(asyncio.to_thread, stream.read, CHUNK_BYTES)
    finally:
        stream.close()


async def _listed(path: str, client: Any) -> list[_File]:
    with _readable(path):
        if path.startswith(S3_SCHEME):
            return await _listed_in_s3(path, client)
        return await asyncio.to_thread(_listed_on_disk, Path(path))


def _listed_on_disk(root: Path) -> list[_File]:
    if not root.is_dir():
        return [_File(root.name, root.stat().st_size, str(root))]
    found = []
    for folder, folders, names in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder, name) for name in names if not name.startswith(".")]
    return [
        _File(path.relative_to(root).as_posix(), path.stat().st_size, str(path))
        for path in sorted(found)
        if path.is_file()
    ]


def _raise(error: OSError) -> None:
    raise error


async def _listed_in_s3(path: str, client: Any) -> list[_File]:
    bucket, _, prefix = path.removeprefix(S3_SCHEME).partition("/")
    found = []
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    async for page in pages:
        for entry in page.get("Contents", ()):
            key = entry["Key"]
            if not key.endswith("/") and "/." not in f"/{key}":
                found.append(_File(key, entry["Size"], f"{S3_SCHEME}{bucket}/{key}", bucket))
    if not found:
        raise ConfigError(f"nothing is stored under {path}: check bucket and prefix")
    return sorted(found, key=lambda file: file.name)
