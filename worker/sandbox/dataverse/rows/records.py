"""The rows, in memory, and in a SQLite file beside it if there is to be one."""

from __future__ import annotations

import sqlite3

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson

from worker.errors import ConfigError
from worker.sandbox.dataverse.odata import refusals
from worker.sandbox.dataverse.rows.values import folded
from worker.sandbox.dataverse.schema.tables import SHIPPED
from worker.sandbox.dataverse.switches import Switches


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from worker.sandbox.dataverse.schema.columns import Schema, Table


#: Columns that say when and how often a row was written rather than what: a comparison of two
#: dumps leaves them out.
CLOCKED: Final = frozenset({"createdon", "modifiedon", "overriddencreatedon", "versionnumber"})

_ADVICE: Final = "name the --schema they were made with, or another file of records"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS record (
    entity_set TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (entity_set, id)
) WITHOUT ROWID
"""

_ORGANISATION: Final = """
CREATE TABLE IF NOT EXISTS organisation (
    one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Party:
    """Who takes part in an activity: columns, and the table ``_partyid_value`` leads to."""

    columns: Mapping[str, Any]
    target: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row; every write makes a new one.

    Attributes:
        id: Primary key, lower case.
        version: Greater than that of any write before.
        columns: What is not null, by property name.
        targets: The table each lookup property leads to.
        parties: Of an activity.
    """

    id: str
    version: int
    columns: Mapping[str, Any]
    targets: Mapping[str, str] = field(default_factory=dict)
    parties: tuple[Party, ...] = ()

    @property
    def etag(self) -> str:
        """Its weak ETag."""
        return f'W/"{self.version}"'


class Rows:
    """All rows.

    Reads and writes are synchronous, SQLite's too: this is a stand-in for one machine, and a
    request must not be overtaken between its conditions and its write.

    Args:
        path: SQLite file, or None for memory alone.
        schema: What tables there are.

    Attributes:
        schema: What tables there are.
        organisation_id: Whose rows they are: a file keeps it, memory alone has a new one each time.
        writes: How many writes of requests succeeded.
        switches: What is read where Dataverse's behaviour is not documented.
    """

    def __init__(self, path: Path | None = None, schema: Schema = SHIPPED) -> None:
        self._rows: dict[str, dict[str, Row]] = {}
        self.adopt(schema)
        self.writes = 0
        self.switches = Switches()
        self._version = 1_000_000
        self._undo: list[tuple[Table, str, Row | None]] = []
        self._depth = 0
        self.organisation_id = str(uuid4())
        self._file = _open(path) if path else None
        if self._file:
            self.organisation_id = _identified(self._file, self.organisation_id)
            self._load(self._file)

    def adopt(self, schema: Schema) -> None:
        """Go on with other tables; the rows of those that are gone are gone too.

        Raises:
            Refusal: Rows that are there have the same values of a new alternate key.
        """
        keys = {name: tuple(t.keys.values()) for name, t in schema.tables.items() if t.keys}
        rows = {name: self._rows.get(name, {}) for name in schema.tables}
        index: dict[tuple[str, tuple[str, ...]], dict[tuple[Any, ...], str]] = {}
        for name, columns in ((name, key) for name, own in keys.items() for key in own):
            found = index[name, columns] = {}
            for record in rows[name].values():
                value = _key(columns, record.columns)
                if value and found.setdefault(value, record.id) != record.id:
                    raise refusals.alternate_key_taken(columns)
        self.schema, self.keys, self._rows, self._index = schema, keys, rows, index

    @property
    def kept(self) -> bool:
        """Whether they are kept in a file."""
        return self._file is not None

    def get(self, table: Table, record_id: str) -> Row | None:
        """The row with this primary key (lower case)."""
        return self._rows.get(table.entity_set, {}).get(record_id)

    def all(self, table: Table) -> Collection[Row]:
        """Every row of a table, oldest first."""
        return self._rows.get(table.entity_set, {}).values()

    def title(self, logical: str, record_id: str) -> str | None:
        """What a lookup shows of the row it leads to; None if there is no such row."""
        table = self.schema.by_logical.get(logical)
        found = self.get(table, record_id) if table else None
        return str(found.columns.get(table.title, "")) if found and table else None

    def find(self, table: Table, values: Mapping[str, Any]) -> Row | None:
        """The row with these values of an alternate key.

        Raises:
            KeyError: These columns are no alternate key.
        """
        columns = next(k for k in self.keys.get(table.entity_set, ((),)) if set(k) == set(values))
        record_id = self._index[table.entity_set, columns].get(_key(columns, values) or ())
        return self.get(table, record_id) if record_id else None

    def has_key(self, table: Table, columns: Collection[str]) -> bool:
        """Whether these columns are an alternate key."""
        return any(set(key) == set(columns) for key in self.keys.get(table.entity_set, ()))

    def next_version(self) -> int:
        """A version no write has had."""
        self._version += 1
        return self._version

    def put(self, table: Table, record: Row) -> None:
        """Write a row. Only inside ``transaction``.

        Raises:
            Refusal: An alternate key is taken by another row.
        """
        old = self.get(table, record.id)
        self._check_keys(table, record)
        self._undo.append((table, record.id, old))
        self._place(table, record.id, old, record)

    def remove(self, table: Table, record_id: str) -> None:
        """Delete a row that is there. Only inside ``transaction``."""
        old = self._rows[table.entity_set][record_id]
        self._undo.append((table, record_id, old))
        self._place(table, record_id, old, None)

    @contextmanager
    def transaction(self, writes: int = 0) -> Iterator[None]:
        """All writes within, or none of them if it ends in an exception. May be nested.

        Args:
            writes: How many writes of a request it is; an exception takes them back.
        """
        start, before = len(self._undo), self.writes
        self._depth += 1
        try:
            yield
            self.writes += writes
        except BaseException:
            self._roll_back(start)
            self.writes = before
            raise
        finally:
            self._depth -= 1
            if not self._depth:
                self._flush()

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """All rows as plain JSON, sorted by primary key, without columns that are null.

        Parties are a list under ``<entity>_activity_parties``, sorted, without ids of their own.
        """
        return {
            name: [_plain(self.schema.tables[name], rows[record_id]) for record_id in sorted(rows)]
            for name, rows in self._rows.items()
        }

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _check_keys(self, table: Table, record: Row) -> None:
        for columns in self.keys.get(table.entity_set, ()):
            value = _key(columns, record.columns)
            if value and self._index[table.entity_set, columns].get(value, record.id) != record.id:
                raise refusals.alternate_key_taken(columns)

    def _place(self, table: Table, record_id: str, old: Row | None, new: Row | None) -> None:
        for columns in self.keys.get(table.entity_set, ()):
            index = self._index[table.entity_set, columns]
            if old and (value := _key(columns, old.columns)):
                del index[value]
            if new and (value := _key(columns, new.columns)):
                index[value] = record_id
        rows = self._rows[table.entity_set]
        if new:
            rows[record_id] = new
        else:
            rows.pop(record_id, None)

    def _roll_back(self, start: int) -> None:
        while len(self._undo) > start:
            table, record_id, old = self._undo.pop()
            self._place(table, record_id, self.get(table, record_id), old)

    def _flush(self) -> None:
        if self._file and self._undo:
            touched = {(table.entity_set, record_id) for table, record_id, _ in self._undo}
            with self._file:
                for entity_set, record_id in touched:
                    self._save(self._file, entity_set, record_id)
        self._undo.clear()

    def _save(self, file: sqlite3.Connection, entity_set: str, record_id: str) -> None:
        record = self._rows[entity_set].get(record_id)
        if record is None:
            delete = "DELETE FROM record WHERE entity_set = ? AND id = ?"
            file.execute(delete, (entity_set, record_id))
            return
        body = orjson.dumps(
            {
                "version": record.version,
                "columns": record.columns,
                "targets": record.targets,
                "parties": [(party.columns, party.target) for party in record.parties],
            }
        )
        replace = "INSERT OR REPLACE INTO record VALUES (?, ?, ?)"
        file.execute(replace, (entity_set, record_id, body))

    def _load(self, file: sqlite3.Connection) -> None:
        with closing(file.execute("SELECT entity_set, id, body FROM record")) as rows:
            loaded = [(name, _record(key, orjson.loads(body))) for name, key, body in rows]
        for name, record in sorted(loaded, key=lambda item: item[1].version):
            table = self.schema.tables.get(name)
            if table is None:
                raise ConfigError(
                    f"the file has rows of {name}, of which there is no table; {_ADVICE}"
                )
            self._place(table, record.id, None, record)
            self._version = max(self._version, record.version)


def _open(path: Path) -> sqlite3.Connection:
    try:
        file = sqlite3.connect(path)
    except sqlite3.OperationalError as error:
        raise ConfigError(f"{path}: {error}; name a file for the sandbox's records") from None
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute(_SCHEMA)
        file.execute(_ORGANISATION)
    except sqlite3.DatabaseError as error:
        file.close()
        raise ConfigError(f"{path} is no file of a sandbox: {error}") from None
    return file


def _identified(file: sqlite3.Connection, new_id: str) -> str:
    """The id of the organisation whose file it is: a new one, if it has none yet."""
    with file:
        file.execute("INSERT OR IGNORE INTO organisation VALUES (1, ?)", (new_id,))
    (found,) = file.execute("SELECT id FROM organisation").fetchone()
    return str(found)


def _record(record_id: str, body: dict[str, Any]) -> Row:
    parties = tuple(Party(columns, target) for columns, target in body["parties"])
    return Row(record_id, body["version"], body["columns"], body["targets"], parties)


def _key(columns: tuple[str, ...], values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    found = tuple(folded(values.get(column)) for column in columns)
    return None if None in found else found


def _plain(table: Table, record: Row) -> dict[str, Any]:
    row = dict(sorted(record.columns.items()))
    if record.parties:
        parties = [dict(sorted(party.columns.items())) for party in record.parties]
        row[table.parties] = sorted(parties, key=orjson.dumps)
    return row
