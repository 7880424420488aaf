//! The answer on its way back: decoded, judged item by item, and filtered as it streams.

use super::call::UpstreamMetadata;
use super::charset;
use super::checks::denied_item;
use super::decoding::{Coding, Decoder};
use super::error_body;
use super::inputs::Inputs;
use super::judge::{AnswerJudge, Memory};
use super::refusal::{Refusal, RefusalName};
use crate::api_map::ResponseRule;
use crate::json_filter::{Filter, FilterError, Limits};
use crate::snapshot::DeniedStatus;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, HeaderMap};
use std::sync::Arc;

/// What happens to the body of an answer.
pub enum Answer {
    /// It goes through as it is.
    Pass,
    /// It goes through this filter.
    Filter(Box<AnswerFilter>),
    /// There is none.
    Empty,
}

/// How far the filter came.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// It took everything.
    Ready,
    /// It waits for the answers to `GET` of these targets at the upstream; the rest of the chunk is
    /// kept inside.
    Need(Vec<String>),
}

/// Why the filter stopped for good.
#[derive(Debug)]
pub enum Stop {
    /// Nothing of the answer may be shown: this is said instead, or, once something was sent, the
    /// connection is cut.
    Refuse(Refusal),
    /// A write is done whose result may not be seen: this body, with the upstream's status. Only
    /// before anything was sent.
    Replace(&'static [u8]),
}

/// What a filter did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entity, items kept, items removed.
    pub items: Vec<(Box<str>, u64, u64)>,
    /// Properties kept.
    pub properties_kept: u64,
    /// Properties removed.
    pub properties_removed: u64,
    /// Bytes that came from the upstream, decoded.
    pub bytes_in: u64,
    /// Bytes that went to the client.
    pub bytes_out: u64,
}

/// The filter of one answer, under one revision from its first byte to its last.
pub struct AnswerFilter {
    inputs: Inputs,
    memory: Memory,
    fetched: UpstreamMetadata,
    decoder: Option<Decoder>,
    body: Body,
    unread: Vec<u8>,
    is_ending: bool,
    bytes_in: u64,
    bytes_out: u64,
}

enum Body {
    /// 2xx: by the response rules.
    Items(Box<Filter>),
    /// Anything else: collected and reduced; `None` once it is too long to be kept.
    Problem(Option<Vec<u8>>),
}

impl Summary {
    /// Items removed, of every entity.
    #[must_use]
    pub fn items_removed(&self) -> u64 {
        self.items.iter().map(|(_, _, removed)| removed).sum()
    }
}

impl Answer {
    /// The filter for an answer with this head.
    pub(super) fn filtered(inputs: Inputs, is_head: bool, status: StatusCode, headers: &mut HeaderMap) -> Result<Self, Refusal> {
        if status == StatusCode::NOT_FOUND && hides_as_not_found(&inputs) {
            return Err(denied_item(DeniedStatus::NotFound, "the upstream's own 404".to_owned()));
        }
        if status == StatusCode::PARTIAL_CONTENT {
            return Err(unfilterable("a partial answer".to_owned()));
        }
        if is_head || status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            // What `GET` would say: its body is decoded.
            headers.remove(CONTENT_ENCODING);
            return Ok(Self::Empty);
        }
        let coding = read_coding(headers);
        let (body, coding) = if status.is_success() {
            if let Some(charset) = charset::foreign(headers) {
                return Err(unfilterable(format!("the charset `{charset}`")));
            }
            let coding = coding.ok_or_else(|| unfilterable("a content coding that is not known".to_owned()))?;
            (Body::Items(Box::new(make_filter(&inputs)?)), coding)
        } else {
            (Body::Problem(coding.map(|_| Vec::new())), coding.unwrap_or(Coding::Identity))
        };
        headers.remove(CONTENT_ENCODING);
        let ratio = inputs.world.settings.limits.decoded_ratio;
        let decoder = Decoder::new(coding, ratio).map_err(|error| unfilterable(error.to_string()))?;
        Ok(Self::Filter(Box::new(AnswerFilter {
            inputs,
            memory: Memory::default(),
            fetched: UpstreamMetadata::default(),
            decoder,
            body,
            unread: Vec::new(),
            is_ending: false,
            bytes_in: 0,
            bytes_out: 0,
        })))
    }
}

