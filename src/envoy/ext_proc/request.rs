//! The request of a call: its head, and its body where the operation inspects it. Envoy holds both
//! until the verdict.

use super::modes::Modes;
use super::reply;
use super::wire::{Halt, Wire};
use crate::authorize::Refusal;
use crate::door::{Metadata, MetadataAnswers, Supplies};
use crate::envoy::head::{Head, refused};
use crate::envoy::refuse::cannot;
use bytes::Bytes;
use envoy_types::pb::envoy::service::ext_proc::v3::HeaderMutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;

/// What this door can bring.
pub(super) struct Requested<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) metadata: &'a Metadata,
    pub(super) head: &'a Head,
    pub(super) authorization: Option<HeaderValue>,
    /// The request ended with its head.
    pub(super) has_no_body: bool,
    /// The whole body, once it was read.
    pub(super) whole: Option<Bytes>,
    /// Envoy waits for an answer to the body, and no more for one to the head.
    pub(super) holds_body: bool,
    /// Why the body could not be read, where that is no refusal.
    pub(super) halt: Option<Halt>,
}

impl Requested<'_> {
    /// Asks Envoy for the whole body and waits for it.
    async fn ask_for_body(&mut self, limit: usize) -> Result<Vec<u8>, Halt> {
        let modes = Modes::from(self.wire.protocol());
        if !modes.can_hold_request() {
            let reason = "the body is to be inspected, and Envoy's `request_body_mode` does not hold it";
            return Err(cannot(reason).into());
        }
        let declared = self.head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > limit as u64) {
            return Err(Refusal::body_too_large(limit).into());
        }
        // Whether the answer is to be filtered is not known before the verdict, and cannot be asked for after.
        self.wire.send(reply::request_head(HeaderMutation::default(), modes.asked(true, true))).await?;
        let body = match self.wire.next().await? {
            Some(Message::RequestBody(body)) => body.body,
            Some(_) => return Err(refused("Envoy did not show the body that was asked for, set `allow_mode_override`").into()),
            None => return Err(Halt::Gone),
        };
        self.holds_body = true;
        if body.len() > limit {
            return Err(Refusal::body_too_large(limit).into());
        }
        if declared.is_some_and(|length| length != body.len() as u64) {
            return Err(refused("the body is not as long as the request says").into());
        }
        Ok(body)
    }
}

impl Supplies for Requested<'_> {
    fn body(&self) -> Option<&Bytes> {
        self.whole.as_ref()
    }

    async fn read_body(&mut self, limit: usize) -> Result<(), Refusal> {
        let body = if self.has_no_body { Ok(Vec::new()) } else { self.ask_for_body(limit).await };
        match body {
            Ok(body) => {
                self.whole = Some(body.into());
                Ok(())
            }
            Err(Halt::Refuse(refusal)) => Err(refusal),
            Err(halt) => {
                self.halt = Some(halt);
                Err(refused("the request body did not come"))
            }
        }
    }

    async fn read_metadata(&mut self, targets: Vec<String>) -> MetadataAnswers {
        self.metadata.read(targets, self.authorization.clone()).await
    }
}
