//! A filtered answer: Envoy's pieces go through the filter as they come. Where Envoy lets it, the head
//! is held back until the filter has shown that it can read the answer. No byte goes on that the filter
//! did not write.

use super::answer::{begin, unfilterable};
use super::edits::option;
use super::life::Life;
use super::modes::BodySendMode;
use super::reply;
use super::wire::Halt;
use crate::authorize::{AnswerFilter, Progress, Refusal, Stop, Summary};
use crate::door::Metadata;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Message;
use envoy_types::pb::envoy::service::ext_proc::v3::{HeaderMutation, HttpBody};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

/// How much of a filtered answer is held back before its head goes out.
const HELD_BYTES: usize = 32 * 1024;

/// Where metadata comes from.
pub(super) struct Sources {
    pub(super) metadata: Metadata,
    /// The caller's own credential, unless it is not to be passed on.
    pub(super) authorization: Option<HeaderValue>,
}

/// An answer that goes through a filter.
pub(super) struct Filtered {
    filter: Box<AnswerFilter>,
    sources: Sources,
    mode: BodySendMode,
    /// The edits of the head, as long as it did not go on.
    head: Option<HeaderMutation>,
    out: Vec<u8>,
    /// What is shown of a write that is done, instead of everything.
    instead: Option<&'static [u8]>,
    is_over: bool,
}

impl Filtered {
    pub(super) fn new(filter: Box<AnswerFilter>, sources: Sources, edits: HeaderMutation, mode: BodySendMode) -> Self {
        Self { filter, sources, mode, head: Some(edits), out: Vec::new(), instead: None, is_over: false }
    }

    /// What the filter did.
    pub(super) fn summary(&self) -> Summary {
        self.filter.summary()
    }

    /// Takes a piece.
    async fn write(&mut self, piece: &[u8]) -> Result<(), Stop> {
        let mut progress = self.filter.write(piece, &mut self.out)?;
        while let Progress::Need(targets) = progress {
            self.supply(targets).await;
            progress = self.filter.write(&[], &mut self.out)?;
        }
        Ok(())
    }

    /// Takes the end.
    async fn end(&mut self) -> Result<(), Stop> {
        while let Progress::Need(targets) = self.filter.end(&mut self.out)? {
            self.supply(targets).await;
        }
        Ok(())
    }

    async fn supply(&mut self, targets: Vec<String>) {
        for (target, body) in self.sources.metadata.read(targets, self.sources.authorization.clone()).await {
            self.filter.supply(&target, body.as_deref());
        }
    }

    /// Takes a piece, and the end where it is the last.
    async fn take(&mut self, piece: &[u8], is_last: bool) -> Result<(), Refusal> {
        if self.is_over {
            return Err(unfilterable("an answer goes on after its end"));
        }
        self.is_over = is_last;
        if self.instead.is_some() {
            return Ok(());
        }
        let mut taken = self.write(piece).await;
        if taken.is_ok() && is_last {
            taken = self.end().await;
        }
        match taken {
            Ok(()) => Ok(()),
            Err(Stop::Refuse(refusal)) => Err(refusal),
            Err(Stop::Replace(_)) if self.head.is_none() && self.mode != BodySendMode::Buffered && self.mode != BodySendMode::BufferedPartial => {
                Err(unfilterable("the result of a write may not be seen, and had begun"))
            }
            Err(Stop::Replace(instead)) => {
                self.instead = Some(instead);
                Ok(())
            }
        }
    }

    /// What may go on now.
    fn output(&mut self) -> Vec<u8> {
        match self.instead {
            Some(instead) if self.is_over => instead.to_vec(),
            Some(_) => Vec::new(),
            None => std::mem::take(&mut self.out),
        }
    }

    /// The head's edits; of a write whose result may not be seen, JSON stands instead of it.
    fn edits(&mut self) -> HeaderMutation {
        let mut edits = self.head.take().unwrap_or_default();
        edits.set_headers.extend(self.type_instead());
        edits
    }

    fn type_instead(&self) -> Option<envoy_types::pb::envoy::config::core::v3::HeaderValueOption> {
        let json = HeaderValue::from_static("application/json");
        self.instead.map(|_| option(&CONTENT_TYPE, &json, HeaderAppendAction::OverwriteIfExistsOrAdd))
    }

    fn is_shown_enough(&self) -> bool {
        self.is_over || (self.instead.is_none() && self.out.len() >= HELD_BYTES)
    }
}

