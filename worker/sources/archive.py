"""Archives: files, folders and S3 prefixes of stored messages, for replay.

The format is recognised by content, not by name: JSON values one per line, back to back (Firehose),
in an array or pretty-printed, plain or gzipped. Read as a stream, in constant memory.
"""

from __future__ import annotations

import asyncio
import os

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from pipelines.decode.envelope import foreign_format
from pipelines.decode.split import HEAD_BYTES, Piece, Splitter
from worker import aws
from worker.errors import ConfigError, WorkerError
from worker.faults import Faults
from worker.sources.protocol import Handle, Message
from worker.sources.unpack import DamagedStream, Unpacker


S3_SCHEME = "s3://"

#: Most messages and bytes in one batch; a single longer message is a batch by itself. Of 1000 each
#: contact is loaded and saved half as often again; of 10,000 a replay needs more than 150 MB.
BATCH_MESSAGES = 4000
BATCH_BYTES = 8 * 1024 * 1024

#: Bytes read at a time.
CHUNK_BYTES = 256 * 1024

# A zero byte this early means audio, an image or UTF-16, not JSON.
_SNIFFED_BYTES = 4096
NOT_TEXT = "not a file of JSON"

#: Opens an S3 client (aiobotocore) for as long as it is needed.
ClientFactory = Callable[[], AbstractAsyncContextManager[Any]]


@dataclass(slots=True)
class Progress:
    """How far a replay is, in bytes as stored (compressed); ``total`` is 0 before the start."""

    read: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    """One file or S3 object.

    Attributes:
        name: Its path below its source, in S3 its key; on disk perhaps not valid text.
        size: Bytes.
        path: Its full path, if on disk.
        bucket: Its bucket, if in S3.
        source: How error messages name its source.
        place: How error messages name it within its source; file names may contain people's names.
    """

    name: str
    size: int
    path: str = ""
    bucket: str = ""
    source: str = ""
    place: str = ""

    @property
    def origin(self) -> str:
        """Its name as text, with invalid bytes escaped."""
        return self.name.encode(errors="backslashreplace").decode()

    @property
    def folders(self) -> str:
        """Its name as text that orders files as a folder is read: a space is before all letters."""
        return self.origin.replace("/", " ")


class Archive:
    """Messages from files, folders (hidden files left out) and S3 prefixes, in sorted order.

    Args:
        paths: Files, folders or ``s3://bucket/prefix``.
        s3: Opens the S3 client; needed for S3 paths only.
        faults: Contains bugs in reading one file.

    Attributes:
        progress: Bytes read, and in total.
    """

    def __init__(
        self, paths: Sequence[str], s3: ClientFactory | None = None, faults: Faults | None = None
    ) -> None:
        self.progress = Progress()
        self._paths = paths
        self._s3 = s3
        self._faults = faults or Faults()

    async def run(self, handle: Handle, stop: asyncio.Event) -> None:
        """Deliver everything once, in batches (see ``Source``).

        Raises:
            ConfigError: a path is missing or cannot be read.
        """
        async with self._client() as client:
            files = [
                file
                for number, path in enumerate(self._paths, 1)
                for file in await _listed(path, number, client)
            ]
            self.progress = Progress(total=sum(file.size for file in files))
            async with aclosing(self._messages(files, client)) as messages:
                await _deliver(messages, handle, stop)

    def _client(self) -> AbstractAsyncContextManager[Any]:
        """The S3 client, if a path needs one."""
        if not any(path.startswith(S3_SCHEME) for path in self._paths):
            return nullcontext()
        if self._s3 is None:
            raise ConfigError("an s3:// path needs AWS access; set it up or give local paths only")
        return self._s3()

    async def _messages(self, files: Sequence[_File], client: Any) -> AsyncGenerator[Message, None]:
        done = 0
        for number, file in enumerate(files):
            ordinal = 0
            async with aclosing(self._contained_pieces(file, client)) as pieces:
                async for body, damage in pieces:
                    ordinal += 1
                    origin = f"archive:{file.origin}:{ordinal}"
                    place = f"{file.folders} {number:06d} {ordinal:012d}"
                    yield Message(body, origin, damage, place=place)
            done += file.size
            self.progress.read = done  # counts what was not read because of damage too

    async def _contained_pieces(self, file: _File, client: Any) -> AsyncGenerator[Piece, None]:
        """The values in one file. Its fault boundary: a bug counts as damage at the end."""
        try:
            async with aclosing(self._pieces(file, client)) as pieces:
                async for piece in pieces:
                    yield piece
        except WorkerError:
            raise
        except Exception as error:  # noqa: BLE001 - the boundary contains every bug
            fault = self._faults.note("archive", error, file=file.place.strip(" ,"))
            yield Piece(b"", str(fault))

    async def _pieces(self, file: _File, client: Any) -> AsyncGenerator[Piece, None]:
        """The values in one file. What cannot be decompressed or is not text ends as damage."""
        unpacker, splitter = Unpacker(), Splitter()
        sniffed = False
        try:
            async with aclosing(self._chunks(file, client)) as chunks:
                async for chunk in chunks:
                    for data in unpacker.feed(chunk):
                        if not sniffed and (reason := _unreadable(data)):
                            yield Piece(data[:HEAD_BYTES], reason)
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
        """The bytes of one file as stored; the first chunk has at least two, if the file does."""
        with _readable(f"{file.source}{file.place}"):
            async with _opened(file, client) as read:
                chunk = await read()
                if len(chunk) == 1:
                    chunk += await read()
                while chunk:
                    self.progress.read += len(chunk)
                    yield chunk
                    chunk = await read()


