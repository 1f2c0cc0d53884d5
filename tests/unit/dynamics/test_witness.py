"""The witness: whether another request succeeded meanwhile."""

from __future__ import annotations

import pytest

from worker.dynamics.witness import Witness


ONE, OTHER = "phonecalls(1)", "phonecalls(2)"


@pytest.mark.parametrize(
    ("after", "since"),
    [
        ([], False),
        ([ONE], False),
        ([OTHER], True),
        ([OTHER, ONE], True),
        ([ONE, OTHER], True),
        ([ONE, ONE], False),
        ([f"{ONE}/phonecall_activity_parties"], False),
        ([None], True),
    ],
)
def test_only_what_succeeds_of_another_record_is_a_witness(
    after: list[str | None], since: bool
) -> None:
    witness = Witness()
    witness.succeeded(OTHER, writes=True)
    mark = witness.count
    for subject in after:
        witness.succeeded(subject, writes=True)
    assert witness.others_since(mark, ONE, writes=True) is since


def test_reads_say_nothing_of_writes_and_writes_nothing_of_reads() -> None:
    witness = Witness()
    witness.succeeded("contacts?$top=1", writes=False)
    assert not witness.others_since(0, ONE, writes=True)
    assert witness.others_since(0, ONE, writes=False)
    assert (witness.count, witness.writes) == (1, 0)
