"""Any value of a real history may be anything else: the replay ends, and nobody else is harmed."""

from __future__ import annotations

import asyncio

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.commands.replay import Options, replay
from worker.commands.replay_report import Report
from worker.definitions import find_all
from worker.sandbox import traffic
from worker.settings import Settings


KINDS = sorted(kind for kind in traffic.KINDS if kind.startswith("voice"))

#: What a field may hold instead.
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["", "{{ContactId}}", "{% if", "1970-01-01T00:00:00.001Z", "\0", "x" * 5000]),
    st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z"]),
    st.sampled_from([[], {}, [None], {"": None}, [[[]]], {"Address": {"Address": 1}}]),
)

Place = tuple[str | int, ...]


def leaves(value: Any, path: Place = ()) -> Iterator[Place]:
    """The places of all values, the inner ones and those that hold them."""
    if path:
        yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))


def replaced(value: Any, path: Place, new: Any) -> None:
    *way, last = path
    for key in way:
        value = value[key]
    value[last] = new


@cache
def histories() -> list[traffic.History]:
    return [traffic.history(kind, Random(f"bad {kind}")) for kind in KINDS]


@st.composite
def spoilt(draw: st.DrawFn) -> list[bytes]:
    """A history's messages, a few values of which are something else."""
    bodies = [orjson.loads(m.body) for m in draw(st.sampled_from(histories())).sent]
    for _ in range(draw(st.integers(1, 6))):
        body = draw(st.sampled_from(bodies))
        # An earlier replacement may have left nothing to replace.
        if places := list(leaves(body)):
            replaced(body, draw(st.sampled_from(places)), draw(ANYTHING))
    return [orjson.dumps(body) for body in bodies]


def replayed(messages: list[bytes]) -> tuple[Report, list[dict[str, Any]]]:
    with TemporaryDirectory() as folder:
        archive, dump = Path(folder, "archive.json"), Path(folder, "dump.json")
        archive.write_bytes(b"\n".join(messages))
        options = Options(
            (str(archive),),
            tuple(find_all(["phonecall"])),
            state="memory",
            dynamics="sandbox",
            dump=dump,
        )
        report = asyncio.run(replay(options, Settings()))
        calls: list[dict[str, Any]] = orjson.loads(dump.read_bytes())["phonecalls"]
    return report, calls


@cache
def good() -> tuple[list[bytes], list[dict[str, Any]]]:
    """Another contact's messages, and the records it gets when it is alone."""
    messages = [m.body for m in traffic.history("voice_transfer", Random("good")).sent]
    return messages, [told(row) for row in replayed(messages)[1]]


def told(row: dict[str, Any]) -> dict[str, Any]:
    clocked = {"createdon", "modifiedon", "versionnumber"}
    return {name: value for name, value in row.items() if name not in clocked}


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(bad=spoilt(), chance=st.randoms(use_true_random=False))
def test_a_spoilt_contact_ends_somehow_and_another_gets_all_its_records(
    bad: list[bytes], chance: Random
) -> None:
    messages, expected = good()
    mixed = [*messages, *bad]
    chance.shuffle(mixed)
    report, calls = replayed(mixed)
    found = {row["activityid"]: told(row) for row in calls}
    for row in expected:
        assert found[row["activityid"]] == row
    assert report.events >= len(mixed)
    kept = report.contacts + report.ignored + report.quarantined
    assert kept >= len(expected)