/// Whether a denied item is answered as if it were not there; then what is not there is answered alike.
fn hides_as_not_found(inputs: &Inputs) -> bool {
    inputs.world.settings.denied_status == DeniedStatus::NotFound && inputs.operation().is_some_and(crate::api_map::Operation::reads)
}

fn make_filter(inputs: &Inputs) -> Result<Filter, Refusal> {
    let plan = inputs.operation().and_then(|operation| operation.filter.clone());
    let plan = plan.ok_or_else(|| unfilterable("the operation has no filter".to_owned()))?;
    Ok(Filter::new(plan, limits(inputs)))
}

fn limits(inputs: &Inputs) -> Limits {
    let limits = &inputs.world.settings.limits;
    Limits { item_bytes: limits.response_item_bytes, depth: limits.response_depth }
}

/// The one coding of the answer; several headers or a list of codings are not known.
fn read_coding(headers: &HeaderMap) -> Option<Coding> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(Coding::Identity),
        (Some(value), None) => Coding::parse(value.to_str().ok()?),
        _ => None,
    }
}

impl AnswerFilter {
    /// Takes a chunk of the upstream's body and appends what the client may have of it.
    ///
    /// # Errors
    /// A stop; every later call stops too.
    pub fn write(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Progress, Stop> {
        let before = out.len();
        let progress = match &mut self.decoder {
            Some(decoder) => {
                let decoded = decoder.write(chunk).map_err(|error| Stop::Refuse(unfilterable(format!("content coding: {error}"))))?;
                self.push(&decoded, out)
            }
            None => self.push(chunk, out),
        };
        self.count(before, out);
        progress
    }

    /// Ends the body. After `Need` it is called again, once the answers were supplied.
    ///
    /// # Errors
    /// A stop.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<Progress, Stop> {
        let before = out.len();
        let progress = self.end_body(out);
        self.count(before, out);
        progress
    }

    /// What is said of an answer that breaks off, if its single item was denied by then: what was done upstream is
    /// done, and is not said to have failed.
    #[must_use]
    pub fn broke_off(&self) -> Option<Stop> {
        let Body::Items(filter) = &self.body else { return None };
        filter.denial().map(|denial| self.stop(&denial))
    }

    /// Hands over the answer to `GET target`: the body of a 200, `None` for anything else.
    pub fn supply(&mut self, target: &str, body: Option<&[u8]>) {
        self.fetched.insert(target, body);
    }

    /// Takes a chunk where no upstream can be asked: its metadata is unknown.
    ///
    /// # Errors
    /// A stop.
    pub fn write_alone(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Stop> {
        let mut progress = self.write(chunk, out)?;
        while let Progress::Need(targets) = progress {
            targets.iter().for_each(|target| self.supply(target, None));
            progress = self.write(&[], out)?;
        }
        Ok(())
    }

    /// Ends the body in the same way.
    ///
    /// # Errors
    /// A stop.
    pub fn end_alone(&mut self, out: &mut Vec<u8>) -> Result<(), Stop> {
        while let Progress::Need(targets) = self.end(out)? {
            targets.iter().for_each(|target| self.supply(target, None));
        }
        Ok(())
    }

    /// What was kept and removed so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { bytes_in: self.bytes_in, bytes_out: self.bytes_out, ..Summary::default() };
        let (Body::Items(filter), Some(operation)) = (&self.body, self.inputs.operation()) else { return summary };
        for (rule, counts) in operation.response.iter().zip(filter.counts()) {
            summary.properties_kept += counts.properties_kept;
            summary.properties_removed += counts.properties_removed;
            let entity = match rule {
                ResponseRule::Items { item, .. } => self.inputs.world.maps.entity(item.entity),
                _ => None,
            };
            if let Some(entity) = entity {
                summary.items.push((entity.name.clone(), counts.items_kept, counts.items_removed));
            }
        }
        summary
    }

    fn count(&mut self, before: usize, out: &[u8]) {
        self.bytes_out += out.len().saturating_sub(before) as u64;
    }

    fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<Progress, Stop> {
        self.bytes_in += chunk.len() as u64;
        match &mut self.body {
            Body::Problem(collected) => {
                collect(collected, chunk, self.inputs.world.settings.limits.response_item_bytes);
                Ok(Progress::Ready)
            }
            Body::Items(_) if self.unread.is_empty() => self.filter(chunk, out),
            Body::Items(_) => {
                let mut input = std::mem::take(&mut self.unread);
                input.extend_from_slice(chunk);
                self.filter(&input, out)
            }
        }
    }

    fn filter(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Progress, Stop> {
        let (Body::Items(filter), Some(operation)) = (&mut self.body, self.inputs.operation()) else { return Ok(Progress::Ready) };
        let mut judge = AnswerJudge::new(&self.inputs, operation, &self.fetched, &mut self.memory);
        let result = filter.write(input, &mut judge, out);
        drop(judge);
        match result {
            Ok(crate::json_filter::Progress::Done) => Ok(Progress::Ready),
            Ok(crate::json_filter::Progress::Waiting { consumed }) => {
                self.unread = input.get(consumed..).unwrap_or_default().to_vec();
                Ok(Progress::Need(std::mem::take(&mut self.memory.needs)))
            }
            Err(error) => Err(self.stop(&error)),
        }
    }

    fn end_body(&mut self, out: &mut Vec<u8>) -> Result<Progress, Stop> {
        if !self.is_ending {
            self.is_ending = true;
            if let Some(decoder) = &mut self.decoder {
                let tail = decoder.end().map_err(|error| Stop::Refuse(unfilterable(format!("content coding: {error}"))))?;
                self.unread.extend_from_slice(&tail);
            }
        }
        if let Body::Problem(collected) = &mut self.body {
            let tail = std::mem::take(&mut self.unread);
            collect(collected, &tail, self.inputs.world.settings.limits.response_item_bytes);
            let body = collected.take().unwrap_or_default();
            out.extend_from_slice(&error_body::reduce(&body, limits(&self.inputs)));
            return Ok(Progress::Ready);
        }
        let unread = std::mem::take(&mut self.unread);
        match self.filter(&unread, out)? {
            Progress::Ready => self.end_filter(out),
            need @ Progress::Need(_) => Ok(need),
        }
    }

    fn end_filter(&mut self, out: &mut Vec<u8>) -> Result<Progress, Stop> {
        let (Body::Items(filter), Some(operation)) = (&mut self.body, self.inputs.operation()) else { return Ok(Progress::Ready) };
        let mut judge = AnswerJudge::new(&self.inputs, operation, &self.fetched, &mut self.memory);
        let result = filter.end(&mut judge, out);
        drop(judge);
        match result {
            Ok(crate::json_filter::Progress::Done) => Ok(Progress::Ready),
            Ok(crate::json_filter::Progress::Waiting { .. }) => Ok(Progress::Need(std::mem::take(&mut self.memory.needs))),
            Err(error) => Err(self.stop(&error)),
        }
    }

    /// A denied single item refuses a call that reads; of a write that is done nothing is shown.
    fn stop(&self, error: &FilterError) -> Stop {
        if !error.is_denied() {
            return Stop::Refuse(unfilterable(error.to_string()));
        }
        if self.inputs.operation().is_some_and(crate::api_map::Operation::reads) {
            let status = self.inputs.world.settings.denied_status;
            let refusal = denied_item(status, "the single item of the answer".to_owned());
            return Stop::Refuse(Refusal { deciding: self.memory.denied.clone(), ..refusal });
        }
        Stop::Replace(b"{}")
    }
}

fn collect(collected: &mut Option<Vec<u8>>, chunk: &[u8], limit: usize) {
    if let Some(bytes) = collected {
        if bytes.len() + chunk.len() > limit {
            *collected = None;
        } else {
            bytes.extend_from_slice(chunk);
        }
    }
}

fn unfilterable(reason: String) -> Refusal {
    Refusal::new(RefusalName::UnfilterableResponse, "The answer of the service cannot be shown.", reason)
}

/// Answers hold what they need to be finished on another thread.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<AnswerFilter>();
    is_send::<Arc<crate::snapshot::World>>();
};
