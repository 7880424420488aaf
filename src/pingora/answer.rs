//! The upstream's answer becomes the client's: as it is, filtered, or refused, as the admission says.
//! It never passes on a byte of a filtered answer that the filter did not write.

use super::Doorward;
use super::call::Open;
use super::carrying::{Upstream, refusal_of};
use super::reaching::unavailable;
use super::refuse;
use crate::authorize::{Admission, Answer, AnswerFilter, Progress, Refusal, RefusalName, Stop};
use crate::door::framing::{remove_hop_by_hop, settle_answer};
use crate::observe::Outcome;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{StatusCode, Version};
use pingora_proxy::Session;

/// How much of a filtered answer is held back before its head goes out.
const HELD_BYTES: usize = 32 * 1024;

/// Why an answer does not come to its end.
pub(super) enum Halt {
    /// Nothing was sent: this is said instead.
    Refused(Refusal),
    /// Something was sent: the connection is cut.
    Cut,
}

/// The client's side of an answer.
struct Outlet<'a> {
    door: &'a Doorward,
    session: &'a mut Session,
    open: &'a mut Open,
    status: StatusCode,
    headers: HeaderMap,
}

/// A filtered body on its way through.
struct Filtered {
    filter: Box<AnswerFilter>,
    upstream: Upstream,
    authorization: Option<HeaderValue>,
    out: Vec<u8>,
    is_ended: bool,
}

/// Why the filter gave nothing more.
enum Obstacle {
    Stop(Stop),
    Broken(Refusal),
}

/// Translates an answer whose head is here.
pub(super) async fn translate(door: &Doorward, session: &mut Session, open: &mut Open, admission: Box<Admission>, upstream: Upstream) -> Result<(), Halt> {
    let head = upstream.session.resp_header().ok_or_else(|| Halt::Refused(unavailable("no answer's head")))?;
    let (status, mut headers) = (head.status, head.headers.clone());
    settle_answer(&mut headers).map_err(Halt::Refused)?;
    remove_hop_by_hop(&mut headers);
    let answer = admission.answer(status, &mut headers).map_err(Halt::Refused)?;
    let mut outlet = Outlet { door, session, open, status, headers };
    match answer {
        Answer::Pass => outlet.pass(upstream).await,
        Answer::Empty => {
            door.release(upstream).await;
            outlet.begin(Outcome::Filtered, Some(0)).await?;
            outlet.write(Bytes::new(), true).await
        }
        Answer::Filter(filter) => outlet.filter(filter, upstream).await,
    }
}

