//! The sources against real sockets and files.

mod bound;
mod introspection;
mod keys;
mod outages;
mod snapshots;
mod storms;
mod tokens;

use super::*;
use crate::http_client::Authorities;
pub(super) use crate::http_client::test_server::{Server, answer};
use http::HeaderMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::task::JoinSet;

pub(super) const NOW: i64 = 1_800_000_000;

/// Remembers every count as one text.
#[derive(Default)]
pub(super) struct Counts(Mutex<Vec<String>>);

impl SourceObserver for Counts {
    fn snapshot_load(&self, result: &'static str, _: usize) {
        self.0.lock().unwrap().push(result.into());
    }

    fn keys_refresh(&self, issuer: &str, result: &'static str) {
        self.0.lock().unwrap().push(format!("{issuer} {result}"));
    }

    fn introspection(&self, issuer: &str, result: &'static str) {
        self.0.lock().unwrap().push(format!("{issuer} {result}"));
    }

    fn token_cache(&self, hit: bool) {
        self.0.lock().unwrap().push(if hit { "hit" } else { "miss" }.into());
    }
}

impl Counts {
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn of(&self, what: &str) -> usize {
        self.all().iter().filter(|count| *count == what).count()
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

pub(super) fn surroundings() -> (Surroundings, Arc<Counts>) {
    let counts = Arc::<Counts>::default();
    let client = HttpClient::new(Authorities::Native).unwrap();
    (Surroundings { client, observer: Arc::clone(&counts) as Arc<dyn SourceObserver>, clock: now }, counts)
}

/// Waits until it is so, and fails the test when it never is.
pub(super) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}
