"""Actions: what is still to be done in Dynamics, in Connect or for the agent, one class each."""

from __future__ import annotations

import enum

from dataclasses import dataclass, field
from typing import Any, ClassVar

from pipelines.caller import Caller
from pipelines.lookup import Search


class Verb(enum.Enum):
    """What a change does to a record; in the order in which a contact's changes go."""

    CREATE = "create"
    ADOPT = "adopt"  # read a record that may be ours already, then decide
    REOPEN = "reopen"  # make a closed record take an update
    UPDATE = "update"
    PARTIES = "parties"  # replace an activity's parties
    NOTE = "note"  # what a closed record would not take, as an annotation
    CLOSE = "close"  # statecode and statuscode, last


@dataclass(frozen=True, slots=True)
class StepAction:
    """An action of one step, about no record.

    Attributes:
        step: The ``pipeline/step`` it comes from, which is also where it is parked.
    """

    step: str

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps it comes from."""
        return (self.step,)

    @property
    def place(self) -> str:
        """Where it is parked if refused."""
        return self.step


@dataclass(frozen=True, slots=True)
class Lookup(StepAction):
    """A question to Dynamics that later steps use the answer of.

    Attributes:
        url: What is appended to the service root; "" if nothing need be asked.
        returning: Answer fields to keep.
        search: The whole search of a ``[step.lookup]``; ``url`` is then its first query.
    """

    url: str
    returning: tuple[str, ...] = ()
    search: Search | None = None
    kind: ClassVar[str] = "lookup"

    @property
    def question(self) -> str:
        """All that is asked: what has the same question has the same answer."""
        return self.search.question if self.search else self.url


@dataclass(frozen=True, slots=True)
class ReadFile(StepAction):
    """A stored file to be read for later steps.

    Attributes:
        bucket: Its bucket.
        key: Its key.
        returning: Answer fields to keep.
    """

    bucket: str
    key: str
    returning: tuple[str, ...] = ()
    kind: ClassVar[str] = "lookup"

    @property
    def url(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def question(self) -> str:
        """Its address: it has what it has."""
        return self.url


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one record in Dynamics, or a look at it before one.

    Attributes:
        verb: What it does.
        steps: The steps it comes from, as ``pipeline/step``.
        record: The record's address, ``phonecalls(<key>)``, its name in the ledger.
        columns: Column -> value. For ADOPT everything desired, for comparison.
        returning: Answer fields to keep.
        on_missing: What the pipeline says of a 404: park, recreate or skip.
        creatable: One of our own steps creates the record.
        forced: Of a CREATE or ADOPT: columns that held what was redacted, whoever changed them.
        caller: In whose name; None: in our own. What it changes does not depend on it.
        key_column: The primary key's column, where the pipeline names it.
        partition: The record's partition in an elastic table; "" in any other.
    """

    verb: Verb
    steps: tuple[str, ...]
    record: str
    columns: dict[str, Any] = field(default_factory=dict)
    returning: tuple[str, ...] = ()
    on_missing: str = "park"
    creatable: bool = False
    forced: frozenset[str] = frozenset()
    caller: Caller | None = None
    key_column: str = ""
    partition: str = ""

    @property
    def kind(self) -> str:
        """The verb, for metrics and logs."""
        return self.verb.value

    @property
    def entity(self) -> str:
        """The record's entity set."""
        return self.record.partition("(")[0]

    @property
    def key(self) -> str:
        """The record's key: what stands between the parentheses of its address."""
        return self.record.partition("(")[2].removesuffix(")")

    @property
    def place(self) -> str:
        """Where it is parked if refused."""
        return self.record

    @property
    def if_missing(self) -> str:
        """What a 404 means: park, recreate or skip. What no step of ours creates is not made."""
        recreated = self.on_missing == "recreate"
        return "park" if recreated and not self.creatable else self.on_missing


@dataclass(frozen=True, slots=True)
class WriteBack(StepAction):
    """Attributes to be written back to Connect; live only.

    Attributes:
        record: Their place in the ledger.
        instance_id: The Connect instance.
        contact_id: The contact they are of.
        initial_contact_id: The first contact of its chain, which they are written to.
        attributes: Attribute -> text.
        begins: They replace those of another leg of the chain, whose page is none of this leg's.
    """

    record: str
    instance_id: str
    contact_id: str
    initial_contact_id: str
    attributes: dict[str, str]
    begins: bool = False
    on: ClassVar[str] = "created"
    kind: ClassVar[str] = "attributes"

    @property
    def place(self) -> str:
        """Their place in the ledger."""
        return self.record


@dataclass(frozen=True, slots=True)
class OpenPage(StepAction):
    """A page to be opened for the agent; live only.

    Attributes:
        instance_id: The Connect instance.
        contact_id: The contact it is opened for.
        initial_contact_id: The first contact of its chain.
        url: The page.
        tab: In a new tab, else embedded.
        on: The milestone it is opened on.
    """

    instance_id: str
    contact_id: str
    initial_contact_id: str
    url: str
    tab: bool = False
    on: str = "answered"
    kind: ClassVar[str] = "open"


#: What only reads, for later steps: it goes before everything else.
Reading = Lookup | ReadFile

#: What goes to Connect and the agent's desktop; what becomes of it holds nothing else up.
LiveAction = WriteBack | OpenPage

Action = Lookup | ReadFile | Change | WriteBack | OpenPage

#: The kinds of actions, as metrics and logs name them, in the order in which they go.
KINDS = (
    Lookup.kind,
    *(verb.value for verb in Verb if verb is not Verb.CLOSE),
    WriteBack.kind,
    OpenPage.kind,
    Verb.CLOSE.value,
)
