//! Starts the background work: key sets and snapshots.

use super::GatewayError;
use crate::config::{Config, key_sets};
use crate::door::Shadow;
use crate::http_client::{Authorities, HttpClient};
use crate::observe::{Metrics, clock};
use crate::snapshot::{World, WorldStore};
use crate::sources::{KeySets, Snapshots, Surroundings};
use std::sync::Arc;
use tokio::task::JoinSet;
use tracing::Instrument;

/// Starts everything that runs in the background; it ends with the tasks.
pub(super) fn start(config: &Config, world: &Arc<WorldStore>, metrics: &Arc<Metrics>, tasks: &mut JoinSet<()>) -> Result<Arc<KeySets>, GatewayError> {
    let client = HttpClient::new(Authorities::Native)?;
    let surroundings = Surroundings { client, observer: Arc::clone(metrics) as _, clock: clock::now };
    let keys = Arc::new(key_sets(&config.issuers, &surroundings));
    tasks.spawn({
        let keys = Arc::clone(&keys);
        async move { keys.run().await }
    });
    let source = config.snapshot.as_source(&surroundings);
    if let Some(keys) = source.keys.clone() {
        tasks.spawn(async move { keys.run().await });
    }
    tasks.spawn(Snapshots::new(source, Arc::clone(world), surroundings).run());
    Ok(keys)
}

/// Starts what looks at calls by the candidate snapshot, if there is one. Its loads count nowhere, and
/// nothing of them concerns the snapshot in force.
pub(super) fn start_candidate(config: &Config, metrics: &Arc<Metrics>, tasks: &mut JoinSet<()>) -> Result<Option<Arc<Shadow>>, GatewayError> {
    let surroundings = Surroundings { client: HttpClient::new(Authorities::Native)?, observer: Arc::new(()), clock: clock::now };
    let Some(source) = config.candidate(&surroundings) else { return Ok(None) };
    if let Some(keys) = source.keys.clone() {
        tasks.spawn(async move { keys.run().await });
    }
    let candidate = Arc::new(WorldStore::new(World::default()));
    tasks.spawn(Snapshots::new(source, Arc::clone(&candidate), surroundings).run().instrument(tracing::info_span!("candidate")));
    Shadow::start(candidate, Arc::clone(metrics)).map(|shadow| Some(Arc::new(shadow))).map_err(GatewayError::Shadow)
}
