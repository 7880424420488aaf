-- Times are microseconds since 1970, in UTC.

-- One row: what was committed last. Neither number ever goes back.
CREATE TABLE meta (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence   INTEGER NOT NULL CHECK (sequence >= 0),
    revision   INTEGER NOT NULL CHECK (revision >= 0),
    revised_at INTEGER,
    -- Tombstones up to this sequence may be gone: who knows less reads everything.
    pruned_to  INTEGER NOT NULL CHECK (pruned_to >= 0 AND pruned_to <= sequence)
) STRICT;

INSERT INTO meta (id, sequence, revision, revised_at, pruned_to) VALUES (1, 0, 0, NULL, 0);

CREATE TRIGGER meta_never_goes_back BEFORE UPDATE ON meta
WHEN NEW.sequence < OLD.sequence OR NEW.revision < OLD.revision OR NEW.pruned_to < OLD.pruned_to
BEGIN SELECT RAISE(ABORT, 'the numbers of the store never go back'); END;

CREATE TRIGGER meta_stays BEFORE DELETE ON meta
BEGIN SELECT RAISE(ABORT, 'the numbers of the store are never removed'); END;

CREATE TABLE documents (
    kind       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    -- JSON; NULL: the document is gone, and replicas have to hear of it.
    body       TEXT,
    sequence   INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT;

CREATE INDEX documents_by_sequence ON documents (sequence);
CREATE INDEX documents_gone ON documents (changed_at) WHERE body IS NULL;
