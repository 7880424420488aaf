//! The snapshot: made of the state, signed, put in force for the control plane's own callers, and
//! served to every data plane. It changes nothing and judges nobody.

mod document;
mod negotiation;
mod publisher;
mod served;
mod serving;
mod signer;

#[cfg(test)]
mod tests;

pub(in crate::control) use publisher::{Following, Publisher};
pub(in crate::control) use serving::routes;

use served::Served;
use std::sync::Arc;
use tokio::sync::watch;

/// What is served; a clone is the same one.
#[derive(Clone)]
pub(in crate::control) struct Publication {
    newest: watch::Receiver<Option<Arc<Served>>>,
}

impl Publication {
    fn new(newest: watch::Receiver<Option<Arc<Served>>>) -> Self {
        Self { newest }
    }

    /// The revision that is served; 0 before the first.
    pub(in crate::control) fn revision(&self) -> u64 {
        self.newest.borrow().as_ref().map_or(0, |served| served.revision)
    }
}

impl Default for Publication {
    /// Nothing is served, and nothing will be.
    fn default() -> Self {
        Self::new(watch::channel(None).1)
    }
}
