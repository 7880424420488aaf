//! What `explain` and `filter` share: a world made of files, a user without a token, and answers
//! judged where no upstream is at hand.

use super::input;
use crate::authorize::{AnswerFilter, Identity, Progress, Stop};
use crate::cases::token_without_claims;
use crate::snapshot::{Settings, World};
use anyhow::Result;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(super) struct OfflineCall {
    /// The snapshot document.
    #[arg(long)]
    snapshot: PathBuf,
    /// The API map.
    #[arg(long)]
    api_map: PathBuf,
    /// The user's id.
    #[arg(long)]
    user: String,
    /// The request target, such as `/api/portfolios?limit=10`.
    #[arg(long)]
    pub(super) target: String,
    /// The time of the call; the clock's by default.
    #[arg(long, value_parser = input::time)]
    now: Option<Timestamp>,
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
        Identity::Token(Arc::new(token_without_claims(&self.user)))
    }

    /// The time of the call.
    pub(super) fn now(&self) -> Timestamp {
        input::time_or_clock(self.now)
    }
}

/// Filters a chunk; the upstream's metadata is not at hand here, so it is unknown.
pub(super) fn write(filter: &mut AnswerFilter, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Stop> {
    let mut progress = filter.write(bytes, out)?;
    while let Progress::Need(targets) = progress {
        targets.iter().for_each(|target| filter.supply(target, None));
        progress = filter.write(&[], out)?;
    }
    Ok(())
}

/// Ends the answer in the same way.
pub(super) fn end(filter: &mut AnswerFilter, out: &mut Vec<u8>) -> Result<(), Stop> {
    while let Progress::Need(targets) = filter.end(out)? {
        targets.iter().for_each(|target| filter.supply(target, None));
    }
    Ok(())
}
