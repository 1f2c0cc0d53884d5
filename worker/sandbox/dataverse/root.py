"""What stands at the root of the Web API beside the tables: definitions, batches, messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from worker.sandbox.dataverse.batch import Batch
from worker.sandbox.dataverse.messages import answers, filters
from worker.sandbox.dataverse.messages.arguments import arguments
from worker.sandbox.dataverse.messages.asked import MODEL, Asked, Item
from worker.sandbox.dataverse.metadata.answers import SETS, Noted
from worker.sandbox.dataverse.metadata.csdl import edmx
from worker.sandbox.dataverse.metadata.service import Definitions
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.bodies import read_object
from worker.sandbox.dataverse.odata.nesting import opened
from worker.sandbox.dataverse.odata.wire import Call, Reply, json_reply
from worker.sandbox.dataverse.reading.listing import Listing
from worker.sandbox.dataverse.reading.queries import parse_options
from worker.sandbox.dataverse.rows.navigation import all_parties


if TYPE_CHECKING:
    from worker.sandbox.dataverse.messages.asked import Answer
    from worker.sandbox.dataverse.odata.paths import Path
    from worker.sandbox.dataverse.odata.refusals import Refusal
    from worker.sandbox.dataverse.rows.writes import RowWriter
    from worker.sandbox.dataverse.switches import Switches
    from worker.sandbox.dataverse.users import Denied


_MESSAGES: Final = {"POST": "Create", "PATCH": "Upsert", "DELETE": "Delete"}


@dataclass(frozen=True, slots=True)
class Root:
    """Answers requests that are for no table, and messages of rows.

    Attributes:
        listing: Reads, with the rows.
        writer: Writes.
        switches: What is done where Dataverse's behaviour is not documented.
        denied: What users may not do.
        new_id: Makes ids.
        answer_part: Answers a request of a batch.
        refuse: The answer to a request with these headers that is refused.
    """

    listing: Listing
    writer: RowWriter
    switches: Switches
    denied: set[Denied]
    new_id: Callable[[], str]
    answer_part: Callable[[Call], Reply]
    refuse: Callable[[Refusal, Mapping[str, str]], Reply]
    _noted: Noted = field(default_factory=Noted)

    def answer(self, call: Call, path: Path) -> Reply:
        """The answer to a request that is for no table.

        Raises:
            Refusal: There is nothing of that name, or it is refused.
        """
        if path.name in SETS:
            options = parse_options(call.query) if call.method == "GET" else {}
            return self._definitions.answer(call, path, options)
        if path.name == "$batch" and call.method == "POST":
            return self._batch(call)
        if path.name == "$metadata" and call.method == "GET":
            content = [("content-type", "application/xml")]
            return Reply(200, content, edmx(self.listing.records.schema))
        if message := answers.find(call.method, "", path.name):
            return self._message(call, message, path.name, path.key, None)
        return self._given(call, path)

    def of_row(self, call: Call, item: Item, member: str) -> Reply | None:
        """The answer to a message of a row; None if the member is none.

        Raises:
            Refusal: It is refused.
        """
        if not member.startswith(MODEL):
            return None
        name, given = opened(unquote(member.removeprefix(MODEL)))
        message = answers.find(call.method, item[0].logical, name)
        return self._message(call, message, name, given, item) if message else None

    @property
    def _definitions(self) -> Definitions:
        return Definitions(self.listing.records, self._key_status, self._noted)

    def _key_status(self, logical: str) -> str:
        """Whether the indexes of a table's alternate keys are built."""
        pending = logical == "phonecall" and self.switches.phonecall_keys == "pending"
        return "Pending" if pending else "Active"

    def _batch(self, call: Call) -> Reply:
        return Batch(
            call,
            self.answer_part,
            self.refuse,
            self.listing.records.transaction,
            self.new_id,
            undoes=self.switches.batch_failure == "rolled back",
            line_ends=self.switches.batch_line_ends,
        ).run()

    def _message(
        self, call: Call, message: Answer, name: str, given: str | None, bound: Item | None
    ) -> Reply:
        """A function, whose arguments are in the address, or an action, whose are in the body."""
        records = self.listing.records
        asked = Asked(
            records,
            self.switches,
            self.writer,
            self.new_id,
            call.user,
            arguments(given, call.query) if call.method == "GET" else read_object(call),
            self.denied,
            self._definitions,
            bound,
        )
        with records.transaction(writes=int(call.method == "POST")):
            answer = message(asked)
        if answer is None:
            return Reply(204)
        where = f"{call.root}$metadata#{MODEL}{name}Response"
        return json_reply(200, {"@odata.context": where, **answer})

    def _given(self, call: Call, path: Path) -> Reply:
        """Rows that come with others and can only be read: parties, and messages of tables."""
        records, listing = self.listing.records, self.listing
        table = records.schema.activity_party
        if path.member or path.name not in {table.entity_set, *filters.SETS}:
            raise refusals.no_segment(self.switches.segment_code, unquote(path.name))
        rows = all_parties(records) if path.name == table.entity_set else None
        if rows is None:
            messages = filters.messages(records.schema)
            listing, table = Listing(messages, listing.clock), messages.schema.tables[path.name]
            rows = list(messages.all(table))
        if call.method != "GET":
            raise refusals.no_message(_MESSAGES.get(call.method, call.method), table)
        if path.key is None:
            return listing.rows(call, table, rows, table.entity_set)
        found = next((row for row in rows if row.id == path.key.lower()), None)
        if found is None:
            raise refusals.no_row(table, path.key)
        return listing.row(call, table, found)