def _unreadable(head: bytes) -> str | None:
    """Why a file that begins like this holds no JSON; None: it may."""
    return foreign_format(head) or (NOT_TEXT if b"\0" in head[:_SNIFFED_BYTES] else None)


async def _deliver(messages: AsyncIterator[Message], handle: Handle, stop: asyncio.Event) -> None:
    """Collect messages into batches and deliver them until ``stop`` is set."""
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
def _readable(name: str) -> Iterator[None]:
    """Report a failure to read as one sentence about the source or file."""
    try:
        yield
    except aws.FAILURES as error:
        raise ConfigError(
            f"{name} cannot be read ({aws.code(error)}): check that it exists and may be read"
        ) from error


@asynccontextmanager
async def _opened(file: _File, client: Any) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """A function that reads the next chunk; b"" at the end."""
    if file.bucket:
        get_object = partial(client.get_object, Bucket=file.bucket, Key=file.name)
        async with await aws.asked(get_object, itemgetter("Body")) as body:
            yield partial(body.read, CHUNK_BYTES)
        return
    stream = await asyncio.to_thread(Path(file.path).open, "rb")
    try:
        yield partial(asyncio.to_thread, stream.read, CHUNK_BYTES)
    finally:
        stream.close()


async def _listed(path: str, number: int, client: Any) -> list[_File]:
    """The files of one source. One in S3 goes by its number, as logs must not name buckets."""
    in_s3 = path.startswith(S3_SCHEME)
    source = f"source {number}" if in_s3 else _text(path)
    with _readable(source):
        if in_s3:
            found = await _listed_in_s3(path, client)
        else:
            found = await asyncio.to_thread(_listed_on_disk, Path(path))
    if in_s3 and not found:
        raise ConfigError(f"nothing is stored under {source}: check bucket and prefix")
    if not found:
        raise ConfigError(f"{source} holds no file: check that it is the right folder")
    alone = [file.path for file in found] == [str(Path(path))]
    return [
        replace(file, source=source, place="" if alone else f", file {n} of {len(found)},")
        for n, file in enumerate(found, 1)
    ]


def _text(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()


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
    found: list[_File] = []
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page, following = await aws.asked(partial(client.list_objects_v2, **request), _page)
        found += [_File(key, size, bucket=bucket) for key, size in page]
        if following is None:
            return sorted(found, key=lambda file: file.name)
        request["ContinuationToken"] = following


def _page(answer: Mapping[str, Any]) -> tuple[list[tuple[str, int]], str | None]:
    """Key and size of each object on one page of a listing, and the token of the next one."""
    objects = [(str(entry["Key"]), int(entry["Size"])) for entry in answer.get("Contents", ())]
    files = [(k, n) for k, n in objects if not k.endswith("/") and "/." not in f"/{k}"]
    return files, answer["NextContinuationToken"] if answer.get("IsTruncated") else None
