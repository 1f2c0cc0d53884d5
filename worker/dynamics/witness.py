"""A witness: another request that succeeded, which says that a failure is not everybody's.

Only counts are kept, so the memory is the same however many records there are.
"""

from __future__ import annotations


class Witness:
    """Which requests of one application user succeeded, as far as that says something of others.

    Attributes:
        count: How many succeeded; what it was at some moment marks that moment.
        writes: How many of them were writes.
    """

    def __init__(self) -> None:
        self.count = 0
        self.writes = 0
        # Of reads and of writes: whom the last success was about, its number, and the number of
        # the last one that was about another subject.
        self._last: dict[bool, tuple[str | None, int, int]] = {}

    def succeeded(self, subject: str | None, *, writes: bool) -> None:
        """Count a success; ``subject``: the record that was written, or what was asked."""
        self.count += 1
        self.writes += writes
        record = _record(subject)
        last, number, other = self._last.get(writes, (None, 0, 0))
        self._last[writes] = (record, self.count, other if record == last else number)

    def others_since(self, mark: int, subject: str, *, writes: bool) -> bool:
        """Whether a write, or a read, about another subject succeeded since ``count`` was this."""
        last, number, other = self._last.get(writes, (None, 0, 0))
        return (other if last == _record(subject) else number) > mark


def _record(subject: str | None) -> str | None:
    """The record itself, of a subject that may be a collection of it."""
    return subject and subject.partition("/")[0]
