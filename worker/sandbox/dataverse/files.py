"""File columns: ``accounts(<id>)/new_document``, whole or in chunks [DOC file-column-data].

Contents are in memory, whatever becomes of the rows; a row's column holds the file's id.
"""

from __future__ import annotations

import re

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote

from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.odata.wire import Call, Reply, json_reply


if TYPE_CHECKING:
    from worker.sandbox.dataverse.rows.records import Row, Rows
    from worker.sandbox.dataverse.schema.columns import Column, Table


CHUNK: Final = 4 * 1024 * 1024  # bytes, what Dataverse recommends

_RANGE: Final = re.compile(r"bytes[ =](\d+)-(\d+)(?:/(\d+))?")


@dataclass(slots=True)
class _File:
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Files:
    """The files of an organisation.

    Attributes:
        records: The rows.
        new_id: Makes ids of files, and tokens of uploads.
    """

    records: Rows
    new_id: Callable[[], str]
    _files: dict[str, _File] = field(default_factory=dict)
    _uploads: dict[str, _File] = field(default_factory=dict)

    def answer(self, call: Call, table: Table, record: Row, member: str) -> Reply | None:
        """The answer to a request for a file column; None if the member is none.

        Raises:
            Refusal: There is no file, or the upload is none that was begun.
        """
        name, _, rest = unquote(member).partition("/")
        column = table.by_property.get(name)
        if column is None or column.type != "File" or rest not in {"", "$value"}:
            return None
        if call.method == "GET":
            return self._read(call, record, column, raw=bool(rest))
        if call.method == "DELETE":
            self._put(table, record, column, None)
            return Reply(204)
        if call.method in {"PATCH", "PUT"} and not rest:
            return self._write(call, table, record, column)
        raise refusals.not_allowed(call.method)

    def _write(self, call: Call, table: Table, record: Row, column: Column) -> Reply:
        query = {name: values[0] for name, values in parse_qs(call.query).items()}
        name = query.get("x-ms-file-name") or call.headers.get("x-ms-file-name", "")
        token = query.get("sessiontoken", "")
        if not token and call.headers.get("x-ms-transfer-mode") == "chunked":
            token = self.new_id()
            self._uploads[token] = _File(unquote(name), b"")
            where = f"{call.root}{call.path}?sessiontoken={token}"
            return Reply(200, [("location", where), ("x-ms-chunk-size", str(CHUNK))])
        if not token:
            self._put(table, record, column, _File(unquote(name), call.body))
            return Reply(204)
        upload, sent = self._uploads.get(token), _RANGE.match(call.headers.get("content-range", ""))
        if upload is None or sent is None or int(sent[1]) != len(upload.content):
            raise refusals.invalid_argument("The chunk does not continue an upload.")
        upload.content += call.body
        if len(upload.content) < int(sent[3] or 0):
            return Reply(206)
        self._put(table, record, column, self._uploads.pop(token))
        return Reply(204)

    def _read(self, call: Call, record: Row, column: Column, *, raw: bool) -> Reply:
        file = self._files.get(str(record.columns.get(column.name)))
        if file is None:
            raise refusals.Refusal(404, "0x80040217", f"{column.name} holds no file.")
        wanted = _RANGE.match(call.headers.get("range", ""))
        part = file.content[int(wanted[1]) : int(wanted[2]) + 1] if wanted else file.content
        headers = [
            ("content-disposition", f'attachment; filename="{file.name}"'),
            ("x-ms-file-name", file.name),
            ("x-ms-file-size", str(len(file.content))),
        ]
        if raw:
            status = 206 if wanted else 200
            return Reply(status, [("content-type", "application/octet-stream"), *headers], part)
        where = f"{call.root}$metadata#Edm.Binary"
        reply = json_reply(200, {"@odata.context": where, "value": b64encode(part).decode()})
        reply.headers.extend(headers)
        return reply

    def _put(self, table: Table, record: Row, column: Column, file: _File | None) -> None:
        columns = {name: v for name, v in record.columns.items() if name != column.name}
        self._files.pop(str(record.columns.get(column.name)), None)
        version = self.records.next_version()
        if file:
            own = columns[column.name] = self.new_id()
            self._files[own] = file
        with self.records.transaction(writes=1):
            changed = replace(
                record, version=version, columns={**columns, "versionnumber": version}
            )
            self.records.put(table, changed)
