//! Calls with a long body are judged aside, on threads that carry no others: a body of millions of items takes
//! a good part of a second, in which nobody else at its thread would be served.

use super::kept::Kept;
use crate::authorize::{Step, UpstreamMetadata};
use crate::observe::clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// A longer body, in bytes, is judged aside; of a shorter one the way there would be what costs.
pub(super) const LONG_BODY: usize = 256 * 1024;

/// As many calls at once are judged aside as leave half of the machine to the others; more of them wait. Clones
/// share that.
#[derive(Clone, Debug)]
pub struct Aside(Arc<Semaphore>);

/// What came of it: the verdict or what it needs, the metadata it was given, and the time that it took.
pub(super) type Judged = (Step, UpstreamMetadata, Duration);

impl Default for Aside {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((cores / 2).max(1))))
    }
}

impl Aside {
    /// Judges the call; nothing when that broke off, which it never should.
    pub(super) async fn judge(&self, kept: Kept) -> Option<Judged> {
        let _turn = self.0.acquire().await.ok()?;
        let judging = tokio::task::spawn_blocking(move || {
            let before = clock::monotonic();
            let step = kept.judged_by(&kept.world);
            (step, kept.metadata, before.elapsed())
        });
        judging.await.ok()
    }
}
