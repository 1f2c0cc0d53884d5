"""A fault note as text: of this release, of another, and of none."""

from __future__ import annotations

import orjson
import pytest

from worker.stores.protocol import FaultNote
from worker.stores.stored import LOST, read_fault, write_fault


NOTE = FaultNote(
    "our bug: TypeError at worker.engine.push:1", 3, 12.5, ("1.0/ab", "1.1/ab"), parked=True
)


@pytest.mark.parametrize("note", [None, NOTE, FaultNote("", 0, 0.0)])
def test_a_note_is_read_as_it_was_written(note: FaultNote | None) -> None:
    assert read_fault(write_fault(note)) == note


def test_fields_of_a_newer_release_are_left_out() -> None:
    text = write_fault(NOTE)
    assert text is not None
    newer = orjson.dumps(orjson.loads(text) | {"trial": {"of": ["1.2/ab"]}}).decode()
    assert read_fault(newer) == NOTE


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", "7", '{"what":"x","tries":null,"since":1,"tried":[],"parked":false}'],
)
def test_a_note_that_cannot_be_read_still_sets_its_contact_aside(text: str) -> None:
    assert read_fault(text) is LOST
