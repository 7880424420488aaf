-- Who changed what. Rows are added, never changed and never removed.
CREATE TABLE audit (
    sequence  INTEGER NOT NULL,
    ordinal   INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    user_id   TEXT    NOT NULL,
    operation TEXT    NOT NULL,
    request   TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    before    TEXT,
    after     TEXT,
    PRIMARY KEY (sequence, ordinal)
) STRICT;

CREATE INDEX audit_by_time ON audit (at);

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- INSERT OR REPLACE removes a row without a DELETE that triggers could see.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence AND ordinal = NEW.ordinal)
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE decisions (
    id          TEXT    NOT NULL PRIMARY KEY,
    at          INTEGER NOT NULL,
    user_id     TEXT    NOT NULL,
    application TEXT    NOT NULL,
    body        TEXT    NOT NULL
) STRICT;

CREATE INDEX decisions_by_time ON decisions (at, id);

CREATE TABLE events (
    id      TEXT    NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    user_id TEXT,
    kind    TEXT    NOT NULL,
    body    TEXT    NOT NULL
) STRICT;

CREATE INDEX events_by_time ON events (at, id);
CREATE INDEX events_by_user ON events (user_id, at, id);