impl Outlet<'_> {
    /// Sends the upstream's body as it is.
    async fn pass(&mut self, mut upstream: Upstream) -> Result<(), Halt> {
        let is_measured = self.headers.contains_key(CONTENT_LENGTH);
        self.begin_as(Outcome::Passed, !is_measured).await?;
        loop {
            match upstream.session.read_body_bytes().await {
                Ok(Some(chunk)) => self.write(chunk, false).await?,
                Ok(None) => break,
                Err(error) => return Err(self.broken(&refusal_of(&error))),
            }
        }
        self.door.release(upstream).await;
        self.write(Bytes::new(), true).await
    }

    /// Sends what the filter lets through.
    async fn filter(&mut self, filter: Box<AnswerFilter>, upstream: Upstream) -> Result<(), Halt> {
        let authorization = self.open.authorization();
        let mut filtered = Filtered { filter, upstream, authorization, out: Vec::new(), is_ended: false };
        let end = self.run(&mut filtered).await;
        self.open.ending.summarize(filtered.filter.summary());
        end?;
        self.door.release(filtered.upstream).await;
        Ok(())
    }

    async fn run(&mut self, filtered: &mut Filtered) -> Result<(), Halt> {
        let is_old = self.open.head.version == Version::HTTP_10;
        // Without chunks its end could not be told from a cut.
        let held = if is_old { self.door.limits.held_answer_bytes.saturating_add(1) } else { HELD_BYTES };
        match filtered.hold(self.door, held).await {
            Ok(()) if is_old && !filtered.is_ended => {
                let reason = "too large to hold for an HTTP/1.0 client";
                return Err(Halt::Refused(Refusal::new(RefusalName::UnfilterableResponse, "The answer cannot be filtered.", reason)));
            }
            Ok(()) => {}
            Err(Obstacle::Stop(Stop::Replace(bytes))) => {
                self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                self.begin(Outcome::Filtered, Some(bytes.len())).await?;
                return self.write(Bytes::from_static(bytes), true).await;
            }
            Err(Obstacle::Stop(Stop::Refuse(refusal)) | Obstacle::Broken(refusal)) => return Err(Halt::Refused(refusal)),
        }
        let length = if filtered.is_ended { Some(filtered.out.len()) } else { None };
        self.begin(Outcome::Filtered, length).await?;
        loop {
            let bytes = Bytes::from(std::mem::take(&mut filtered.out));
            self.write(bytes, filtered.is_ended).await?;
            if filtered.is_ended {
                return Ok(());
            }
            if let Err(obstacle) = filtered.hold(self.door, 1).await {
                return Err(self.stopped(obstacle));
            }
        }
    }

    /// Sends the head of a filtered answer. It names no length (interfaces §6), but to an HTTP/1.0
    /// client, who could not tell its end from a cut.
    async fn begin(&mut self, outcome: Outcome, length: Option<usize>) -> Result<(), Halt> {
        if self.open.head.version == Version::HTTP_10
            && let Some(length) = length
        {
            self.headers.insert(CONTENT_LENGTH, length.into());
            return self.begin_as(outcome, false).await;
        }
        self.begin_as(outcome, true).await
    }

    async fn begin_as(&mut self, outcome: Outcome, is_chunked: bool) -> Result<(), Halt> {
        let has_body = self.status != StatusCode::NO_CONTENT && self.status != StatusCode::NOT_MODIFIED && self.open.head.method != http::Method::HEAD;
        if is_chunked && has_body && self.open.head.version != Version::HTTP_10 {
            self.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        self.open.ending.answered(outcome, self.status);
        self.open.goes_out(&self.door.wiring);
        let head = refuse::head(self.status, std::mem::take(&mut self.headers));
        self.session.write_response_header(head, false).await.map_err(|_| self.gone())
    }

    async fn write(&mut self, bytes: Bytes, is_last: bool) -> Result<(), Halt> {
        self.session.write_response_body(Some(bytes), is_last).await.map_err(|_| self.gone())
    }

    /// The client does not read its answer to the end; that is its own affair.
    fn gone(&mut self) -> Halt {
        self.open.is_noted = true;
        Halt::Cut
    }

    fn broken(&mut self, refusal: &Refusal) -> Halt {
        self.open.is_noted = true;
        self.open.ending.failed(refusal);
        Halt::Cut
    }

    fn stopped(&mut self, obstacle: Obstacle) -> Halt {
        match obstacle {
            Obstacle::Stop(stop) => {
                self.open.is_noted = true;
                self.open.ending.stopped(&stop);
                Halt::Cut
            }
            Obstacle::Broken(refusal) => self.broken(&refusal),
        }
    }
}

impl Filtered {
    /// Filters until there is so much output or the answer has ended.
    async fn hold(&mut self, door: &Doorward, least: usize) -> Result<(), Obstacle> {
        while !self.is_ended && self.out.len() < least {
            let chunk = self.upstream.session.read_body_bytes().await;
            let chunk = chunk.map_err(|error| self.filter.broke_off().map_or_else(|| Obstacle::Broken(refusal_of(&error)), Obstacle::Stop))?;
            let mut progress = match &chunk {
                Some(chunk) => self.filter.write(chunk, &mut self.out),
                None => self.filter.end(&mut self.out),
            };
            while let Progress::Need(targets) = progress.map_err(Obstacle::Stop)? {
                for (target, body) in door.metadata.read(targets, self.authorization.clone()).await {
                    self.filter.supply(&target, body.as_deref());
                }
                progress = if chunk.is_some() { self.filter.write(&[], &mut self.out) } else { self.filter.end(&mut self.out) };
            }
            self.is_ended = chunk.is_none();
        }
        Ok(())
    }
}
