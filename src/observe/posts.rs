//! Decision records on their way to the control plane: posted in batches by a thread of its own.
//! Nobody ever waits for it: what it cannot take, or cannot get rid of, is dropped and counted.

use super::{Metrics, clock};
use crate::http_client::{Ask, HttpClient, HttpError};
use crate::sources::BackOff;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode, Uri};
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How many records may wait.
const QUEUE: usize = 8192;
/// How many bytes they may have together.
const WAITING_BYTES: usize = 16 << 20;
/// A batch is posted when it has so many records,
const BATCH_RECORDS: usize = 500;
/// or would have more bytes,
const BATCH_BYTES: usize = 256 * 1024;
/// or is so old.
const BATCH_AGE: Duration = Duration::from_secs(1);
/// How long records gather before the thread looks for them again: to be woken for each would cost more.
const GATHER: Duration = Duration::from_millis(50);
/// How often a batch is posted before it is dropped.
const ATTEMPTS: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Nothing of the answer but its status is looked at.
const ANSWER_BYTES: usize = 64 * 1024;
/// How long what waits may take when the log is closed.
const FAREWELL: Duration = Duration::from_secs(5);

/// Where records are posted to.
#[derive(Clone)]
pub struct PostSettings {
    /// The client.
    pub client: HttpClient,
    /// The whole URL, `…/decisions`.
    pub url: Uri,
    /// The value of `Authorization`, marked as sensitive.
    pub authorization: Option<HeaderValue>,
}

impl fmt::Debug for PostSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PostSettings").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The entrance of the posting thread. Dropping it posts what waits, within a few seconds.
#[derive(Debug)]
pub(super) struct Posts {
    queue: Option<mpsc::Sender<Bytes>>,
    closing: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    waiting: Arc<Waiting>,
    metrics: Arc<Metrics>,
}

/// Records that were taken and that nothing has become of yet.
#[derive(Debug, Default)]
struct Waiting {
    records: AtomicU64,
    bytes: AtomicUsize,
}

