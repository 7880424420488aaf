//! The snapshot in force and the world a call is judged by: immutable values, swapped whole.
//!
//! There is always a snapshot. Revision 0 grants nothing, so there is no absence to forget.

use crate::api_map::ApiMap;
use crate::policy::{Policies, Problem};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Compiled policies with what is known of their source.
#[derive(Default)]
pub struct Snapshot {
    /// The policies, users and metadata.
    pub policies: Policies,
    /// When the source last confirmed that this is the newest, in milliseconds since 1970; 0 = never.
    confirmed_at: AtomicI64,
    /// A digest of the document.
    secret: [u8; 32],
}

/// What an answer says instead of a denied single item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeniedStatus {
    /// 403 `AccessDenied`.
    #[default]
    Forbidden,
    /// 404 `NotFound`.
    NotFound,
}

/// Bounds on what is read from a client or an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request target.
    pub target_bytes: usize,
    /// Headers of a request.
    pub header_count: usize,
    /// Bytes of a request body that is to be inspected.
    pub request_body_bytes: usize,
    /// Bytes of one item of an answer.
    pub response_item_bytes: usize,
    /// Brackets open at once in a JSON text.
    pub response_depth: usize,
    /// Decoded bytes for one encoded byte of an answer.
    pub decoded_ratio: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            target_bytes: 8192,
            header_count: 100,
            request_body_bytes: 8 << 20,
            response_item_bytes: 8 << 20,
            response_depth: 128,
            decoded_ratio: 200,
        }
    }
}

/// What the configuration says about verdicts.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Removed from the path before it is matched.
    pub strip_prefix: String,
    /// The status of a denied single item.
    pub denied_status: DeniedStatus,
    /// How long an unconfirmed snapshot may serve; `None` = for ever.
    pub max_staleness: Option<Duration>,
    /// What a problem's `instance` begins with.
    pub instance_prefix: String,
    /// Decide and log, never refuse or filter.
    pub observe_only: bool,
    /// Whether the client's `Authorization` is kept from the upstream.
    pub drop_authorization: bool,
    /// Bounds.
    pub limits: Limits,
}

/// Everything a verdict depends on beside the call and the time.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The snapshot in force.
    pub snapshot: Arc<Snapshot>,
    /// The API maps.
    pub maps: Arc<ApiMap>,
    /// The settings.
    pub settings: Arc<Settings>,
}

/// The one place where the world is swapped; readers never wait.
#[derive(Debug)]
pub struct WorldStore {
    world: ArcSwap<World>,
}

impl Snapshot {
    /// Reads and compiles a snapshot document (interfaces §5), confirmed at `now`.
    ///
    /// # Errors
    /// Every problem of the document; nothing of it is used then.
    pub fn load(json: &[u8], now: Timestamp) -> Result<Self, Vec<Problem>> {
        let secret = Sha256::new_with_prefix("doorward.snapshot").chain_update(json).finalize().into();
        let snapshot = Self { policies: crate::policy::load(json)?, confirmed_at: AtomicI64::new(0), secret };
        snapshot.confirm(now);
        Ok(snapshot)
    }

    /// What every process with the same snapshot knows, after a restart too, and no client: the document
    /// holds all users, policies and digests of tokens.
    #[must_use]
    pub fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Notes that the source knows no newer snapshot at `now`.
    pub fn confirm(&self, now: Timestamp) {
        self.confirmed_at.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// When the source last confirmed it.
    #[must_use]
    pub fn confirmed_at(&self) -> Option<Timestamp> {
        let millisecond = self.confirmed_at.load(Ordering::Relaxed);
        Timestamp::from_millisecond(millisecond).ok().filter(|_| millisecond != 0)
    }

    /// Whether it may judge calls: there is one, and it is not staler than allowed.
    #[must_use]
    pub fn is_in_force(&self, max_staleness: Option<Duration>, now: Timestamp) -> bool {
        if self.policies.revision() == 0 {
            return false;
        }
        let Some(allowed) = max_staleness else { return true };
        let age = now.as_millisecond().saturating_sub(self.confirmed_at.load(Ordering::Relaxed));
        u128::try_from(age).unwrap_or_default() <= allowed.as_millis()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Snapshot").field("policies", &self.policies).field("confirmed_at", &self.confirmed_at).finish_non_exhaustive()
    }
}

impl WorldStore {
    /// A store that begins with `world`.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self { world: ArcSwap::from_pointee(world) }
    }

    /// The world in force; a call keeps it from its first byte to the last of its answer.
    #[must_use]
    pub fn load(&self) -> Arc<World> {
        self.world.load_full()
    }

    /// Puts a snapshot in force for every call from now on.
    pub fn publish(&self, snapshot: Snapshot) {
        let snapshot = Arc::new(snapshot);
        self.world.rcu(|world| World { snapshot: Arc::clone(&snapshot), ..World::clone(world) });
    }

    /// Notes that the source confirmed the snapshot in force.
    pub fn confirm(&self, now: Timestamp) {
        self.world.load().snapshot.confirm(now);
    }
}
