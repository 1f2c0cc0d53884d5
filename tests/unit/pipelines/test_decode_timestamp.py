"""Times: one form for all, "" for none."""

from __future__ import annotations

import math

import pytest

from pipelines.decode.timestamp import normalise


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        (" 2026-01-02T03:04:05Z ", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02 03:04", "2026-01-02T03:04:00.000Z"),
        ("2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T05:04:05.678+0200", "2026-01-02T03:04:05.678Z"),
        ("2026-01-01T22:04:05-05:00", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05.678999999Z", "2026-01-02T03:04:05.678Z"),
        ("2026-01-02t03:04:05z", "2026-01-02T03:04:05.000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"),
        (1767323045, "2026-01-02T03:04:05.000Z"),
        (1767323045.678, "2026-01-02T03:04:05.678Z"),
        (1767323045678, "2026-01-02T03:04:05.678Z"),
    ],
)
def test_every_usual_form_becomes_utc_with_milliseconds(value: object, expected: str) -> None:
    assert normalise(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "1970-01-01T00:00:00.001Z",
        "1970-12-31T23:59:59Z",
        "1971-01-01T00:30:00+01:00",
        "0001-01-01T00:00:00Z",
        0,
        1,
        -5,
    ],
)
def test_1970_and_before_means_not_set(value: object) -> None:
    assert normalise(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "date",
        "2026",
        "2026-01-02",
        "2026-W01-5",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-02T24:61:00Z",
        "0001-01-01T00:00:00+14:00",
        "٢٠٢٦-01-02T03:04:05Z",
        [],
        {},
        math.nan,
        math.inf,
        1e300,
        10**400,
    ],
)
def test_what_is_no_time_is_empty(value: object) -> None:
    assert normalise(value) == ""
