//! Insights: what the doors decided is taken in, kept and shown (LUSID's wire, C.9). It keeps no
//! credential, no body and no query, and decides nothing.

mod histogram;
mod intake;
mod log;
mod logs;
mod lookup;
mod own;

pub(super) use lookup::for_browsers;
pub(super) use own::OwnDecisions;

use super::plane::Plane;
use utoipa_axum::router::OpenApiRouter;

/// The routes of this room.
pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().merge(intake::routes()).merge(logs::routes())
}
