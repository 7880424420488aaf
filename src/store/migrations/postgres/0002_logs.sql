-- Who changed what. Rows are added, never changed and never removed.
CREATE TABLE audit (
    sequence  BIGINT NOT NULL,
    ordinal   BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    user_id   TEXT   NOT NULL,
    operation TEXT   NOT NULL,
    request   TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    key       TEXT   NOT NULL,
    before    TEXT,
    after     TEXT,
    PRIMARY KEY (sequence, ordinal)
);

CREATE INDEX audit_by_time ON audit (at);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_is_not_changed;
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_is_not_emptied;

CREATE TABLE decisions (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    user_id     TEXT NOT NULL,
    application TEXT NOT NULL,
    body        TEXT NOT NULL
);

CREATE INDEX decisions_by_time ON decisions (at, id);

CREATE TABLE events (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    user_id TEXT COLLATE "C",
    kind    TEXT NOT NULL,
    body    TEXT NOT NULL
);

CREATE INDEX events_by_time ON events (at, id);
CREATE INDEX events_by_user ON events (user_id, at, id);
