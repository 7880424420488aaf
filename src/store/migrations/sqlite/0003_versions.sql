-- What a document was at a time: its last entry until then.
CREATE INDEX audit_by_document ON audit (kind, key, at, sequence);
