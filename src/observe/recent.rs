//! The newest records, kept in memory for the operator's door. Bounded by number and by bytes; the
//! oldest go first.

use crate::authorize::DecisionId;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many records are kept.
const RECORDS: usize = 4096;
/// How many bytes they may have together: a path alone may have thousands.
const BYTES: usize = 8 << 20;

/// The newest records as they were written, by decision id.
#[derive(Debug, Default)]
pub struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<(DecisionId, Bytes)>,
    bytes: usize,
}

impl Recent {
    /// The record of a decision, a JSON document, while it is kept.
    #[must_use]
    pub fn find(&self, id: DecisionId) -> Option<Bytes> {
        let kept = self.lock();
        kept.records.iter().rev().find(|(known, _)| *known == id).map(|(_, record)| record.clone())
    }

    /// Keeps a record, and lets the oldest go.
    pub(super) fn keep(&self, id: DecisionId, record: Bytes) {
        let mut kept = self.lock();
        kept.bytes += record.len();
        kept.records.push_back((id, record));
        while kept.records.len() > RECORDS || kept.bytes > BYTES {
            let Some((_, oldest)) = kept.records.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> DecisionId {
        DecisionId(number as u128)
    }

    #[test]
    fn the_oldest_records_go_when_there_are_too_many() {
        let recent = Recent::default();
        (0..RECORDS + 3).for_each(|number| recent.keep(id(number), Bytes::from(number.to_string())));
        assert_eq!(recent.find(id(2)), None);
        assert_eq!(recent.find(id(3)).as_deref(), Some(&b"3"[..]));
        assert_eq!(recent.find(id(RECORDS + 2)).unwrap(), (RECORDS + 2).to_string());
        assert_eq!(recent.lock().records.len(), RECORDS);
    }

    #[test]
    fn long_records_are_kept_within_the_bytes_there_are() {
        let recent = Recent::default();
        let long = Bytes::from(vec![b'x'; BYTES / 4]);
        (0..9).for_each(|number| recent.keep(id(number), long.clone()));
        assert_eq!((recent.find(id(4)), recent.find(id(5))), (None, Some(long)));
        assert!(recent.lock().bytes <= BYTES);
        recent.keep(id(10), Bytes::from(vec![b'x'; BYTES + 1]));
        let kept = recent.lock();
        assert_eq!((kept.records.len(), kept.bytes), (0, 0));
    }
}
