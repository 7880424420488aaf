//! The nouns that tests are written with: an upstream that does what it is told, a door in front of
//! it, and clients that see every byte.

#![allow(dead_code, unreachable_pub, reason = "nouns are shared, and no test binary uses every one")]

pub mod address;
pub mod certificates;
pub mod client;
pub mod door;
pub mod engine;
pub mod frames;
pub mod http2;
pub mod issuer;
pub mod load;
pub mod record;
pub mod stage;
pub mod upstream;
pub mod wires;
pub mod world;

use std::future::Future;
use std::time::Duration;

/// Waits for something that must happen; a test that waits this long has failed.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("nothing happened in time")
}
