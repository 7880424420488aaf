//! The candidate beside the policies in force. What was decided is decided once more by both, on a thread
//! of its own and after the call went on: no verdict waits for it or is changed by it. Where it cannot
//! keep up it looks at fewer calls.

use super::asking::Arrival;
use super::kept::Kept;
use crate::authorize::{Difference, Identity, UpstreamMetadata};
use crate::observe::Metrics;
use crate::snapshot::{Settings, World, WorldStore};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many calls may wait for their second look.
const QUEUE: usize = 1024;
/// The longest body that is kept for it.
const LONGEST_BODY: usize = 64 * 1024;

/// A candidate, and the thread that looks at calls by it. It ends with its last holder.
#[derive(Debug)]
pub struct Shadow {
    candidate: Arc<WorldStore>,
    metrics: Arc<Metrics>,
    queue: SyncSender<Kept>,
}

impl Shadow {
    /// A candidate whose snapshot is published to `candidate`; until one is, nothing is compared.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(candidate: Arc<WorldStore>, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (queue, seen) = sync_channel(QUEUE);
        let looking = Looking { candidate: Arc::clone(&candidate), metrics: Arc::clone(&metrics), seen };
        std::thread::Builder::new().name("shadow".into()).spawn(move || looking.run())?;
        Ok(Self { candidate, metrics, queue })
    }

    /// Notes a call that was just decided, for a second look.
    pub(super) fn note(&self, arrival: &Arrival<'_>, identity: &Identity, body: Option<&Bytes>, metadata: UpstreamMetadata) {
        if self.candidate.load().snapshot.policies.revision() == 0 {
            return;
        }
        let is_short = body.is_none_or(|body| body.len() <= LONGEST_BODY);
        let seen = Kept::of(arrival, identity, body.filter(|_| is_short).cloned(), metadata);
        if !is_short || self.queue.try_send(seen).is_err() {
            self.metrics.shadow(Difference::Undecided);
        }
    }
}

struct Looking {
    candidate: Arc<WorldStore>,
    metrics: Arc<Metrics>,
    seen: Receiver<Kept>,
}

impl Looking {
    fn run(self) {
        for seen in self.seen {
            let (difference, revision) = compare(&seen, &self.candidate.load());
            self.metrics.shadow(difference);
            if difference != Difference::None {
                let (id, path) = (seen.decision_id, seen.target.split('?').next().unwrap_or_default());
                tracing::debug!(decision = %id, candidate = revision, difference = difference.name(), method = %seen.method, path, "the candidate differs");
            }
        }
    }
}

/// In what the candidate differs, and its revision.
fn compare(seen: &Kept, candidate: &World) -> (Difference, u64) {
    // Both as if they were enforced, and neither too old: only the policies are compared.
    let settings = Arc::new(Settings { observe_only: false, max_staleness: None, ..Settings::clone(&seen.world.settings) });
    let enforcing =
        |world: &World| Arc::new(World { snapshot: Arc::clone(&world.snapshot), maps: Arc::clone(&seen.world.maps), settings: Arc::clone(&settings) });
    let by = |world: &World| seen.judged_by(&enforcing(world));
    (Difference::between(&by(&seen.world), &by(candidate)), candidate.snapshot.policies.revision())
}
