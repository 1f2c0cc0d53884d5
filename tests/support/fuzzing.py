"""What fuzz tests have in common: how long they go on, and how things are mutated.

In ``make test`` each target runs the same few examples every time; as a hunt (``make fuzz
SECONDS=600``) it goes on with new ones for its share of the time. What fails is kept in
``.hypothesis`` and tried first the next time.
"""

from __future__ import annotations

import os
import re
import time

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.decode.split import split
from worker.sources.unpack import Unpacker


SAMPLES: Final = Path(__file__).parents[1] / "samples"

#: How long all of it may go on (s); without, each target runs its examples once.
SECONDS: Final = float(os.environ.get("FUZZ_SECONDS") or 0)

#: Targets the time is shared by.
TARGETS: Final = 10

fuzzing = settings(
    deadline=None,
    derandomize=not SECONDS,
    max_examples=500 if SECONDS else 60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def hunt(check: Callable[..., None], *strategies: st.SearchStrategy[Any]) -> None:
    """Check examples of these strategies, new ones until its share of the time is over."""
    tried, begin = 0, time.monotonic()

    @fuzzing
    @given(st.tuples(*strategies))
    def target(drawn: tuple[Any, ...]) -> None:
        nonlocal tried
        tried += 1
        check(*drawn)

    target()
    while time.monotonic() < begin + SECONDS / TARGETS:
        target()
    speed = tried / (time.monotonic() - begin)
    print(f"{check.__qualname__.partition('.')[0]}: {tried} inputs, {speed:.0f} a second")


# --- what is mutated ----------------------------------------------------------------------------


def _unpacked(path: Path) -> bytes:
    unpacker = Unpacker()
    return b"".join(unpacker.feed(path.read_bytes()))


@cache
def messages() -> list[bytes]:
    """Every kind of message there are samples of, a few of each shape."""
    found: dict[tuple[str, ...], bytes] = {}
    for path in sorted(SAMPLES.rglob("*")):
        if path.suffix in {".json", ".ndjson", ".gz"} and "state" not in path.parts:
            for body in split(_unpacked(path)):
                found.setdefault(tuple(sorted(re.findall(r'"(\w+)":', body.decode()))), body)
    return list(found.values())


#: Pieces that mean something to JSON, times, ids, templates or TOML.
TOKENS: Final = (
    *("{", "}", "[", "]", '"', ",", ":", "null", "true", "-1", "1e400", "1" * 400, "\\", "\\ud800"),
    *("", " ", "\n", "\0", "\ufeff", "é", "\U0001f4de", "x" * 300, "1970-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z"),
    *("{{", "}}", "{{ContactId}}", "{{ Queue | date: '%s' }}", "{% if", "{%- raw %}", "| fit: -1"),
    *("| slice: 0, 99", "| split: ''", "| divided_by: 0", "{{ Agent.", "Records", "detail", "s3"),
    *("[[step]]", "[step]", "=", "'''", "on = 'answered'", 'method = "GET"', "after = ['X']"),
    *("STEP2-Response.activityid", "when = {}", "within = '1e9d'", 'query = "(x)"', "name = ''"),
)

places = st.floats(0, 1, exclude_max=True)
changes = st.lists(
    st.tuples(
        st.sampled_from(["cut", "insert", "replace", "repeat", "swap"]),
        places,
        st.integers(0, 40),
        st.sampled_from(TOKENS) | st.text(max_size=5),
    ),
    max_size=4,
)


def mutated(text: bytes, changed: list[tuple[str, float, int, str]]) -> bytes:
    """The text after the changes, one upon the other."""
    for what, place, length, token in changed:
        at = int(place * len(text))
        head, part, tail = text[:at], text[at : at + length], text[at + length :]
        new = token.encode(errors="surrogatepass")
        made = {
            "cut": head + tail,
            "insert": head + new + part + tail,
            "replace": head + new + tail,
            "repeat": head + part + part + tail,
            "swap": head + bytes(reversed(part)) + tail,
        }
        text = made[what]
    return text


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
    | st.sampled_from([token for token in TOKENS if "\\ud" not in token]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all values in a value, but for itself."""
    if path:
        yield path
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    if isinstance(inner, dict):
        for key, item in inner.items():
            yield from _leaves(item, (*path, key))


def reshaped(body: bytes, changed: list[tuple[float, Any]]) -> bytes:
    """A message some of whose values are others."""
    value = orjson.loads(body)
    for place, new in changed:
        paths = list(_leaves(value))
        if not paths:
            break
        *way, last = paths[int(place * len(paths))]
        inner = value
        for key in way:
            inner = inner[key]
        inner[last] = new
    return orjson.dumps(value)
