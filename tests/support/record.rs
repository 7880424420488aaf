//! Records of calls that no door saw.

use doorward::authorize::{Call, DecisionId, Door, Identity, KeptRecord, Step, UpstreamMetadata, Verdict, authorize};
use doorward::observe::{LogEntry, Outcome, clock};
use doorward::snapshot::World;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;
use std::time::Duration;

/// A refused call's record with this id and a path of this length.
pub fn refused(world: &Arc<World>, id: u128, path_length: usize) -> LogEntry {
    let (identity, metadata) = (Identity::Missing, UpstreamMetadata::default());
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("a"));
    let call = Call {
        door: Door::Proxy,
        decision_id: DecisionId(id),
        method: "GET",
        target: &format!("/{}", "p".repeat(path_length)),
        headers: &headers,
        authority: None,
        identity: &identity,
        body: None,
        metadata: &metadata,
    };
    let Step::Done(Verdict::Refuse(refused)) = authorize(world, &call, clock::now()) else { panic!("it has no credential") };
    LogEntry {
        outcome: Outcome::Refused,
        status: 401,
        duration: Duration::from_millis(1),
        record: KeptRecord::new(refused.record, Arc::clone(world)),
    }
}
