//! What `explain` and `filter` share: a world made of files, and a user without a token.

use super::input;
use crate::authorize::Identity;
use crate::snapshot::{Settings, World};
use crate::token::VerifiedToken;
use anyhow::Result;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(super) struct OfflineCall {
    /// The snapshot document.
    #[arg(long)]
    pub(super) snapshot: PathBuf,
    /// The API map.
    #[arg(long)]
    pub(super) api_map: PathBuf,
    /// The user's id.
    #[arg(long)]
    pub(super) user: String,
    /// The request target, such as `/api/portfolios?limit=10`.
    #[arg(long)]
    pub(super) target: String,
    /// The time of the call; the clock's by default.
    #[arg(long, value_parser = input::time)]
    pub(super) now: Option<Timestamp>,
}

impl OfflineCall {
    /// The world of the files.
    pub(super) fn world(&self) -> Result<Arc<World>> {
        Ok(Arc::new(World {
            snapshot: Arc::new(input::read_snapshot(&self.snapshot)?),
            maps: Arc::new(input::read_map(&self.api_map)?),
            settings: Arc::new(Settings::default()),
        }))
    }

    /// The user, without claims or scopes.
    pub(super) fn identity(&self) -> Identity {
        Identity::Token(Arc::new(VerifiedToken::without_claims(&self.user)))
    }

    /// The time of the call.
    pub(super) fn now(&self) -> Timestamp {
        input::time_or_clock(self.now)
    }
}
