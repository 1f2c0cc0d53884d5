-- The third form: under which labels contacts are listed (pipelines/labels.py). Semicolons only end
-- statements. Contacts that were stored before get their labels when they are saved next.

CREATE TABLE label (
    label   TEXT NOT NULL,
    at      INTEGER NOT NULL,  -- s since 1970
    contact TEXT NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    PRIMARY KEY (label, at, contact)
) STRICT, WITHOUT ROWID;

CREATE INDEX label_contact ON label (contact);