/// Carries a filtered answer; its head has just come.
pub(super) async fn carry(life: &mut Life, filtered: &mut Filtered, has_no_body: bool) -> Result<(), Halt> {
    if has_no_body {
        return without_body(life, filtered).await;
    }
    match filtered.mode {
        BodySendMode::FullDuplexStreamed => held(life, filtered).await,
        BodySendMode::Streamed => streamed(life, filtered).await,
        BodySendMode::Buffered | BodySendMode::BufferedPartial => whole(life, filtered).await,
        BodySendMode::None | BodySendMode::Grpc => Err(unfilterable("Envoy's `response_body_mode` does not show the answer").into()),
    }
}

async fn without_body(life: &mut Life, filtered: &mut Filtered) -> Result<(), Halt> {
    filtered.take(&[], true).await?;
    if !filtered.output().is_empty() {
        return Err(unfilterable("an answer without a body would have one").into());
    }
    let edits = filtered.edits();
    begin(life, edits).await?;
    over(life).await
}

/// Envoy sends everything at once and holds the head until it is told.
async fn held(life: &mut Life, filtered: &mut Filtered) -> Result<(), Halt> {
    loop {
        match life.wire.next().await? {
            None => return Err(Halt::Gone),
            Some(Message::ResponseBody(piece)) => {
                filtered.take(&piece.body, piece.end_of_stream).await?;
                release(life, filtered, true).await?;
            }
            Some(Message::ResponseTrailers(trailers)) => {
                filtered.take(&[], true).await?;
                release(life, filtered, false).await?;
                life.wire.send(reply::answer_trailers_dropped(&trailers)).await?;
            }
            Some(_) => return Err(Halt::Order("an answer is not over")),
        }
        if filtered.is_over {
            return over(life).await;
        }
    }
}

/// Lets go what may go: nothing before the filter has shown enough. `ends` says that the last piece
/// is the end, where no trailers are.
async fn release(life: &mut Life, filtered: &mut Filtered, ends: bool) -> Result<(), Halt> {
    if filtered.head.is_some() {
        if !filtered.is_shown_enough() {
            return Ok(());
        }
        let edits = filtered.edits();
        begin(life, edits).await?;
    }
    let (output, is_last) = (filtered.output(), ends && filtered.is_over);
    if output.is_empty() && !is_last {
        return Ok(());
    }
    life.wire.send(reply::answer_instead(output, is_last, filtered.mode, HeaderMutation::default())).await
}

/// Envoy lets the head go first, and shows and waits piece by piece.
async fn streamed(life: &mut Life, filtered: &mut Filtered) -> Result<(), Halt> {
    let edits = filtered.edits();
    begin(life, edits).await?;
    loop {
        let reply = match life.wire.next().await? {
            None => return Err(Halt::Gone),
            Some(Message::ResponseBody(HttpBody { body, end_of_stream, .. })) => {
                filtered.take(&body, end_of_stream).await?;
                reply::answer_instead(filtered.output(), end_of_stream, filtered.mode, HeaderMutation::default())
            }
            Some(_) => return Err(Halt::Order("an answer is not over")),
        };
        life.wire.send(reply).await?;
        if filtered.is_over {
            return over(life).await;
        }
    }
}

/// Envoy holds the head until the whole body is judged. A part of a body is never taken for it.
async fn whole(life: &mut Life, filtered: &mut Filtered) -> Result<(), Halt> {
    let edits = filtered.head.take().unwrap_or_default();
    life.wire.send(reply::answer_head(edits)).await?;
    let Some(Message::ResponseBody(HttpBody { body, end_of_stream, .. })) = life.wire.next().await? else {
        return Err(Halt::Order("an answer has no body"));
    };
    if !end_of_stream {
        return Err(unfilterable("Envoy shows only a part of the answer").into());
    }
    filtered.take(&body, true).await?;
    let edits = HeaderMutation { set_headers: filtered.type_instead().into_iter().collect(), remove_headers: Vec::new() };
    life.has_begun = true;
    life.wire.send(reply::answer_instead(filtered.output(), true, filtered.mode, edits)).await?;
    over(life).await
}

/// Nothing more may come; an Envoy that has everything just goes.
async fn over(life: &mut Life) -> Result<(), Halt> {
    match life.wire.next().await {
        Ok(None) | Err(Halt::Gone) => Ok(()),
        Err(halt) => Err(halt),
        Ok(Some(_)) => Err(Halt::Order("an answer goes on after its end")),
    }
}
