//! The issuers, with their keys or the endpoint that is asked about their tokens.

use super::{Introspector, KeyHolder};
use crate::token::Issuer;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// An issuer and its keys.
pub struct IssuerKeys {
    /// What its tokens are measured by.
    pub issuer: Issuer,
    /// Its keys, kept fresh by [`KeySets::run`].
    pub keys: Arc<KeyHolder>,
}

/// Every configured issuer; a token's `iss` picks one before any key is looked at.
#[derive(Default)]
pub struct KeySets {
    issuers: Vec<IssuerKeys>,
    asked: Vec<Introspector>,
}

impl KeySets {
    /// The issuers in the order of the configuration; their names are distinct.
    #[must_use]
    pub fn new(issuers: Vec<IssuerKeys>) -> Self {
        Self { issuers, asked: Vec::new() }
    }

    /// And the issuers that are asked about their tokens, in the order in which an opaque token is
    /// shown to them.
    #[must_use]
    pub fn asking(self, asked: Vec<Introspector>) -> Self {
        Self { asked, ..self }
    }

    /// Keeps all key sets fresh, for ever; dropping the future stops it.
    pub async fn run(&self) {
        let mut tasks = JoinSet::new();
        for issuer in &self.issuers {
            let keys = Arc::clone(&issuer.keys);
            tasks.spawn(async move { keys.run().await });
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Whether every issuer's keys were tried once: a part of `/readyz`.
    #[must_use]
    pub fn tried_once(&self) -> bool {
        self.issuers.iter().all(|issuer| issuer.keys.tried_once())
    }

    /// Every issuer with the age of its keys; `None` while it has none.
    pub fn ages(&self, now: Timestamp) -> impl Iterator<Item = (&str, Option<Duration>)> {
        self.issuers.iter().map(move |issuer| {
            let age = |at: Timestamp| Duration::try_from(now.duration_since(at)).unwrap_or_default();
            (&*issuer.issuer.rules.issuer, issuer.keys.confirmed_at().map(age))
        })
    }

    /// The issuer of exactly this name, with its place.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &IssuerKeys)> {
        self.issuers.iter().enumerate().find(|(_, issuer)| *issuer.issuer.rules.issuer == *name)
    }

    /// The issuer at a place that [`Self::find`] gave.
    pub(super) fn at(&self, place: usize) -> Option<&IssuerKeys> {
        self.issuers.get(place)
    }

    /// The place of the issuer of exactly this name among those that are asked.
    pub(super) fn find_asked(&self, name: &str) -> Option<usize> {
        self.asked.iter().position(|asked| *asked.issuer.rules.issuer == *name)
    }

    /// Those that are asked.
    pub(super) fn asked(&self) -> &[Introspector] {
        &self.asked
    }
}
