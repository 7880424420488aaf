//! Access metadata that only the upstream knows, read for one call: a few at a time, each bounded
//! in size and time. A read that fails makes the metadata unknown, never empty.

use super::core::Core;
use crate::door::{Asker, MetadataAnswers, asker};
use bytes::Bytes;
use http::HeaderValue;
use std::rc::Rc;
use tokio::task::JoinSet;

/// How many are read at once for one call.
const AT_ONCE: usize = 8;

/// Reads all targets with the caller's own authorization.
pub(super) async fn fetch(core: Rc<Core>, targets: Vec<String>, authorization: Option<HeaderValue>) -> MetadataAnswers {
    let mut answers = MetadataAnswers::with_capacity(targets.len());
    let mut reading = JoinSet::new();
    let asker = asker(authorization.as_ref());
    for target in targets {
        if reading.len() >= AT_ONCE {
            take(&mut reading, &mut answers).await;
        }
        reading.spawn_local(read(Rc::clone(&core), target, authorization.clone(), asker));
    }
    while !reading.is_empty() {
        take(&mut reading, &mut answers).await;
    }
    answers
}

async fn read(core: Rc<Core>, target: String, authorization: Option<HeaderValue>, asker: Asker) -> (String, Option<Bytes>) {
    let body = core.metadata.get(&target, asker, || core.upstream.metadata(&target, authorization)).await;
    (target, body)
}

async fn take(reading: &mut JoinSet<(String, Option<Bytes>)>, answers: &mut MetadataAnswers) {
    if let Some(Ok(answer)) = reading.join_next().await {
        answers.push(answer);
    }
}
