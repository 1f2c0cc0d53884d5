"""A write: what is parked where, and what goes first."""

from __future__ import annotations

from pipelines.write import Kind, Write


def test_a_write_is_parked_at_its_record() -> None:
    assert Write(Kind.UPDATE, ("p/A", "p/B"), record="phonecalls(1)").place == "phonecalls(1)"


def test_a_write_without_record_is_parked_at_its_step() -> None:
    assert Write(Kind.LOOKUP, ("p/WHO",), url="contacts").place == "p/WHO"


def test_kinds_are_told_in_the_order_in_which_they_go() -> None:
    kinds = list(Kind)
    assert kinds[0] is Kind.LOOKUP
    assert kinds[-1] is Kind.CLOSE
    assert kinds.index(Kind.CREATE) < kinds.index(Kind.UPDATE) < kinds.index(Kind.OPEN)
