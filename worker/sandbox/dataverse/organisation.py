"""A Dataverse organisation: takes a request, gives an answer. No HTTP server, no waiting."""

from __future__ import annotations

import time

from random import Random
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from worker.sandbox.dataverse import bulk, deep, users
from worker.sandbox.dataverse.associations import Associations
from worker.sandbox.dataverse.files import Files
from worker.sandbox.dataverse.members import Members
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.bodies import read_json
from worker.sandbox.dataverse.odata.paths import Path, parse_path
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.odata.wire import Call, Reply, json_reply, prefer
from worker.sandbox.dataverse.reading.listing import Listing
from worker.sandbox.dataverse.reading.queries import ROW, parse_options
from worker.sandbox.dataverse.root import Root
from worker.sandbox.dataverse.rows.keys import Key, parse_key
from worker.sandbox.dataverse.rows.records import Rows
from worker.sandbox.dataverse.rows.writes import RowWriter
from worker.sandbox.dataverse.schema.tables import SHIPPED, SYSTEMUSER
from worker.sandbox.dataverse.switches import Switches
from worker.sandbox.dataverse.users import CLIENT_ID, add_user


if TYPE_CHECKING:
    import pathlib

    from collections.abc import Callable, Collection, Mapping, Sequence

    from worker.sandbox.dataverse.rows.records import Row
    from worker.sandbox.dataverse.schema.columns import Schema, Table


DETAILS: Final = "@Microsoft.PowerApps.CDS."

_MESSAGES: Final = {"POST": "Create", "PATCH": "Upsert", "DELETE": "Delete"}


