-- The file of SqliteStore, first form. Once released this never changes: later forms are scripts
-- of their own. Semicolons only end statements, as the script is cut there.

PRAGMA application_id = 0x4344796E;  -- "CDyn": the file is ours

CREATE TABLE contact (
    id            TEXT PRIMARY KEY,
    version       INTEGER NOT NULL,
    due_at        REAL,
    rank          INTEGER NOT NULL CHECK (rank IN (0, 1)),
    claim         TEXT NOT NULL,
    claimed_until REAL NOT NULL,
    expires_at    REAL,
    parked        INTEGER NOT NULL,
    ready_at      REAL AS (max(due_at, claimed_until)),  -- null if nothing is owed
    data          BLOB NOT NULL  -- last, so that the columns before it are read without it
) STRICT;

-- Partial: what the worker asks for all the time costs as much as there is of it, not as much as
-- is stored.
CREATE INDEX contact_due ON contact (rank, due_at, claimed_until, id) WHERE due_at IS NOT NULL;
CREATE INDEX contact_ready ON contact (ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX contact_parked ON contact (id) WHERE parked;
CREATE INDEX contact_expiring ON contact (expires_at)
    WHERE expires_at IS NOT NULL AND due_at IS NULL AND NOT parked;

CREATE TABLE quarantine (
    id     TEXT PRIMARY KEY,
    at     REAL NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE position (
    stream   TEXT NOT NULL,
    shard    TEXT NOT NULL,
    position TEXT NOT NULL,
    PRIMARY KEY (stream, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE remembered (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
