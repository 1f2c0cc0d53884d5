"""What stands behind a row's key: its columns, the rows it is related to, and the relations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from worker.sandbox.dataverse import deep
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.bodies import read_json
from worker.sandbox.dataverse.odata.paths import Segment, parse_segments
from worker.sandbox.dataverse.odata.wire import Call, Reply, json_reply, plain_reply, prefer
from worker.sandbox.dataverse.rows.navigation import Kind, Navigation, navigation, related
from worker.sandbox.dataverse.schema.columns import Table


if TYPE_CHECKING:
    from worker.sandbox.dataverse.associations import Associations
    from worker.sandbox.dataverse.reading.listing import Listing
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.rows.writes import RowWriter
    from worker.sandbox.dataverse.switches import Switches


_REF: Final = "$ref"


@dataclass(frozen=True, slots=True)
class Members:
    """Answers requests for what belongs to one row.

    Attributes:
        records: The rows.
        switches: What is done where Dataverse's behaviour is not documented.
        listing: Reads.
        associations: Makes and ends relations.
    """

    records: Rows
    switches: Switches
    listing: Listing
    associations: Associations

    def answer(self, call: Call, table: Table, record: Row, member: str) -> Reply:
        """The answer to a request for a member.

        Raises:
            Refusal: There is none of that name, it cannot do that, or what it is to do fails.
        """
        segments = parse_segments(member)
        if call.method == "GET":
            return self._read(call, table, record, segments)
        first, rest = segments[0], [segment.name for segment in segments[1:]]
        nav = navigation(table, first.name)
        if nav is None and first.name not in table.by_property:
            raise self._nothing(first.name)
        with self.records.transaction(writes=1):
            if nav and rest == [_REF]:
                return self._relate(call, table, record, nav, first.key)
            if rest or first.key is not None:
                raise refusals.not_allowed(call.method)
            if nav and nav.kind is not Kind.PARTIES:
                return self._create(call, table, record, nav)
            return self._write(call, table, record, first.name)

    def _nothing(self, name: str) -> refusals.Refusal:
        return refusals.no_segment(self.switches.segment_code, name)

    def _read(self, call: Call, table: Table, record: Row, segments: list[Segment]) -> Reply:
        """Go from row to row as the segments say, and show what is at the end."""
        for at, segment in enumerate(segments):
            rest = [segment.name for segment in segments[at + 1 :]]
            nav = navigation(table, segment.name)
            if nav is None:
                return self._column(call, table, record, segment, rest)
            found = related(self.records, table, record, nav)
            if nav.single and segment.key is None:
                if rest == [_REF]:
                    return self._reference(call, found)
                if not found:
                    return Reply(204)
                table, record = found[0]
            elif segment.key is not None and not nav.single:
                record, table = (
                    self.associations.member(table, record, nav, segment.key),
                    nav.target,
                )
            else:
                address = f"{table.entity_set}({record.id})/{nav.name}"
                return self._collection(call, nav, [row for _, row in found], rest, address)
        return self.listing.row(call, table, record)

    def _collection(
        self, call: Call, nav: Navigation, rows: list[Row], rest: list[str], address: str
    ) -> Reply:
        if not rest:
            return self.listing.rows(call, nav.target, rows, address)
        if rest == ["$count"]:
            return self.listing.count(call, nav.target, rows)
        if rest == [_REF]:
            where = f"{call.root}$metadata#Collection($ref)"
            value = [{"@odata.id": _url(call, nav.target, row.id)} for row in rows]
            return json_reply(200, {"@odata.context": where, "value": value})
        raise self._nothing(rest[0])

    def _reference(self, call: Call, found: list[tuple[Table, Row]]) -> Reply:
        if not found:
            return Reply(204)
        table, row = found[0]
        where = f"{call.root}$metadata#$ref"
        return json_reply(200, {"@odata.context": where, "@odata.id": _url(call, table, row.id)})

    def _column(
        self, call: Call, table: Table, record: Row, segment: Segment, rest: list[str]
    ) -> Reply:
        name = segment.name
        if name not in table.by_property or segment.key is not None:
            raise self._nothing(name)
        if rest not in ([], ["$value"]):
            raise self._nothing(rest[0])
        value = record.columns.get(name)
        if value is None:
            return Reply(204)
        if rest:
            return plain_reply(str(value).lower() if isinstance(value, bool) else str(value))
        where = f"{call.root}$metadata#{table.entity_set}({record.id})/{name}"
        return json_reply(200, {"@odata.context": where, "value": value}, prefer(call.headers))

    def _relate(
        self, call: Call, table: Table, record: Row, nav: Navigation, key: str | None
    ) -> Reply:
        """PUT for a single-valued property, POST for a collection, DELETE for both."""
        if nav.kind is Kind.PARTIES or call.method not in _RELATING[nav.single]:
            raise refusals.not_allowed(call.method)
        if call.method == "DELETE":
            named = key or dict(parse_qsl(call.query)).get("$id", "")
            self.associations.remove(table, record, nav, named, call.user)
            return Reply(204)
        if key is not None:
            raise refusals.not_allowed(call.method)
        reference = read_json(table, call).get("@odata.id")
        if not isinstance(reference, str):
            reference = ""
        self.associations.add(table, record, nav, reference, call.user)
        return Reply(204)

    def _create(self, call: Call, table: Table, record: Row, nav: Navigation) -> Reply:
        """POST to a collection: a new row in it."""
        if call.method != "POST" or nav.single:
            raise refusals.not_allowed(call.method)
        body = read_json(nav.target, call)
        row = deep.create_member(self.associations, (table, record), nav, body, call.user)
        if prefer(call.headers).representation:
            return self.listing.row(call, nav.target, row, 201)
        return Reply(204, [("odata-entityid", _url(call, nav.target, row.id))])

    def _write(self, call: Call, table: Table, record: Row, name: str) -> Reply:
        write = _WRITES.get((call.method, name == table.parties))
        if write is None:
            raise refusals.not_allowed(call.method)
        write(self.associations.writer, call, table, record, name)
        return Reply(204)


_RELATING: Final = {True: {"PUT", "DELETE"}, False: {"POST", "DELETE"}}


def _put(writer: RowWriter, call: Call, table: Table, record: Row, name: str) -> None:
    writer.update(table, record, {name: read_json(table, call).get("value")}, call.user)


def _put_parties(writer: RowWriter, call: Call, table: Table, record: Row, _: str) -> None:
    writer.replace_parties(table, record, read_json(table, call).get("value"), call.user)


def _empty(writer: RowWriter, call: Call, table: Table, record: Row, name: str) -> None:
    writer.update(table, record, {name: None}, call.user)


#: What may be done with a column, and with an activity's parties.
_WRITES: Final[dict[tuple[str, bool], Callable[..., Any]]] = {
    ("PUT", False): _put,
    ("PUT", True): _put_parties,
    ("DELETE", False): _empty,
}


def _url(call: Call, table: Table, key: str) -> str:
    return f"{call.root}{table.entity_set}({key})"
