//! Follows the store: of every new revision it makes the document, puts it in force for the control
//! plane's own callers, signs it and lets it be served. Always the newest state, never two at once;
//! what came and went meanwhile is passed over. A document that does not load is never served.

use super::Publication;
use super::document::document;
use super::served::Served;
use crate::observe::clock;
use crate::policy::Problem;
use crate::snapshot::{Snapshot, WorldStore};
use crate::sources::SourceObserver;
use crate::store::State;
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How often it is looked whether another key signs, or whether what failed goes well now.
const LOOK: Duration = Duration::from_secs(30);
/// No more problems of one document are logged.
const PROBLEMS_LOGGED: usize = 20;

/// Who signs the snapshot.
pub(in crate::control) trait Signer: Send + Sync {
    /// The `kid` of the key that signs at that time.
    fn key(&self, state: &State, now: Timestamp) -> Option<String>;

    /// The detached JWS (RFC 7515 appendix F) of these bytes by that key.
    fn sign(&self, state: &State, now: Timestamp, bytes: &[u8]) -> Option<String>;
}

/// What a publisher works with.
pub(in crate::control) struct Following {
    /// The newest state of the store.
    pub(in crate::control) states: watch::Receiver<Arc<State>>,
    /// What the control plane's own callers are judged by.
    pub(in crate::control) world: Arc<WorldStore>,
    /// The revision that was put in force, or that cannot be: nobody needs to wait for it.
    pub(in crate::control) in_force: watch::Sender<u64>,
    /// Who signs.
    pub(in crate::control) signer: Arc<dyn Signer>,
    /// Who counts.
    pub(in crate::control) observer: Arc<dyn SourceObserver>,
}

/// The task that publishes.
pub(in crate::control) struct Publisher {
    following: Following,
    newest: watch::Sender<Option<Arc<Served>>>,
    tried: Tried,
    /// How often it looks around without news.
    pub(super) look: Duration,
}

/// What became of the newest revision so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    Nothing,
    InForce(u64),
    Refused(u64),
}

