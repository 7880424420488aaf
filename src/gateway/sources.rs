//! Starts the background work: key sets and snapshots.

use super::GatewayError;
use crate::config::{Config, key_sets};
use crate::http_client::{Authorities, HttpClient};
use crate::observe::{Metrics, clock};
use crate::snapshot::WorldStore;
use crate::sources::{KeySets, Snapshots, Surroundings};
use std::sync::Arc;
use tokio::task::JoinSet;

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
