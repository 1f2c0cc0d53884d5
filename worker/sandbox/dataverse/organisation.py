"""A Dataverse organisation: takes a request, gives an answer. No HTTP server, no waiting."""

from __future__ import annotations

import time

from random import Random
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import orjson

from worker.sandbox.dataverse import bulk, users
from worker.sandbox.dataverse.associations import Associations, Link, parse_link, related
from worker.sandbox.dataverse.batch import Batch
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.paths import Path, parse_path
from worker.sandbox.dataverse.odata.refusals import Refusal
from worker.sandbox.dataverse.odata.wire import Call, Prefer, Reply, json_reply, prefer
from worker.sandbox.dataverse.reading import metadata
from worker.sandbox.dataverse.reading.presenter import Presenter, context, view
from worker.sandbox.dataverse.reading.queries import URL_LIMIT, parse_options, select_page
from worker.sandbox.dataverse.rows.keys import Key, parse_key
from worker.sandbox.dataverse.rows.records import Rows
from worker.sandbox.dataverse.rows.writes import RowWriter
from worker.sandbox.dataverse.schema.tables import SYSTEMUSER, TABLES
from worker.sandbox.dataverse.switches import Switches
from worker.sandbox.dataverse.users import CLIENT_ID, add_user


if TYPE_CHECKING:
    import pathlib

    from collections.abc import Callable, Collection, Mapping, Sequence

    from worker.sandbox.dataverse.rows.records import Row
    from worker.sandbox.dataverse.schema.columns import Table


DETAILS: Final = "@Microsoft.PowerApps.CDS."
ORGANISATION_ID: Final = "0f0e0d0c-0b0a-4908-8706-050403020100"

_MESSAGES: Final = {"PATCH": "Upsert", "DELETE": "Delete"}


