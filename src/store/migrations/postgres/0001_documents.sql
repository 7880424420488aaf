-- Times are microseconds since 1970, in UTC. Texts that are keys are ordered byte by byte.

-- One row: what was committed last. Neither number ever goes back. A writer locks it.
CREATE TABLE meta (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence   BIGINT NOT NULL CHECK (sequence >= 0),
    revision   BIGINT NOT NULL CHECK (revision >= 0),
    revised_at BIGINT,
    -- Tombstones up to this sequence may be gone: who knows less reads everything.
    pruned_to  BIGINT NOT NULL CHECK (pruned_to >= 0 AND pruned_to <= sequence)
);

INSERT INTO meta (id, sequence, revision, revised_at, pruned_to) VALUES (1, 0, 0, NULL, 0);

CREATE FUNCTION meta_never_goes_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'the numbers of the store are never removed';
    END IF;
    IF NEW.sequence < OLD.sequence OR NEW.revision < OLD.revision OR NEW.pruned_to < OLD.pruned_to THEN
        RAISE EXCEPTION 'the numbers of the store never go back';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER meta_never_goes_back BEFORE UPDATE OR DELETE ON meta FOR EACH ROW EXECUTE FUNCTION meta_never_goes_back();
CREATE TRIGGER meta_stays BEFORE TRUNCATE ON meta FOR EACH STATEMENT EXECUTE FUNCTION meta_never_goes_back();
ALTER TABLE meta ENABLE ALWAYS TRIGGER meta_never_goes_back;
ALTER TABLE meta ENABLE ALWAYS TRIGGER meta_stays;

CREATE TABLE documents (
    kind       TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    -- JSON; NULL: the document is gone, and replicas have to hear of it.
    body       TEXT,
    sequence   BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE INDEX documents_by_sequence ON documents (sequence);
CREATE INDEX documents_gone ON documents (changed_at) WHERE body IS NULL;
