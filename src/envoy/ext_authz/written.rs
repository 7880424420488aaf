//! A protobuf message that is being written, field by field, without a value of its type.

/// A message that is being written. Field numbers are below 16.
#[derive(Default)]
pub(super) struct Written(Vec<u8>);

/// The kinds of fields that are written (protobuf's encoding, "wire types").
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH: u8 = 2;

impl Written {
    /// An empty message with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A text, or bytes.
    pub(super) fn bytes(&mut self, field: u8, value: &[u8]) {
        self.bytes_of(field, &[value]);
    }

    /// A text, or bytes, in parts.
    pub(super) fn bytes_of(&mut self, field: u8, parts: &[&[u8]]) {
        self.key(field, LENGTH);
        self.varint(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.0.extend_from_slice(part);
        }
    }

    /// A whole number, or one of a list of names.
    pub(super) fn number(&mut self, field: u8, value: usize) {
        self.key(field, VARINT);
        self.varint(value);
    }

    /// A double.
    pub(super) fn double(&mut self, field: u8, value: f64) {
        self.key(field, FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A message inside.
    pub(super) fn message(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        self.key(field, LENGTH);
        // Most lengths take one byte; a longer one makes room for itself.
        let place = self.0.len();
        self.0.push(0);
        write(self);
        let length = self.0.len() - place - 1;
        match (u8::try_from(length), self.0.get_mut(place)) {
            (Ok(short @ ..0x80), Some(byte)) => *byte = short,
            _ => {
                let mut prefix = Self::default();
                prefix.varint(length);
                self.0.splice(place..=place, prefix.0);
            }
        }
    }

    fn key(&mut self, field: u8, kind: u8) {
        self.0.push(field << 3 | kind);
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.0.push(0x80 | (value & 0x7f) as u8);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Written {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use envoy_types::pb::envoy::service::auth::v3 as auth;
    use envoy_types::pb::google::rpc;
    use prost::Message;

    #[test]
    fn what_is_written_is_read_by_envoys_own_types() {
        for length in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 100_000] {
            let mut written = Written::with_capacity(10);
            let text = "t".repeat(length);
            written.message(1, |status| {
                status.number(1, length);
                status.bytes(2, text.as_bytes());
            });
            let read = auth::CheckResponse::decode(written.as_ref()).unwrap();
            assert_eq!(read.status, Some(rpc::Status { code: length.try_into().unwrap(), message: text, details: Vec::new() }));
        }
    }
}
