//! What has to be done from time to time: keys follow each other, and what has ended is forgotten.

use super::signing::Signing;
use super::{events, sessions};
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::observe::clock;
use crate::store::Draft;
use std::time::Duration;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10 * 60);

/// Makes the keys that are needed now and removes those that have ended. Before the first time nothing can be signed.
///
/// # Errors
/// When the store or the library fails, or the keys were sealed under another key than the configured one.
pub(in crate::control) async fn keep_keys(plane: &Plane) -> Result<(), Problem> {
    let (state, now, signing) = (plane.state().await?, clock::now(), &plane.oauth.signing);
    if !signing.is_due(&state, now) {
        return Ok(signing.require_usable(&state, now)?);
    }
    let due = signing.due(&state, now);
    let made = tokio::task::spawn_blocking(move || Signing::make(&due)).await.map_err(|_| Problem::of(Code::Internal))?;
    let made = made?;
    plane.write_as(&events::author(None, "KeepKeys", ""), |draft| Ok(signing.keep(draft, made)?)).await?;
    let state = plane.state().await?;
    Ok(signing.require_usable(&state, clock::now())?)
}

/// Looks for ever; dropping it stops it.
pub(in crate::control) async fn housekeeping(plane: Plane) {
    loop {
        tokio::time::sleep(EVERY).await;
        let sweep = |draft: &mut Draft| {
            sessions::sweep(draft);
            Ok(())
        };
        let swept = async { plane.write_as(&events::author(None, "Sweep", ""), sweep).await };
        for outcome in [keep_keys(&plane).await, swept.await] {
            if outcome.is_err() {
                tracing::error!("keys and ended sessions could not be looked after; it is tried again");
            }
        }
    }
}
