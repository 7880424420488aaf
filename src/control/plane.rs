//! What every operation of the control plane works with: the store, the world it judges its own
//! callers by, its settings.

use super::caller::Caller;
use super::foreign_tokens::ForeignTokens;
use super::insights::OwnDecisions;
use super::oauth::OAuth;
use super::oauth::signing::token_keys;
use super::problem::{Code, Problem};
use super::publication::Publication;
use crate::observe::{Metrics, clock};
use crate::policy::Instant;
use crate::snapshot::{World, WorldStore};
use crate::store::{Author, Document, Draft, State, Store, StoreError, WriteError};
use crate::token::KeySet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// How long a request waits for the newest revision before it is judged by the one in force.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the configuration says about the control plane.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Without a slash at its end.
    pub(super) public_url: String,
    /// SHA-256 of the bearers that may read the snapshot and post decisions.
    pub(super) sidecars: Vec<[u8; 32]>,
    /// Whether network zones are asked.
    pub(super) network_zones: bool,
}

impl Settings {
    /// `iss` of the tokens.
    pub(super) fn issuer(&self) -> String {
        format!("{}/oauth2/default", self.public_url)
    }

    /// What a problem's `instance` begins with.
    pub(super) fn instance_prefix(&self) -> String {
        format!("{}/app/insights/logs/", self.public_url)
    }

    /// An absolute address of this control plane.
    pub(super) fn href(&self, target: &str) -> String {
        format!("{}{target}", self.public_url)
    }
}

/// The control plane; a clone is the same one.
#[derive(Clone)]
pub(super) struct Plane(Arc<Parts>);

/// What a plane consists of.
pub(super) struct Parts {
    /// What is remembered.
    pub(super) store: Arc<Store>,
    /// What callers are judged by: the newest snapshot that loaded.
    pub(super) world: Arc<WorldStore>,
    /// The revision in force.
    pub(super) in_force: watch::Sender<u64>,
    /// The snapshot that is served.
    pub(super) publication: Publication,
    /// Where the judge writes its own decisions down.
    pub(super) own_decisions: OwnDecisions,
    /// What is counted.
    pub(super) metrics: Arc<Metrics>,
    /// Tokens of external token issuers.
    pub(super) foreign_tokens: ForeignTokens,
    /// Passwords, keys and what seals them.
    pub(super) oauth: OAuth,
    /// The configuration.
    pub(super) settings: Settings,
    /// The public keys of the tokens, with the document they were read from.
    pub(super) keys: Mutex<Option<(String, Arc<KeySet>)>>,
}

impl std::ops::Deref for Plane {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Plane").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Plane {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Everything that is remembered, up to date over all replicas.
    ///
    /// # Errors
    /// 503 when the store does not answer.
    pub(super) async fn state(&self) -> Result<Arc<State>, Problem> {
        self.store.current().await.map_err(unavailable)
    }

    /// Documents by their keys as they were at that time, or as they are.
    ///
    /// # Errors
    /// 503 when the store does not answer.
    pub(super) async fn versions<T: Document>(&self, keys: &[String], as_at: Option<Instant>) -> Result<Vec<Option<Arc<T>>>, Problem> {
        let Some(as_at) = as_at else {
            let state = self.state().await?;
            return Ok(keys.iter().map(|key| state.find::<T>(key).cloned()).collect());
        };
        let mut versions = Vec::with_capacity(keys.len());
        for key in keys {
            versions.push(self.store.past(key, as_at.into()).await.map_err(unavailable)?);
        }
        Ok(versions)
    }

    /// All documents of a kind as they were at that time, or as they are, by key.
    ///
    /// # Errors
    /// 503 when the store does not answer.
    pub(super) async fn all_versions<T: Document>(&self, as_at: Option<Instant>) -> Result<Vec<Arc<T>>, Problem> {
        match as_at {
            Some(as_at) => self.store.all_past(as_at.into()).await.map_err(unavailable),
            None => Ok(T::table(&*self.state().await?).values().cloned().collect()),
        }
    }

    /// Changes what is remembered, in the caller's name: all of it or nothing.
    ///
    /// # Errors
    /// The operation's own problem, or 503 when the store does not answer.
    pub(super) async fn write<T>(&self, caller: &Caller, change: impl FnOnce(&mut Draft) -> Result<T, Problem>) -> Result<T, Problem> {
        self.write_as(&caller.author(), change).await
    }

    /// The same in the name of somebody who is not judged by policies.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(super) async fn write_as<T>(&self, author: &Author, change: impl FnOnce(&mut Draft) -> Result<T, Problem>) -> Result<T, Problem> {
        self.store.write(author, change).await.map_err(|error| match error {
            WriteError::Refused(problem) => problem,
            WriteError::Store(error) => unavailable(error),
        })
    }

    /// The world in which everything that was acknowledged is in force; after a while the one there is.
    ///
    /// # Errors
    /// 503 when the store does not answer.
    pub(super) async fn world(&self) -> Result<Arc<World>, Problem> {
        let wanted = self.state().await?.revision;
        let mut in_force = self.in_force.subscribe();
        // After its patience a request is judged as every data plane judges it: by what is in force.
        let _ = tokio::time::timeout(PATIENCE, in_force.wait_for(|revision| *revision >= wanted)).await;
        Ok(self.world.load())
    }
}

fn unavailable(error: StoreError) -> Problem {
    tracing::error!(%error, "the store failed");
    Problem::of(Code::Unavailable).detail("The store of the control plane does not answer; try again.")
}

impl Plane {
    /// The public keys that our tokens verify with.
    ///
    /// # Errors
    /// 500 when a remembered key is none.
    pub(super) fn token_keys(&self) -> Result<Arc<KeySet>, Problem> {
        let document = token_keys(&self.store.state(), clock::now()).to_string();
        let broken = || Problem::of(Code::Internal);
        let mut known = self.keys.lock().map_err(|_| broken())?;
        if let Some((_, keys)) = known.as_ref().filter(|(known, _)| *known == document) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(KeySet::parse(document.as_bytes()).map_err(|_| broken())?);
        *known = Some((document, Arc::clone(&keys)));
        Ok(keys)
    }
}

/// A plane for the tests of the operations, with nothing in it.
#[cfg(test)]
pub(super) async fn empty() -> Plane {
    serving(Publication::default()).await
}

/// The same, where this is served.
#[cfg(test)]
pub(super) async fn serving(publication: Publication) -> Plane {
    let memory = crate::store::Location::Sqlite(":memory:".into());
    let store = Store::open(&memory, clock::now).await.unwrap();
    let metrics = Metrics::new(&crate::observe::Labels { entities: Vec::new(), issuers: Vec::new() }).unwrap();
    Plane::new(Parts {
        own_decisions: OwnDecisions::new(Arc::clone(&store)).0,
        metrics: Arc::new(metrics),
        store,
        world: Arc::new(WorldStore::new(World::default())),
        in_force: watch::Sender::new(0),
        publication,
        settings: Settings { public_url: "http://127.0.0.1:9910".to_owned(), sidecars: Vec::new(), network_zones: true },
        foreign_tokens: ForeignTokens::default(),
        oauth: super::oauth::testing::oauth(),
        keys: Mutex::new(None),
    })
}
