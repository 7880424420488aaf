//! What the upstream answered at its metadata routes, for a short time and for all threads. Calls
//! that want the same at once share one read. An answer belongs to the caller that it was given to,
//! and is never used longer than the configuration allows.

use crate::observe::clock;
use bytes::Bytes;
use foldhash::fast::RandomState;
use http::HeaderValue;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long a read that failed is not tried again: a dead upstream is not hammered.
const FAILED: Duration = Duration::from_millis(250);
/// Nothing is kept longer, whatever the configuration says.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// What an answer takes beside its body and its target.
const ENTRY_BYTES: usize = 512;

/// What the configuration says about upstream metadata (`[proxy.metadata_cache]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetadataCacheSettings {
    /// How long an answer may be used; nothing is kept where it is nothing.
    pub ttl: Duration,
    /// How many bytes the answers may have together.
    pub bytes: usize,
}

/// Answers by target and caller.
pub struct MetadataCache {
    ttl: Duration,
    reads: Cache<Key, Arc<Read>, RandomState>,
}

/// Who asks: the SHA-256 of the `Authorization` that the upstream is shown, or nobody.
pub type Asker = Option<[u8; 32]>;

/// Everything that an answer depends on: the upstream answers each caller for himself.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    asker: Asker,
    target: Box<str>,
}

/// One read, which is still going on until it has an end.
struct Read {
    begun: Instant,
    end: OnceCell<End>,
}

/// What came of a read; no body is unknown metadata.
struct End {
    body: Option<Bytes>,
    made: Instant,
    lives: Duration,
}

impl MetadataCache {
    /// An empty cache.
    #[must_use]
    pub fn new(settings: MetadataCacheSettings) -> Self {
        let weight = |key: &Key, read: &Arc<Read>| {
            let body = read.end.get().and_then(|end| end.body.as_ref()).map_or(0, Bytes::len);
            u32::try_from(key.target.len() + body + ENTRY_BYTES).unwrap_or(u32::MAX)
        };
        let builder = Cache::builder().max_capacity(settings.bytes as u64).weigher(weight);
        // Who may use an answer is said by the answer itself; this only frees what nobody asks for.
        let reads = builder.time_to_live(settings.ttl.min(LONGEST).saturating_add(FAILED)).build_with_hasher(RandomState::default());
        Self { ttl: settings.ttl, reads }
    }

    /// The answer at `target` for this caller: one that is at hand, one that is on its way, or else
    /// what `read` brings. Whoever reads and gives up leaves the read to the next who waits.
    pub async fn get<F: Future<Output = Option<Bytes>>>(&self, target: &str, asker: Asker, read: impl FnOnce() -> F) -> Option<Bytes> {
        if self.ttl.is_zero() {
            return read().await;
        }
        let now = clock::monotonic();
        let key = || Key { asker, target: target.into() };
        let begin = || Arc::new(Read { begun: now, end: OnceCell::new() });
        let shared = self.reads.entry(key()).or_insert_with_if(begin, |known| known.is_over(now, self.ttl)).into_value();
        let mut is_mine = false;
        let end = shared.end.get_or_init(|| {
            is_mine = true;
            self.bring(read)
        });
        let body = end.await.body.clone();
        if is_mine {
            // Put in anew, so that it weighs what it has become; unless another came meanwhile.
            self.reads.entry(key()).and_compute_with(|known| match known {
                Some(known) if Arc::ptr_eq(known.value(), &shared) => moka::ops::compute::Op::Put(Arc::clone(&shared)),
                _ => moka::ops::compute::Op::Nop,
            });
        }
        body
    }

    async fn bring<F: Future<Output = Option<Bytes>>>(&self, read: impl FnOnce() -> F) -> End {
        let begun = clock::monotonic();
        let body = read().await;
        // An answer is as old as its question; a failure may have taken long, and is new.
        let (made, lives) = if body.is_some() { (begun, self.ttl) } else { (clock::monotonic(), FAILED.min(self.ttl)) };
        End { body, made, lives }
    }
}

impl Read {
    /// Whether it may not be used by a call that comes now; one that takes longer than answers may be
    /// used is not waited for.
    fn is_over(&self, now: Instant, ttl: Duration) -> bool {
        let (since, lives) = self.end.get().map_or((self.begun, ttl), |end| (end.made, end.lives));
        now.saturating_duration_since(since) >= lives
    }
}

/// Who asks with this `Authorization`.
pub fn asker(authorization: Option<&HeaderValue>) -> Asker {
    authorization.map(|value| Sha256::digest(value.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn cache(bytes: usize) -> MetadataCache {
        MetadataCache::new(MetadataCacheSettings { ttl: Duration::from_secs(3600), bytes })
    }

    #[tokio::test]
    async fn a_read_that_is_given_up_is_taken_over_by_who_waits_for_it() {
        let cache = cache(1 << 20);
        let mut second = pin!(cache.get("/m", None, || ready(Some(Bytes::from_static(b"2")))));
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut first = pin!(cache.get("/m", None, pending::<Option<Bytes>>));
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert!(second.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Some(Bytes::from_static(b"2"))));
        assert_eq!(cache.get("/m", None, pending).await.as_deref(), Some(&b"2"[..]));
    }

    #[tokio::test]
    async fn answers_take_no_more_bytes_than_they_may() {
        let cache = cache(1 << 20);
        for number in 0..100 {
            cache.get(&format!("/m/{number}"), None, || ready(Some(Bytes::from(vec![b'x'; 60_000])))).await;
        }
        cache.reads.run_pending_tasks();
        assert!(cache.reads.weighted_size() <= 1 << 20, "{}", cache.reads.weighted_size());
        assert!((1..=17).contains(&cache.reads.entry_count()), "{}", cache.reads.entry_count());
    }

    #[tokio::test]
    async fn a_read_that_takes_longer_than_answers_live_is_not_waited_for() {
        let cache = MetadataCache::new(MetadataCacheSettings { ttl: Duration::from_millis(20), bytes: 1 << 20 });
        let mut context = Context::from_waker(Waker::noop());
        let mut slow = pin!(cache.get("/m", None, pending::<Option<Bytes>>));
        assert!(slow.as_mut().poll(&mut context).is_pending());
        let later = clock::monotonic() + Duration::from_millis(20);
        while clock::monotonic() < later {
            tokio::task::yield_now().await;
        }
        let read = cache.get("/m", None, || ready(Some(Bytes::from_static(b"2"))));
        assert_eq!(tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().as_deref(), Some(&b"2"[..]));
    }
}