class Organisation:
    """Answers Web API requests.

    Args:
        records: The rows.
        switches: What is done where Dataverse's behaviour is not documented.
        clock: Wall-clock time (s since 1970).
        new_id: Makes ids.

    Attributes:
        denied: What users may not do; everything else they may.
        answer_part: Answers a request of a batch.
    """

    def __init__(
        self,
        records: Rows,
        switches: Switches,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.records = records
        self.switches = records.switches = switches
        self.writer = RowWriter(records, switches, clock, new_id)
        self.denied: set[users.Denied] = set()
        self.new_id = new_id
        self.answer_part = self.answer
        self._listing = Listing(records, clock)
        self._associations = Associations(records, switches, self.writer)
        self._members = Members(records, switches, self._listing, self._associations)
        self._files = Files(records, new_id)
        self._root = Root(
            self._listing,
            self.writer,
            switches,
            self.denied,
            new_id,
            lambda call: self.answer_part(call),  # noqa: PLW0108 - it may be exchanged
            self.refuse,
        )
        self._row_methods: dict[str, Callable[[Call, Table, Path], Reply]] = {
            "GET": self._read,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }

    def answer(self, call: Call) -> Reply:
        """The answer to a request; what it writes is written completely or not at all."""
        try:
            return self._route(call)
        except Refusal as refusal:
            return self.refuse(refusal, call.headers)
        except RecursionError:  # nested without end, in an address, a query or a body
            return self.refuse(refusals.too_deep(), call.headers)
        finally:
            self.writer.delegate = ""

    def refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> Reply:
        """A refusal as an answer."""
        style = self.switches.code_style
        error: dict[str, str] = {
            "code": refusal.code if style == "hex" else style,
            "message": refusal.message,
        }
        if "*" in prefer(headers).annotations:
            error[f"{DETAILS}HelpLink"] = refusals.HELP_LINK
            error[f"{DETAILS}TraceText"] = ""
            error[f"{DETAILS}InnerError.Message"] = refusal.message
        reply = json_reply(refusal.status, {"error": error})
        reply.headers.extend(refusal.headers)
        return reply

    def row_is_missing(self, call: Call) -> bool:
        """Whether an upsert's row is not there yet: asked when the request comes in."""
        try:
            path = parse_path(call.path)
            table = self.records.schema.tables.get(path.name)
            return bool(table and path.key and self._find(call, table, path)[1] is None)
        except Refusal:
            return False

    def _route(self, call: Call) -> Reply:
        if len(call.query) > call.url_limit and call.method == "GET":
            raise Refusal(414, "0x80060888", "The request URI is too long.")
        self._name_caller(call)
        path = parse_path(call.path)
        table = self.records.schema.tables.get(path.name)
        if path.name != "$batch":
            self._check_user(call.user)
        if table is None:
            return self._root.answer(call, path)
        users.check_rights(self.denied, call, table)
        if path.key is None:
            return self._collection(call, table, path)
        if path.member:
            return self._member(call, table, path)
        if table.joins and call.method != "GET":
            raise refusals.no_message(_MESSAGES.get(call.method, call.method), table)
        if call.method not in self._row_methods:
            raise refusals.not_allowed(call.method)
        return self._row_methods[call.method](call, table, path)

    def _name_caller(self, call: Call) -> None:
        """Let the request be the user's in whose name it is made, if it names one."""
        if not call.delegate:
            caller = users.caller(self.records, self.switches, self.denied, call)
            if caller:
                self._check_user(call.user)
                call.user, call.delegate = caller, call.user
        self.writer.delegate = call.delegate

    def _check_user(self, user: str) -> None:
        """A disabled application user may do nothing."""
        record = self.records.get(SYSTEMUSER, user)
        if record and record.columns.get("isdisabled"):
            message = (
                "The specified user is either disabled or is not a member of any business unit."
            )
            raise Refusal(self.switches.disabled_status, "0x80040225", message)

    def _collection(self, call: Call, table: Table, path: Path) -> Reply:
        if path.member == "$count" and call.method == "GET":
            return self._listing.count(call, table, self.records.all(table))
        if path.member:
            return self._action(call, table, path.member)
        if call.method == "GET":
            return self._listing.rows(call, table, self.records.all(table), table.entity_set)
        if call.method == "POST":
            if table.joins:
                raise refusals.no_message(_MESSAGES[call.method], table)
            return self._create(call, table)
        raise refusals.not_allowed(call.method)

    def _action(self, call: Call, table: Table, name: str) -> Reply:
        message = name.removeprefix("Microsoft.Dynamics.CRM.")
        action = bulk.ACTIONS.get(message)
        if action is None or call.method != "POST":
            raise refusals.no_segment(self.switches.segment_code, unquote(name))
        if not table.bulk and self.switches.bulk_everywhere == "refuse":
            raise refusals.no_bulk(message, table)
        body = read_json(table, call)
        targets = bulk.targets(table, body)
        with self.records.transaction(writes=len(targets)):
            ids = action(self.writer, table, targets, call.user)
        return bulk.reply(message, ids, call.root)

    def _read(self, call: Call, table: Table, path: Path) -> Reply:
        key, record = self._find(call, table, path)
        if record is None:
            raise _not_found(table, key)
        if call.headers.get("if-none-match") == record.etag:
            return Reply(304, [("etag", record.etag)])
        return self._listing.row(call, table, record)

    def _create(self, call: Call, table: Table) -> Reply:
        parse_options(call.query, ROW)
        body = read_json(table, call)
        wanted = prefer(call.headers)
        with self.records.transaction(writes=1):
            record = deep.create(self._associations, table, body, call.user, detect=_detect(call))
        if wanted.representation:
            return self._listing.row(call, table, record, 201)
        return Reply(204, [_entity_id(call, table, record.id)])

    def _patch(self, call: Call, table: Table, path: Path) -> Reply:
        parse_options(call.query, ROW)
        key, record = self._find(call, table, path)
        self._check_conditions(call, table, key, record)
        body = read_json(table, call)
        wanted = prefer(call.headers)
        with self.records.transaction(writes=1):
            written = self.writer.upsert(table, key, body, call.user, detect=_detect(call))
        if wanted.representation:
            return self._listing.row(call, table, written, 200 if record else 201)
        return Reply(204, [_entity_id(call, table, unquote(path.key or ""))])

    def _check_conditions(self, call: Call, table: Table, key: Key, record: Row | None) -> None:
        none_match = call.headers.get("if-none-match")
        match = call.headers.get("if-match")
        if none_match == "*" and record:
            raise refusals.key_taken(self.switches.key_taken_code)
        if match and record is None:
            raise _not_found(table, key)
        if match and match != "*" and record and match != record.etag:
            raise refusals.stale(self.switches.stale_code)
        raced = call.was_missing and record and not match
        if raced and self.switches.upsert_race == "conflict":
            raise refusals.key_taken(self.switches.key_taken_code)

    def _delete(self, call: Call, table: Table, path: Path) -> Reply:
        parse_options(call.query, ())
        key, record = self._find(call, table, path)
        if record is None:
            raise _not_found(table, key)
        self._check_conditions(call, table, key, record)
        with self.records.transaction(writes=1):
            self.writer.delete(table, record)
        return Reply(204)

    def _member(self, call: Call, table: Table, path: Path) -> Reply:
        key, record = self._find(call, table, path)
        if record is None:
            raise _not_found(table, key)
        if reply := self._root.of_row(call, (table, record), path.member):
            return reply
        if reply := self._files.answer(call, table, record, path.member):
            return reply
        return self._members.answer(call, table, record, path.member)

    def _find(self, call: Call, table: Table, path: Path) -> tuple[Key, Row | None]:
        key = parse_key(table, unquote(path.key or ""))
        found = self.writer.find(table, key)
        if found and table.elastic and isinstance(key, str):
            # An id alone names a row of no partition [DOC use-elastic-tables].
            partition = dict(parse_qsl(call.query)).get("partitionId")
            found = found if found.columns.get("partitionid") == partition else None
        return key, found


def create_organisation(
    path: pathlib.Path | None = None,
    *,
    schema: Schema = SHIPPED,
    keys: Mapping[str, Sequence[tuple[str, ...]]] | None = None,
    switches: Switches | None = None,
    clients: Collection[str] = (),
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
) -> Organisation:
    """An organisation with the application users of ``CLIENT_ID`` and of other clients.

    Args:
        path: SQLite file that keeps the rows; None: memory alone.
        schema: What tables there are.
        keys: More alternate keys, as columns, by entity set.
        switches: What is done where Dataverse's behaviour is not documented.
        clients: More client ids.
        clock: Wall-clock time (s since 1970).
        random: Source of ids.
    """
    random = random or Random()

    def new_id() -> str:
        # A random UUID (version 4), spelled out: three times as fast as the uuid module.
        hexes = f"{random.getrandbits(128):032x}"
        return f"{hexes[:8]}-{hexes[8:12]}-4{hexes[13:16]}-8{hexes[17:20]}-{hexes[20:]}"

    rows = Rows(path, schema.with_keys(keys or {}))
    organisation = Organisation(rows, switches or Switches(), clock, new_id)
    for client_id in dict.fromkeys((CLIENT_ID, *clients)):
        add_user(organisation.records, client_id)
    return organisation


def _not_found(table: Table, key: Key) -> Refusal:
    return refusals.no_row(table, key) if isinstance(key, str) else refusals.no_row_by_key(table)


def _entity_id(call: Call, table: Table, key: str) -> tuple[str, str]:
    return "odata-entityid", _url(call, table, key)


def _url(call: Call, table: Table, key: str) -> str:
    return f"{call.root}{table.entity_set}({key})"


def _detect(call: Call) -> bool:
    return call.headers.get("mscrm.suppressduplicatedetection", "").lower() == "false"
