"""Packing: contacts made small."""

from __future__ import annotations

import re
import zlib

from hashlib import sha256
from pathlib import Path

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.contact import Contact, Damaged, NewerForm
from worker.stores import packing
from worker.stores.packing import MOST_BYTES, PACKED, packed, unpacked


VOCABULARY = Path(packing.__file__).with_name("vocabulary_1.txt").read_bytes()


@given(data=st.binary(max_size=2_000))
def test_what_is_packed_is_the_same_again(data: bytes) -> None:
    assert unpacked(packed(data)) == data


def test_what_was_never_packed_is_read_as_it_is() -> None:
    data = Contact("a").to_bytes()
    assert unpacked(data) == data


def test_what_is_large_is_left_to_the_table_to_compress() -> None:
    data = b"{}" * MOST_BYTES
    assert packed(data) is data


def test_the_vocabulary_halves_what_is_said_of_a_call() -> None:
    data = VOCABULARY[-2_000:]
    assert len(packed(data)) < len(zlib.compress(data, 9)) / 2


def test_a_release_that_cannot_unpack_a_contact_takes_it_for_a_newer_ones() -> None:
    with pytest.raises(NewerForm):
        Contact.from_bytes("a", packed(Contact("a").to_bytes()))


@pytest.mark.parametrize(
    "harm", [lambda b: b[:-1], lambda b: b[:40] + b"x" + b[41:], lambda b: b + b"x"]
)
def test_what_is_not_whole_is_damaged(harm: object) -> None:
    assert callable(harm)
    with pytest.raises(Damaged):
        unpacked(harm(packed(Contact("a").to_bytes() * 3)))


def test_the_vocabulary_never_changes_for_contacts_are_stored_by_it() -> None:
    assert (
        sha256(VOCABULARY).hexdigest()
        == "86b98c8224d3df619eba3571a70a0bcd3ebb561e3f4ffa1e1c9002e0ba15869a"
    )
    assert PACKED.startswith(b'{"form":2,')


def test_nobody_is_in_the_vocabulary() -> None:
    assert not re.search(
        rb"\d{4}-\d{4}|\+\d|@(?!odata)|[0-9a-f]{8}-", VOCABULARY.replace(b"2017-03-10", b"")
    )
