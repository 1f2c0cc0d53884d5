"""A write: one thing still to be done in Dynamics, or for the agent."""

from __future__ import annotations

import enum

from dataclasses import dataclass, field
from typing import Any

from pipelines.lookup import Search


class Kind(enum.Enum):
    """What a write does; in the order in which a contact's writes go."""

    LOOKUP = "lookup"  # GET that later steps use
    CREATE = "create"
    ADOPT = "adopt"  # read a record that may be ours already, then decide
    REOPEN = "reopen"  # make a closed record take an update
    UPDATE = "update"
    PARTIES = "parties"  # replace an activity's parties
    NOTE = "note"  # what a closed record would not take, as an annotation
    ATTRIBUTES = "attributes"  # write attributes back to Connect; live only
    OPEN = "open"  # open the record for the agent; live only
    CLOSE = "close"  # statecode and statuscode, last


#: Kinds that go to Connect and the agent's desktop; what becomes of them holds nothing else up.
LIVE_ONLY = (Kind.ATTRIBUTES, Kind.OPEN)


@dataclass(frozen=True, slots=True)
class Write:
    """One write.

    Attributes:
        kind: What it does.
        steps: The steps it comes from, as ``pipeline/step``.
        record: The ledger's name of the record it is about, ``phonecalls(<guid>)``; "" for
            lookups and opening.
        entity: Entity set it is sent to.
        key: Key it is sent to; for ATTRIBUTES the first contact of the chain.
        columns: Column -> value. For ADOPT everything desired, for comparison.
        returning: Answer fields to keep.
        url: For LOOKUP what is appended to the service root, "" if nothing need be asked; for
            OPEN the page's URL.
        search: For a LOOKUP by ``[step.lookup]`` all of it; ``url`` is then its first query.
        file: For a LOOKUP in a stored file its bucket and key.
        on_missing: What a 404 means: park, recreate or skip.
        creatable: One of our own steps creates the record.
        tab: OPEN in a new tab.
    """

    kind: Kind
    steps: tuple[str, ...]
    record: str = ""
    entity: str = ""
    key: str = ""
    columns: dict[str, Any] = field(default_factory=dict)
    returning: tuple[str, ...] = ()
    url: str = ""
    search: Search | None = None
    file: tuple[str, str] | None = None
    on_missing: str = "park"
    creatable: bool = False
    tab: bool = False

    @property
    def place(self) -> str:
        """Where it is parked if refused: its record, or its step."""
        return self.record or self.steps[0]
