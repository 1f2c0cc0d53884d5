"""Archives: any format gives the same messages, in flat memory, and nothing is lost silently."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import tracemalloc

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from aiohttp import ClientPayloadError
from botocore.exceptions import ClientError, IncompleteReadError

from pipelines.decode.split import HEAD_BYTES, MAX_BYTES, Splitter
from worker.errors import ConfigError
from worker.faults import Faults
from worker.sources import archive
from worker.sources.archive import Archive
from worker.sources.protocol import Message


SAMPLES = Path(__file__).parents[2] / "samples"
VALUES = [
    {"eventType": "INITIATED", "contactId": f"c-{n}", "text": '} { "ä" \\', "deep": [{"n": n}]}
    for n in range(7)
]


class FakeS3:
    """As much of an S3 client as the archive uses."""

    def __init__(self, objects: dict[str, bytes], step: int = 1_000_000) -> None:
        self.objects = objects
        self.step = step
        self.open = 0

    @asynccontextmanager
    async def client(self) -> AsyncIterator[FakeS3]:
        self.open += 1
        yield self
        self.open -= 1

    async def list_objects_v2(
        self,
        *,
        Bucket: str,  # noqa: N803 - boto's spelling
        Prefix: str,  # noqa: N803 - boto's spelling
        ContinuationToken: str = "0",  # noqa: N803 - boto's spelling
    ) -> dict[str, Any]:
        if Bucket != "bucket":
            raise ClientError({"Error": {"Code": "NoSuchBucket"}}, "ListObjectsV2")
        keys = [key for key in reversed(self.objects) if key.startswith(Prefix)]
        n = int(ContinuationToken)
        if n >= len(keys):
            return {"IsTruncated": False}
        contents = [{"Key": keys[n], "Size": len(self.objects[keys[n]])}]
        return {"Contents": contents, "IsTruncated": True, "NextContinuationToken": str(n + 1)}

    async def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto's spelling
        assert Bucket == "bucket"
        return {"Body": FakeBody(self, self.objects[Key])}


class FakeBody:
    """A streaming body that hands out at most ``step`` bytes at a time."""

    def __init__(self, s3: FakeS3, data: bytes) -> None:
        self.s3 = s3
        self.data = data

    async def __aenter__(self) -> Self:
        self.s3.open += 1
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.s3.open -= 1

    async def read(self, size: int) -> bytes:
        size = min(size, self.s3.step)
        chunk, self.data = self.data[:size], self.data[size:]
        return chunk


async def batches(*paths: Path | str, s3: FakeS3 | None = None) -> list[list[Message]]:
    found: list[list[Message]] = []

    async def handle(batch: Sequence[Message]) -> None:
        found.append(list(batch))

    source = Archive([str(path) for path in paths], s3.client if s3 else None)
    await source.run(handle, asyncio.Event())
    assert source.progress.read == source.progress.total
    return found


async def messages(*paths: Path | str, s3: FakeS3 | None = None) -> list[Message]:
    return [message for batch in await batches(*paths, s3=s3) for message in batch]


def forms() -> dict[str, bytes]:
    lines = [json.dumps(value, ensure_ascii=False) for value in VALUES]
    printed = [json.dumps(value, indent=2) for value in VALUES]
    texts = {
        "lines": "\n".join(lines) + "\n",
        "lines without end": "\n".join(lines),
        "windows lines": "\r\n".join(lines) + "\r\n",
        "side by side": "".join(lines),
        "array": json.dumps(VALUES),
        "printed array": json.dumps(VALUES, indent=4),
        "printed": "\n".join(printed),
        "printed side by side": "".join(printed),
        "with a byte order mark": "\ufeff" + "\n".join(lines),
    }
    return {name: text.encode() for name, text in texts.items()}


FORMS = forms()


@pytest.mark.parametrize("packed", ["plain", "gzip", "two members"])
@pytest.mark.parametrize("form", FORMS)
async def test_every_form_gives_the_same_messages(tmp_path: Path, form: str, packed: str) -> None:
    body = FORMS[form]
    packings = {
        "plain": body,
        "gzip": gzip.compress(body),
        "two members": gzip.compress(body[:100]) + gzip.compress(body[100:]) + b"\0" * 10,
    }
    path = tmp_path / "day"
    path.write_bytes(packings[packed])
    found = await messages(path)
    assert [json.loads(message.body) for message in found] == VALUES
    assert [message.origin for message in found] == [f"archive:day:{n}" for n in range(1, 8)]
    assert not any(message.damage for message in found)


async def test_a_single_document_is_a_single_message(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"Records": VALUES}, indent=2))
    (message,) = await messages(path)
    assert json.loads(message.body) == {"Records": VALUES}


@pytest.mark.parametrize("body", [b"", b"\n\n", b"[]", gzip.compress(b"", mtime=0)])
async def test_an_empty_file_has_no_messages(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "empty"
    path.write_bytes(body)
    assert await batches(path) == []


async def test_folders_are_read_in_sorted_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ["b/2.json", "a/1.json", "c.json", ".hidden", ".git/x", "b/.part"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"name":"%s"}' % name)  # noqa: UP031 - braces of JSON
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    found = await messages(tmp_path)
    assert [message.origin for message in found] == [
        "archive:a/1.json:1",
        "archive:b/2.json:1",
        "archive:c.json:1",
    ]


@pytest.mark.parametrize("form", forms())
async def test_places_order_as_the_values_of_a_file_do(tmp_path: Path, form: str) -> None:
    (tmp_path / "day").write_bytes(forms()[form])
    places = [message.place for message in await messages(tmp_path / "day")]
    assert places == sorted(set(places))


async def test_places_order_as_files_are_read(tmp_path: Path) -> None:
    """Also where a folder's name goes on in another's, and with more than nine values each."""
    for name in ("2026/b.json", "2026-old/a.json", "2026/a b.json", "2026/a.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'{"a": 1}\n' * 11)
    found = await messages(tmp_path)
    places = [message.place for message in found]
    assert len(places) == 44
    assert places == sorted(set(places))


async def test_batches_are_bounded_by_count_across_files(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text('{"n":1}\n' * 6000)
    assert [len(batch) for batch in await batches(tmp_path)] == [4000, 4000, 4000]


async def test_batches_are_bounded_by_bytes(tmp_path: Path) -> None:
    path = tmp_path / "large"
    sizes = [6_000_000, 2_000_000, 600_000, 8_388_590, 10]
    path.write_text("\n".join(json.dumps({"x": "y" * size}) for size in sizes))
    found = [[len(m.body) for m in batch] for batch in await batches(path)]
    assert [len(batch) for batch in found] == [2, 1, 1, 1]
    assert all(sum(batch) <= archive.BATCH_BYTES or len(batch) == 1 for batch in found)


async def test_a_line_of_50_megabytes_is_damaged_and_never_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.ndjson"
    with path.open("wb") as file:
        file.write(b'{"a":1}\n{"x":"')
        for _ in range(50):
            file.write(b"y" * 1_000_000)
        file.write(b'"}\n{"b":2}\n')
    tracemalloc.start()
    first, long, last = await messages(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (first.body, last.body) == (b'{"a":1}', b'{"b":2}')
    assert long.damage == "longer than 8 MiB"
    assert len(long.body) == HEAD_BYTES
    assert peak < 4 * MAX_BYTES


async def test_a_gzip_bomb_unpacks_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(b" " * 1_000_000)
        file.write(b'{"a":1}')
    tracemalloc.start()
    (message,) = await messages(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message.body == b'{"a":1}'
    assert peak < MAX_BYTES


async def test_of_a_truncated_gzip_the_rest_is_one_damaged_message(tmp_path: Path) -> None:
    noise = [os.urandom(500).hex() for _ in range(200)]
    packed = gzip.compress("\n".join(json.dumps({"x": text}) for text in noise).encode())
    path = tmp_path / "cut.gz"
    path.write_bytes(packed[: len(packed) // 2])
    *whole, rest = await messages(path)
    assert [json.loads(message.body)["x"] for message in whole] == noise[: len(whole)]
    assert len(whole) > 50
    assert rest.damage == "gzip data ends too early"


@pytest.mark.parametrize("end", [b"garbage", b"\x1f\x8bgarbage"])
async def test_after_damage_within_gzip_the_rest_is_one_damaged_message(
    tmp_path: Path, end: bytes
) -> None:
    path = tmp_path / "bad.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n{"b"') + end)
    first, rest = await messages(path)
    assert first.body == b'{"a":1}'
    assert (rest.body, rest.damage) == (b'{"b"', "gzip data is damaged")


async def test_a_file_that_is_no_text_is_one_damaged_message(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF\0\0\0\0" + b"{}\n" * 100_000)
    (tmp_path / "b.json").write_bytes(b'{"b":1}')
    damaged, message = await messages(tmp_path)
    assert damaged.damage == "not a file of JSON"
    assert len(damaged.body) == HEAD_BYTES
    assert message.body == b'{"b":1}'


async def test_a_broken_line_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "broken.ndjson"
    path.write_text('{"a":1}\n{"b":"cut\n{"c":[{"x":1},\n{"d":4}\n')
    assert [m.body for m in await messages(path)] == [
        b'{"a":1}',
        b'{"b":"cut',
        b'{"c":[{"x":1},',
        b'{"d":4}',
    ]


async def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere cannot be read \(FileNotFoundError\)"):
        await batches(tmp_path / "nowhere")


async def test_a_file_that_vanishes_is_told_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text('{"n":1}\n' * 4000)
    (tmp_path / "b").write_text("{}")

    async def handle(_batch: Sequence[Message]) -> None:
        (tmp_path / "b").unlink()

    (tmp_path / "a2").write_text('{"n":1}\n')
    with pytest.raises(ConfigError, match=", file 3 of 3, cannot be read"):
        await Archive([str(tmp_path)]).run(handle, asyncio.Event())


async def test_failures_of_the_handler_are_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("{}")

    async def handle(_batch: Sequence[Message]) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await Archive([str(path)]).run(handle, asyncio.Event())


async def test_after_stop_no_batch_is_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text('{"n":1}\n' * 5000)
    stop = asyncio.Event()
    sizes = []

    async def handle(batch: Sequence[Message]) -> None:
        sizes.append(len(batch))
        stop.set()

    await Archive([str(path)]).run(handle, stop)
    assert sizes == [4000]


async def test_progress_counts_bytes_as_stored(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text('{"n":1}\n' * 200_000)
    source = Archive([str(path)])
    seen = []

    async def handle(_batch: Sequence[Message]) -> None:
        seen.append(source.progress.read)

    await source.run(handle, asyncio.Event())
    assert source.progress.total == path.stat().st_size
    assert 0 < seen[0] < seen[-1] == source.progress.total


@pytest.mark.parametrize("step", [1, 1000])
async def test_objects_under_an_s3_prefix_are_read_in_sorted_order(step: int) -> None:
    s3 = FakeS3(
        {
            "day/2.gz": gzip.compress(b'{"b":2}\n{"c":3}'),
            "day/1.json": b'\xef\xbb\xbf{"a":1}',
            "day/": b"",
            "day/.tmp/x": b"{}",
            "other": b"{}",
        },
        step,
    )
    found = await messages("s3://bucket/day/", s3=s3)
    assert [(m.origin, m.body) for m in found] == [
        ("archive:day/1.json:1", b'{"a":1}'),
        ("archive:day/2.gz:1", b'{"b":2}'),
        ("archive:day/2.gz:2", b'{"c":3}'),
    ]
    assert s3.open == 0


async def test_an_s3_prefix_without_objects_is_told_by_its_number() -> None:
    with pytest.raises(ConfigError, match="nothing is stored under source 1"):
        await batches("s3://bucket/none", s3=FakeS3({}))


async def test_an_s3_bucket_that_cannot_be_read_is_told_by_its_number() -> None:
    with pytest.raises(ConfigError, match=r"source 1 cannot be read \(NoSuchBucket\)"):
        await batches("s3://missing/x", s3=FakeS3({}))


@pytest.mark.parametrize(
    "error",
    [
        ClientPayloadError("a/Mueller"),
        ConnectionResetError(),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_file_that_s3_cuts_short_ends_in_one_sentence_that_names_nothing(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def cut(_body: FakeBody, _size: int) -> bytes:
        raise error

    monkeypatch.setattr(FakeBody, "read", cut)
    with pytest.raises(ConfigError, match=r"^source 1, file 1 of 2, cannot be read") as told:
        await batches("s3://bucket/day", s3=FakeS3({"day/Mueller": b"{}", "day/b": b"{}"}))
    assert "Mueller" not in str(told.value)
    assert "bucket" not in str(told.value)


@pytest.mark.parametrize("times", [1, 1000])
@pytest.mark.parametrize("call", ["read", "feed", "finish"])
async def test_a_bug_in_reading_one_file_is_damage_at_its_end_and_the_next_ones_are_read(
    monkeypatch: pytest.MonkeyPatch, call: str, times: int
) -> None:
    """Of a call that always fails, each file's first piece is lost, and told."""
    owner: Any = FakeBody if call == "read" else Splitter
    well, bugs = getattr(owner, call), [TypeError("Mueller")] * times

    def badly(*arguments: Any, **more: Any) -> Any:
        if bugs:
            raise bugs.pop()
        return well(*arguments, **more)

    monkeypatch.setattr(owner, call, badly)
    faults = Faults()
    found: list[Message] = []

    async def handle(batch: Sequence[Message]) -> None:
        found.extend(batch)

    s3 = FakeS3({"day/a": b'{"a":1}', "day/b": b'{"b":1}'})
    source = Archive(["s3://bucket/day"], s3.client, faults)
    await source.run(handle, asyncio.Event())
    assert {message.origin[:13] for message in found} == {"archive:day/a", "archive:day/b"}
    damaged = [message for message in found if message.damage]
    assert len(damaged) == (1 if times == 1 else 2)
    assert all(str(message.damage).startswith("our bug: TypeError at ") for message in damaged)
    assert sum(faults.counts.values()) == len(damaged)


@pytest.fixture
def named_anyhow(tmp_path: Path) -> Path:
    """A folder and files whose names are no text, or do things to terminals."""
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()
    for name in (b"caf\xe9.json", b"\x1b]0;x\x07.json", "\u202egnp.json".encode()):
        (folder / os.fsdecode(name)).write_bytes(b"junk")
    return folder


async def test_a_file_may_have_a_name_of_any_bytes(named_anyhow: Path) -> None:
    found = await messages(named_anyhow)
    assert [message.origin for message in found] == [
        "archive:\x1b]0;x\x07.json:1",
        "archive:caf\\udce9.json:1",
        "archive:\u202egnp.json:1",
    ]
    assert [message.body for message in found] == [b"junk"] * 3
    for message in found:
        assert message.origin.encode()


async def test_an_s3_path_without_aws_access_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs AWS access"):
        await batches("s3://bucket/x")


@pytest.mark.parametrize("name", ["day.ndjson", "day.firehose.gz", "day.json"])
async def test_the_sample_archives_hold_the_same_day(name: str) -> None:
    day = [json.loads(m.body) for m in await messages(SAMPLES / "day.ndjson")]
    assert [json.loads(m.body) for m in await messages(SAMPLES / name)] == day
