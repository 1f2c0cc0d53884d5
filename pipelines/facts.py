"""The facts of one contact, and how they are written down.

Stored facts are read only when somebody looks at them: folding a new fact into a contact needs
the versions of the others, not their data, and writes their bytes down again as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import NamedTuple

import orjson

from pipelines.fact import Fact


#: What stands between the bodies of facts. JSON escapes it, so no body has it inside.
SEPARATOR = b"\n"


#: Version, digest and ``at`` of a fact (see ``Fact``): what orders it, and when it was.
Head = tuple[str, str, str]


class Stored(NamedTuple):
    """A fact as it is kept: as ``Fact``, but for its data, which are JSON (``body``)."""

    register: str
    version: str
    digest: str
    at: str
    body: bytes


def stored(fact: Fact) -> Stored:
    """The fact as it is kept: a fraction of the memory."""
    return Stored(fact.register, fact.version, fact.digest, fact.at, orjson.dumps(fact.data))


class Facts(MutableMapping[str, Fact]):
    """Register -> its greatest fact.

    Args:
        contact_id: Whose facts they are.
        heads: Register -> head, of stored facts.
        bodies: Their data as JSON, in the same order.
    """

    __slots__ = ("_contact_id", "_held")

    def __init__(
        self,
        contact_id: str = "",
        heads: Mapping[str, Head] | None = None,
        bodies: Iterable[bytes] = (),
    ) -> None:
        self._contact_id = contact_id
        self._held: dict[str, Fact | Stored] = {
            register: Stored(register, *head, body)
            for (register, head), body in zip((heads or {}).items(), bodies, strict=True)
        }

    def observe(self, fact: Fact | Stored) -> bool:
        """Keep the fact if it is greater than what its register holds; whether it was."""
        held = self._held.get(fact.register)
        if held is not None and _rank(fact) <= _rank(held):
            return False
        self._held[fact.register] = fact
        return True

    def heads(self) -> dict[str, Head]:
        """The head of every fact, to be stored."""
        return {register: _rank(held) for register, held in self._held.items()}

    def bodies(self) -> list[bytes]:
        """The data of every fact as JSON, in the order of the heads."""
        return [
            held.body if isinstance(held, Stored) else orjson.dumps(held.data)
            for held in self._held.values()
        ]

    def __getitem__(self, register: str) -> Fact:
        held = self._held[register]
        if isinstance(held, Stored):
            data = orjson.loads(held.body)
            held = Fact(self._contact_id, register, held.version, held.digest, data, held.at)
            self._held[register] = held
        return held

    def __setitem__(self, register: str, fact: Fact) -> None:
        self._held[register] = fact

    def __delitem__(self, register: str) -> None:
        del self._held[register]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"Facts({', '.join(self._held)})"


def _rank(fact: Fact | Stored) -> Head:
    """What orders the facts of one register, to the last difference two can have."""
    return fact.version, fact.digest, fact.at
