//! The Access API: who may do what. Policies and collections of them, the roles and user-roles that
//! have them, templates, and what callers may ask of their own rights.
//!
//! Every change is a function on a draft: what it leaves behind is always a state whose snapshot every
//! data plane can load. Read `policies` first, then `holdings` for handing policies on and `ranks` for precedence.

mod collections;
mod conditions;
mod descriptions;
mod evaluation;
mod generation;
mod holders;
mod holdings;
mod ids;
mod lists;
mod me;
mod moment;
mod policies;
mod policy_check;
mod ranks;
mod roles;
mod selectors;
mod templates;
mod usage;
mod user_roles;

use super::plane::Plane;
use utoipa_axum::router::OpenApiRouter;

/// All operations of the Access API.
pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .merge(descriptions::routes())
        .merge(me::routes())
        .merge(policies::routes())
        .merge(collections::routes())
        .merge(templates::routes())
        .merge(roles::routes())
        .merge(user_roles::routes())
}

#[cfg(test)]
mod tests;