impl Posts {
    /// Starts the thread.
    pub(super) fn start(settings: PostSettings, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, records) = mpsc::channel(QUEUE);
        let (closing, closed) = oneshot::channel();
        let waiting = Arc::new(Waiting::default());
        let poster = Poster { settings, records, waiting: Arc::clone(&waiting), metrics: Arc::clone(&metrics), next: None, is_failing: false };
        let thread = std::thread::Builder::new().name("decision-posts".into()).spawn(move || {
            runtime.block_on(poster.run(closed));
            // A name that is still looked up is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { queue: Some(sender), closing: Some(closing), thread: Some(thread), waiting, metrics })
    }

    /// Takes a record, a JSON document, unless too many wait.
    pub(super) fn take(&self, record: Bytes) {
        let length = record.len();
        let has_room = self.waiting.bytes.load(Ordering::Relaxed).saturating_add(length) <= WAITING_BYTES;
        let Some(queue) = self.queue.as_ref().filter(|_| has_room) else {
            self.metrics.log_dropped.inc();
            return;
        };
        // Counted before it can be seen: what is taken off was put on.
        self.waiting.records.fetch_add(1, Ordering::Relaxed);
        self.waiting.bytes.fetch_add(length, Ordering::Relaxed);
        if queue.try_send(record).is_err() {
            self.waiting.settle(1, length);
            self.metrics.log_dropped.inc();
        }
    }
}

impl Waiting {
    fn settle(&self, records: u64, bytes: usize) {
        self.records.fetch_sub(records, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Posts {
    fn drop(&mut self) {
        self.queue = None;
        self.closing = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to post.
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Poster {
    settings: PostSettings,
    records: mpsc::Receiver<Bytes>,
    waiting: Arc<Waiting>,
    metrics: Arc<Metrics>,
    /// A record that had no room in the last batch.
    next: Option<Bytes>,
    /// Whether the last batch was not taken: that is said once.
    is_failing: bool,
}

/// Some records as one JSON array.
struct Batch {
    body: BytesMut,
    records: u64,
    record_bytes: usize,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("it answered {}", .0.as_u16())]
    Status(StatusCode),
}

impl Poster {
    /// Posts until the queue is closed and empty; once it is closed only for so long.
    async fn run(mut self, closed: oneshot::Receiver<()>) {
        let (waiting, metrics) = (Arc::clone(&self.waiting), Arc::clone(&self.metrics));
        let mut work = pin!(self.post_all());
        tokio::select! {
            () = work.as_mut() => return,
            _ = closed => {}
        }
        if timeout(FAREWELL, work).await.is_err() {
            metrics.log_dropped.inc_by(waiting.records.load(Ordering::Relaxed));
        }
    }

    async fn post_all(&mut self) {
        while let Some(batch) = self.gather().await {
            self.post(batch).await;
        }
    }

    /// The next batch; none when the queue is closed and empty.
    async fn gather(&mut self) -> Option<Batch> {
        let first = match self.next.take() {
            Some(record) => record,
            None => self.records.recv().await?,
        };
        let mut batch = Batch::of(&first);
        let begun = clock::monotonic();
        while batch.records < BATCH_RECORDS as u64 {
            match self.records.try_recv() {
                Ok(record) if batch.has_room_for(&record) => batch.add(&record),
                Ok(record) => {
                    self.next = Some(record);
                    break;
                }
                Err(TryRecvError::Empty) if begun.elapsed() < BATCH_AGE => tokio::time::sleep(GATHER).await,
                Err(_) => break,
            }
        }
        Some(batch)
    }

    /// Posts a batch, again after a pause where that may help, and counts what became of it.
    async fn post(&mut self, batch: Batch) {
        let (records, bytes) = (batch.records, batch.record_bytes);
        let body = batch.end();
        let mut pauses = BackOff::default();
        let mut attempts = 1;
        let result = loop {
            match self.attempt(body.clone()).await {
                Err(error) if error.may_pass() && attempts < ATTEMPTS => tokio::time::sleep(pauses.failed(LONGEST_PAUSE)).await,
                result => break result,
            }
            attempts += 1;
        };
        let counter = match &result {
            Ok(()) => &self.metrics.log_written,
            Err(error) if error.may_pass() => &self.metrics.log_dropped,
            Err(_) => &self.metrics.log_failed,
        };
        counter.inc_by(records);
        self.waiting.settle(records, bytes);
        self.tell(&result);
    }

    async fn attempt(&self, body: Bytes) -> Result<(), PostError> {
        let mut ask = Ask::get(self.settings.url.clone(), ANSWER_WITHIN, ANSWER_BYTES);
        ask.method = Method::POST;
        ask.body = body;
        ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        ask.headers.extend(self.settings.authorization.clone().map(|authorization| (AUTHORIZATION, authorization)));
        let answer = self.settings.client.ask(ask).await?;
        if answer.status.is_success() { Ok(()) } else { Err(PostError::Status(answer.status)) }
    }

    /// Says that records are lost, and that they are no longer, once each.
    fn tell(&mut self, result: &Result<(), PostError>) {
        match result {
            Err(error) if !self.is_failing => {
                tracing::warn!(%error, url = %self.settings.url, "the control plane does not take decision records, they are lost")
            }
            Ok(()) if self.is_failing => tracing::info!("the control plane takes decision records again"),
            _ => {}
        }
        self.is_failing = result.is_err();
    }
}

impl Batch {
    fn of(record: &[u8]) -> Self {
        let mut body = BytesMut::with_capacity(record.len() + 2);
        body.put_u8(b'[');
        body.put_slice(record);
        Self { body, records: 1, record_bytes: record.len() }
    }

    /// Beside the record there are its comma and the closing bracket.
    fn has_room_for(&self, record: &[u8]) -> bool {
        self.body.len() + record.len() + 2 <= BATCH_BYTES
    }

    fn add(&mut self, record: &[u8]) {
        self.body.put_u8(b',');
        self.body.put_slice(record);
        self.records += 1;
        self.record_bytes += record.len();
    }

    fn end(mut self) -> Bytes {
        self.body.put_u8(b']');
        self.body.freeze()
    }
}

impl PostError {
    /// Whether the same may be taken later: a refused token may be known by then, a refused document
    /// stays what it is.
    fn may_pass(&self) -> bool {
        match self {
            Self::Http(HttpError::Url(_)) => false,
            Self::Http(_) => true,
            Self::Status(status) => {
                status.is_server_error()
                    || matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
            }
        }
    }
}
