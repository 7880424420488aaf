//! Starts the background work: key sets and snapshots.

use super::GatewayError;
use crate::config::Config;
use crate::http_client::{Authorities, HttpClient};
use crate::observe::{Metrics, clock};
use crate::snapshot::WorldStore;
use crate::sources::{IssuerKeys, KeyHolder, KeySets, SnapshotSource, Snapshots, Surroundings};
use http::HeaderValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How often the keys of the snapshot's signature are read again, and at most for an unknown one.
const SNAPSHOT_KEYS_REFRESH: Duration = Duration::from_secs(300);
const SNAPSHOT_KEYS_COOLDOWN: Duration = Duration::from_secs(10);

/// Starts everything that runs in the background; it ends with the tasks.
pub(super) fn start(config: &Config, world: &Arc<WorldStore>, metrics: &Arc<Metrics>, tasks: &mut JoinSet<()>) -> Result<Arc<KeySets>, GatewayError> {
    let client = HttpClient::new(Authorities::Native)?;
    let surroundings = Surroundings { client, observer: Arc::clone(metrics) as _, clock: clock::now };
    let keys = Arc::new(key_sets(config, &surroundings));
    tasks.spawn({
        let keys = Arc::clone(&keys);
        async move { keys.run().await }
    });
    let source = snapshot_source(config, &surroundings, tasks)?;
    tasks.spawn(Snapshots::new(source, Arc::clone(world), surroundings).run());
    Ok(keys)
}

/// The key sets of the configured issuers; they are empty until they are run.
#[must_use]
pub fn key_sets(config: &Config, surroundings: &Surroundings) -> KeySets {
    let issuers = config.issuers.iter().map(|issuer| IssuerKeys {
        issuer: issuer.issuer.clone(),
        keys: Arc::new(KeyHolder::new(&issuer.issuer.rules.issuer, issuer.keys.clone(), issuer.refresh, issuer.refresh_cooldown, surroundings.clone())),
    });
    KeySets::new(issuers.collect())
}

fn snapshot_source(config: &Config, surroundings: &Surroundings, tasks: &mut JoinSet<()>) -> Result<SnapshotSource, GatewayError> {
    let section = &config.snapshot;
    let keys = section
        .public_keys
        .clone()
        .map(|origin| Arc::new(KeyHolder::new("snapshot", origin, SNAPSHOT_KEYS_REFRESH, SNAPSHOT_KEYS_COOLDOWN, surroundings.clone())));
    if let Some(keys) = keys.clone() {
        tasks.spawn(async move { keys.run().await });
    }
    let authorization = section.token.as_ref().map(|token| {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| GatewayError::Token)?;
        value.set_sensitive(true);
        Ok::<_, GatewayError>(value)
    });
    Ok(SnapshotSource {
        origin: section.source.clone(),
        authorization: authorization.transpose()?,
        keys,
        cache: section.cache.clone(),
        poll: section.poll,
    })
}