class Organisation:
    """Answers Web API requests.

    Args:
        records: The rows.
        switches: What is done where Dataverse's behaviour is not documented.
        clock: Wall-clock time (s since 1970).
        new_id: Makes ids.

    Attributes:
        denied: What users may not do; everything else they may.
    """

    def __init__(
        self,
        records: Rows,
        switches: Switches,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.records = records
        self.switches = switches
        self.writer = RowWriter(records, switches, clock, new_id)
        self.denied: set[users.Denied] = set()
        self.new_id = new_id
        self._presenter = Presenter(records)
        self._associations = Associations(records, switches)
        self._row_methods: dict[str, Callable[[Call, Table, Path], Reply]] = {
            "GET": self._read,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }
        self._member_methods: dict[str, Callable[[Call, Table, Row, str], None]] = {
            "PUT": self._put_member,
            "DELETE": self._empty_member,
        }

    def answer(self, call: Call) -> Reply:
        """The answer to a request; what it writes is written completely or not at all."""
        try:
            return self._route(call)
        except Refusal as refusal:
            return self.refuse(refusal, call.headers)
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
        except Refusal:
            return False
        table = TABLES.get(path.name)
        key = path.key
        return bool(table and key and self.records.get(table, key.lower()) is None)

    def _route(self, call: Call) -> Reply:
        if len(call.query) > URL_LIMIT and call.method == "GET":
            raise Refusal(414, "0x80060888", "The request URI is too long.")
        self._name_caller(call)
        path = parse_path(call.path)
        table = TABLES.get(path.name)
        if table is None:
            return self._special(call, path)
        self._check_user(call.user)
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

    def _special(self, call: Call, path: Path) -> Reply:
        if path.name == "WhoAmI" and call.method == "GET":
            self._check_user(call.user)
            return self._who_am_i(call)
        if path.name == "EntityDefinitions" and call.method == "GET":
            options = parse_options(call.query)
            return json_reply(200, metadata.answer(path, options, self.records, call.root))
        if path.name == "$batch" and call.method == "POST":
            undoes = self.switches.batch_failure == "rolled back"
            transaction = self.records.transaction
            return Batch(call, self.answer, self.refuse, transaction, self.new_id, undoes).run()
        raise refusals.no_segment(self.switches.segment_code, unquote(path.name))

    def _name_caller(self, call: Call) -> None:
        """Let the request be the user's in whose name it is made, if it names one."""
        named = (
            "" if call.delegate else users.caller(self.records, self.switches, self.denied, call)
        )
        if named:
            self._check_user(call.user)
            call.user, call.delegate = named, call.user
        self.writer.delegate = call.delegate

    def _check_user(self, user: str) -> None:
        """A disabled application user may do nothing."""
        record = self.records.get(SYSTEMUSER, user)
        if record and record.columns.get("isdisabled"):
            message = (
                "The specified user is either disabled or is not a member of any business unit."
            )
            raise Refusal(self.switches.disabled_status, "0x80040225", message)

    def _who_am_i(self, call: Call) -> Reply:
        body = {
            "@odata.context": f"{call.root}$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
            "BusinessUnitId": ORGANISATION_ID,
            "UserId": call.user,
            "OrganizationId": ORGANISATION_ID,
        }
        return json_reply(200, body)

    def _collection(self, call: Call, table: Table, path: Path) -> Reply:
        if path.member:
            return self._action(call, table, path.member)
        if call.method == "GET":
            return self._list(call, table)
        if call.method == "POST":
            if table.joins:
                raise refusals.no_message("Create", table)
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

    def _list(self, call: Call, table: Table) -> Reply:
        options = parse_options(call.query)
        wanted = prefer(call.headers)
        shown = view(table, options, wanted.annotations)
        page = select_page(self.records, table, options, wanted.page_size)
        body: dict[str, Any] = {"@odata.context": f"{call.root}$metadata#{context(table, shown)}"}
        if page.count is not None:
            body["@odata.count"] = page.count
        body["value"] = [self._presenter.show(table, record, shown) for record in page.records]
        if page.next_query:
            body["@odata.nextLink"] = f"{call.root}{table.entity_set}?{page.next_query}"
        return json_reply(200, body, wanted)

    def _read(self, call: Call, table: Table, path: Path) -> Reply:
        key, record = self._find(table, path)
        if record is None:
            raise _not_found(table, key)
        if call.headers.get("if-none-match") == record.etag:
            return Reply(304, [("etag", record.etag)])
        return self._shown(call, table, record, prefer(call.headers), 200)

    def _create(self, call: Call, table: Table) -> Reply:
        body = read_json(table, call)
        wanted = prefer(call.headers)
        with self.records.transaction(writes=1):
            record = self.writer.create(table, body, call.user, detect=_detect(call))
        if wanted.representation:
            return self._shown(call, table, record, wanted, 201)
        return Reply(204, [_entity_id(call, table, record.id)])

    def _patch(self, call: Call, table: Table, path: Path) -> Reply:
        key, record = self._find(table, path)
        self._check_conditions(call, table, key, record)
        body = read_json(table, call)
        wanted = prefer(call.headers)
        with self.records.transaction(writes=1):
            written = self.writer.upsert(table, key, body, call.user, detect=_detect(call))
        if wanted.representation:
            return self._shown(call, table, written, wanted, 200 if record else 201)
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
        key, record = self._find(table, path)
        if record is None:
            raise _not_found(table, key)
        self._check_conditions(call, table, key, record)
        with self.records.transaction(writes=1):
            self.writer.delete(table, record)
        return Reply(204)

    def _member(self, call: Call, table: Table, path: Path) -> Reply:
        """A column, or the parties, of one row."""
        key, record = self._find(table, path)
        if record is None:
            raise _not_found(table, key)
        if table is SYSTEMUSER and (privilege := users.asked_privilege(path.member)):
            return json_reply(200, users.privileges(self.denied, record.id, privilege, call.root))
        name = path.member
        if link := parse_link(table, name):
            return self._link(call, table, record, link)
        if name not in table.by_property and not (table.activity and name == table.parties):
            raise refusals.no_segment(self.switches.segment_code, unquote(name))
        if call.method == "GET":
            return self._show_member(call, table, record, name)
        if call.method not in self._member_methods:
            raise refusals.not_allowed(call.method)
        with self.records.transaction(writes=1):
            self._member_methods[call.method](call, table, record, name)
        return Reply(204)

    def _link(self, call: Call, table: Table, record: Row, link: Link) -> Reply:
        """A many-to-many relation of one row."""
        if call.method == "GET" and not link.key:
            shown = view(link.other, {} if link.ref else parse_options(call.query), ())
            rows = related(self.records, link.join, table, record)
            listed = [self._presenter.show(link.other, row, shown) for row in rows]
            if link.ref:
                listed = [{"@odata.id": _url(call, link.other, row.id)} for row in rows]
            where = f"{call.root}$metadata#{context(link.other, shown)}"
            return json_reply(200, {"@odata.context": where, "value": listed})
        if not link.ref or call.method not in {"POST", "DELETE"}:
            raise refusals.not_allowed(call.method)
        with self.records.transaction(writes=1):
            if call.method == "POST":
                self._associations.add(link, table, record, read_json(link.join, call))
            else:
                self._associations.remove(link, table, record)
        return Reply(204)

    def _show_member(self, call: Call, table: Table, record: Row, name: str) -> Reply:
        value = record.columns.get(name)
        if name == table.parties:
            shown = view(table, {}, prefer(call.headers).annotations)
            value = self._presenter.parties(record, None, shown.annotations)
        elif value is None:
            return Reply(204)
        where = f"{call.root}$metadata#{table.entity_set}({record.id})/{name}"
        return json_reply(200, {"@odata.context": where, "value": value})

    def _put_member(self, call: Call, table: Table, record: Row, name: str) -> None:
        value = read_json(table, call).get("value")
        if name == table.parties:
            self.writer.replace_parties(table, record, value, call.user)
        else:
            self.writer.update(table, record, {name: value}, call.user)

    def _empty_member(self, call: Call, table: Table, record: Row, name: str) -> None:
        if name == table.parties:
            raise refusals.not_allowed(call.method)
        self.writer.update(table, record, {name: None}, call.user)

    def _find(self, table: Table, path: Path) -> tuple[Key, Row | None]:
        key = parse_key(table, unquote(path.key or ""))
        return key, self.writer.find(table, key)

    def _shown(self, call: Call, table: Table, record: Row, wanted: Prefer, status: int) -> Reply:
        options = parse_options(call.query)
        shown = view(table, options, wanted.annotations)
        where = f"{call.root}$metadata#{context(table, shown)}/$entity"
        body = {"@odata.context": where, **self._presenter.show(table, record, shown)}
        reply = json_reply(status, body, wanted)
        reply.headers.append(("etag", record.etag))
        return reply


def create_organisation(
    path: pathlib.Path | None = None,
    *,
    keys: Mapping[str, Sequence[tuple[str, ...]]] | None = None,
    switches: Switches | None = None,
    clients: Collection[str] = (),
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
) -> Organisation:
    """An organisation with the application users of ``CLIENT_ID`` and of other clients.

    Args:
        path: SQLite file that keeps the rows; None: memory alone.
        keys: Alternate keys, as columns, by entity set.
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

    organisation = Organisation(Rows(path, keys), switches or Switches(), clock, new_id)
    for client_id in dict.fromkeys((CLIENT_ID, *clients)):
        add_user(organisation.records, client_id)
    return organisation


def read_json(table: Table, call: Call) -> dict[str, Any]:
    """A request's body.

    Raises:
        Refusal: It is not a JSON object.
    """
    if not call.headers.get("content-type", "application/json").startswith("application/json"):
        raise Refusal(415, "0x80060888", "The request's Content-Type is not supported.")
    try:
        body = orjson.loads(call.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        inner = "Microsoft.OData.ODataException: The body is not a JSON object."
        raise refusals.payload(table.entity_set, inner)
    return body


def _not_found(table: Table, key: Key) -> Refusal:
    return refusals.no_row(table, key) if isinstance(key, str) else refusals.no_row_by_key(table)


def _entity_id(call: Call, table: Table, key: str) -> tuple[str, str]:
    return "odata-entityid", _url(call, table, key)


def _url(call: Call, table: Table, key: str) -> str:
    return f"{call.root}{table.entity_set}({key})"


def _detect(call: Call) -> bool:
    return call.headers.get("mscrm.suppressduplicatedetection", "").lower() == "false"
