//! What all doors have in common: what they work with, how they ask `authorize` and bring what it
//! needs first, how a refusal reads, and the one place where a call is counted and recorded. It
//! speaks no protocol and decides nothing.

mod aside;
mod asking;
mod ending;
pub mod framing;
mod health;
mod ids;
mod kept;
mod listeners;
mod metadata;
mod metadata_cache;
mod refusing;
mod seats;
mod serving;
mod shadow;
mod sockets;
mod tls;

pub use aside::Aside;
pub use asking::{Arrival, Asked, Supplies, ask};
pub use ending::Ending;
pub use health::{Health, HealthSettings, Probed};
pub use ids::{Ids, draw_id};
pub use listeners::{Bound, ListenError, Place, bind, farewell};
pub use metadata::{Metadata, MetadataAnswers};
pub use metadata_cache::{Asker, MetadataCache, MetadataCacheSettings, asker};
pub use refusing::{DECISION_ID, overloaded, refusal_body, refusal_headers, too_busy};
pub use seats::{Seat, Seats};
pub use serving::{PARTING, Running, Serving};
pub use shadow::Shadow;
pub use sockets::Sockets;
pub use tls::{ServerTls, TlsError, client_tls, require_valid};

use crate::observe::clock::WallClock;
use crate::observe::{DecisionLog, Metrics};
use crate::snapshot::WorldStore;
use crate::sources::Tokens;
use std::sync::Arc;

/// What a door works with: made by the composition root, shared by all doors.
#[derive(Clone)]
pub struct Wiring {
    /// The world in force.
    pub world: Arc<WorldStore>,
    /// Who a bearer is.
    pub tokens: Arc<Tokens>,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
    /// Where calls are recorded.
    pub log: Arc<DecisionLog>,
    /// The time that calls are judged by.
    pub clock: WallClock,
    /// Where calls with a long body are judged.
    pub aside: Aside,
    /// A candidate that the same calls are looked at by, once more.
    pub shadow: Option<Arc<Shadow>>,
}