/// Why a revision is not served.
#[derive(Debug, thiserror::Error)]
enum PublicationError {
    #[error("the state cannot be written as a document: {0}")]
    Document(#[from] serde_json::Error),
    #[error("the document has {} problems", .0.len())]
    Refused(Vec<Problem>),
    #[error("there is no key to sign the document with")]
    Unsigned,
    #[error("the document cannot be compressed or signed: {0}")]
    Sealing(#[from] std::io::Error),
    #[error("the work ended before its time")]
    Broken,
}

impl Publisher {
    /// A publisher, and what it will publish. Dropping the publisher ends all waiting for news.
    pub(in crate::control) fn new(following: Following) -> (Self, Publication) {
        let (newest, receiver) = watch::channel(None);
        (Self { following, newest, tried: Tried::Nothing, look: LOOK }, Publication::new(receiver))
    }

    /// Runs as long as the store does; dropping the future stops it.
    pub(in crate::control) async fn run(mut self) {
        loop {
            let state = Arc::clone(&self.following.states.borrow_and_update());
            self.follow(&state).await;
            if matches!(timeout(self.look, self.following.states.changed()).await, Ok(Err(_))) {
                return;
            }
        }
    }

    /// Does what is left to do about this state. Revision 0 grants nothing, and is nothing to serve.
    async fn follow(&mut self, state: &Arc<State>) {
        let revision = state.revision;
        if revision == 0 || self.tried == Tried::Refused(revision) {
            return;
        }
        let outcome = match self.tried == Tried::InForce(revision) {
            false => self.publish(state).await,
            true => self.serve_if_needed(state).await,
        };
        if let Err(error) = outcome {
            report(revision, &error);
        }
    }

    /// Puts a new revision in force and serves it, both at the same time.
    async fn publish(&mut self, state: &Arc<State>) -> Result<(), PublicationError> {
        let bytes = match written(state).await {
            Ok(bytes) => bytes,
            Err(error) => {
                self.refuse(state.revision, 0);
                return Err(error);
            }
        };
        let (loaded, sealed) = tokio::join!(self.put_in_force(bytes.clone(), state.revision), self.sealed(state, bytes.clone()));
        if let Err(error) = loaded {
            self.refuse(state.revision, bytes.len());
            return Err(error);
        }
        self.tried = Tried::InForce(state.revision);
        self.following.observer.snapshot_load("ok", bytes.len());
        self.serve(sealed?);
        Ok(())
    }

    /// Serves the revision in force, if it could not be served before or another key signs now.
    async fn serve_if_needed(&mut self, state: &Arc<State>) -> Result<(), PublicationError> {
        let served = self.newest.borrow().clone().filter(|served| served.revision == state.revision);
        let Some(served) = served else {
            let bytes = written(state).await?;
            self.serve(self.sealed(state, bytes).await?);
            return Ok(());
        };
        let now = clock::now();
        self.following.world.confirm(now);
        let key = self.following.signer.key(state, now).filter(|key| *key != served.key);
        let Some(key) = key else { return Ok(()) };
        let (signer, state) = (Arc::clone(&self.following.signer), Arc::clone(state));
        let sealing = move || {
            let signature = signer.sign(&state, now, served.plain()).ok_or(PublicationError::Unsigned)?;
            Ok(served.signed_anew(&signature, key)?)
        };
        let sealed = spawn_blocking(sealing).await.unwrap_or(Err(PublicationError::Broken))?;
        self.newest.send_replace(Some(Arc::new(sealed)));
        Ok(())
    }

    /// Loads the document and swaps the world; what was in force is dropped on the same thread, for there is much of it.
    async fn put_in_force(&self, bytes: Bytes, revision: u64) -> Result<(), PublicationError> {
        let (world, in_force, now) = (Arc::clone(&self.following.world), self.following.in_force.clone(), clock::now());
        let loading = move || {
            world.publish(Snapshot::load(&bytes, now).map_err(PublicationError::Refused)?);
            in_force.send_replace(revision);
            Ok(())
        };
        spawn_blocking(loading).await.unwrap_or(Err(PublicationError::Broken))
    }

    /// The document signed and compressed.
    async fn sealed(&self, state: &Arc<State>, bytes: Bytes) -> Result<Served, PublicationError> {
        let (signer, state, now) = (Arc::clone(&self.following.signer), Arc::clone(state), clock::now());
        let sealing = move || {
            let key = signer.key(&state, now).ok_or(PublicationError::Unsigned)?;
            let signature = signer.sign(&state, now, &bytes).ok_or(PublicationError::Unsigned)?;
            Ok(Served::new(state.revision, bytes, &signature, key)?)
        };
        spawn_blocking(sealing).await.unwrap_or(Err(PublicationError::Broken))
    }

    fn serve(&self, served: Served) {
        tracing::info!(revision = served.revision, bytes = served.plain().len(), "a new snapshot is served");
        self.newest.send_replace(Some(Arc::new(served)));
    }

    fn refuse(&mut self, revision: u64, bytes: usize) {
        self.tried = Tried::Refused(revision);
        self.following.observer.snapshot_load("refused", bytes);
        self.following.in_force.send_replace(revision);
    }
}

async fn written(state: &Arc<State>) -> Result<Bytes, PublicationError> {
    let state = Arc::clone(state);
    let written = spawn_blocking(move || document(&state).map(Bytes::from));
    Ok(written.await.map_err(|_| PublicationError::Broken)??)
}

/// Logs every problem of a document on its own line, within bounds.
fn report(revision: u64, error: &PublicationError) {
    tracing::error!(revision, %error, "the revision is not served, the one before stays");
    let PublicationError::Refused(problems) = error else { return };
    for problem in problems.iter().take(PROBLEMS_LOGGED) {
        tracing::error!(revision, path = %problem.path, message = %problem.message, "refused snapshot");
    }
    if problems.len() > PROBLEMS_LOGGED {
        tracing::error!(revision, more = problems.len() - PROBLEMS_LOGGED, "refused snapshot: more problems");
    }
}
