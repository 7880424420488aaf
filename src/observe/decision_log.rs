//! The decision log: one JSON document per record, written by a thread of its own behind a bounded
//! queue. It is told what happened, escapes it by serde and never sees a credential or a body.

use super::posts::{PostSettings, Posts};
use super::recent::Recent;
use super::{Metrics, Outcome};
use crate::authorize::{DecisionId, KeptRecord};
use bytes::Bytes;
use serde::{Serialize, Serializer};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Stdout, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How many records may wait for the sink.
const QUEUE: usize = 8192;
/// How long the writer lets records gather before it wakes: a thread that is woken for each of them
/// would cost more than the calls.
const GATHER: Duration = Duration::from_millis(2);

/// Where records go.
#[derive(Clone, Debug)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
    /// The control plane; whatever becomes of it, neither calls nor the other sinks wait.
    Control(PostSettings),
}

/// Which calls are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// All of them.
    All,
    /// Those that did not get what they asked for.
    Denied,
    /// This share of all, between 0 and 1.
    Sampled(f64),
}

/// What happens to a record when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// It is dropped and counted.
    Drop,
    /// The call waits.
    Block,
}

/// What the configuration says about the log; no sink means no log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The sinks; each gets every record.
    pub sinks: Vec<Sink>,
    /// Which calls.
    pub when: When,
    /// A full queue.
    pub on_full: OnFull,
}

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DecisionLogError {
    /// The file cannot be appended to.
    #[error("cannot open the decision log `{}`: {source}", path.display())]
    Open {
        /// The configured file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start the decision log: {0}")]
    Thread(std::io::Error),
}

/// One line of the log: the record of the decision, and what became of the call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// How it ended.
    #[serde(serialize_with = "outcome_name")]
    pub outcome: Outcome,
    /// The status that the client saw.
    pub status: u16,
    /// How long the decision took; written in milliseconds.
    #[serde(serialize_with = "milliseconds")]
    pub duration: Duration,
    /// The record that `authorize` made.
    #[serde(flatten)]
    pub record: KeptRecord,
}

fn outcome_name<S: Serializer>(outcome: &Outcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.name())
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1000.0)
}

/// The log's entrance. Dropping it writes what is queued.
#[derive(Debug)]
pub struct DecisionLog {
    queue: Option<SyncSender<LogEntry>>,
    writer: Option<JoinHandle<()>>,
    when: When,
    on_full: OnFull,
    metrics: Arc<Metrics>,
}

impl DecisionLog {
    /// Opens the sinks and starts the writer.
    ///
    /// # Errors
    /// When a file cannot be opened or a thread cannot be started.
    pub fn open(settings: &LogSettings, metrics: Arc<Metrics>) -> Result<Self, DecisionLogError> {
        Self::start(settings, metrics, None)
    }

    /// The same; the newest records are kept in memory too, whether there is a sink or not.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn remembering(settings: &LogSettings, metrics: Arc<Metrics>, recent: Arc<Recent>) -> Result<Self, DecisionLogError> {
        Self::start(settings, metrics, Some(recent))
    }

    fn start(settings: &LogSettings, metrics: Arc<Metrics>, recent: Option<Arc<Recent>>) -> Result<Self, DecisionLogError> {
        let mut log = Self { queue: None, writer: None, when: settings.when, on_full: settings.on_full, metrics };
        if settings.sinks.is_empty() && recent.is_none() {
            return Ok(log);
        }
        let mut writer = Writer { files: Vec::new(), posts: Vec::new(), recent, metrics: Arc::clone(&log.metrics) };
        for sink in &settings.sinks {
            writer.open(sink)?;
        }
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("decision-log".into()).spawn(move || writer.run(&receiver));
        log.writer = Some(thread.map_err(DecisionLogError::Thread)?);
        log.queue = Some(sender);
        Ok(log)
    }

    /// Whether there is anybody to write to; without, no record need be kept.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.queue.is_some()
    }

    /// Whether a call that ended so is to be recorded. The sample is drawn by the decision id, which
    /// is random, so that every door and replica agrees on a call.
    #[must_use]
    pub fn wants(&self, decision_id: DecisionId, outcome: Outcome) -> bool {
        self.is_open()
            && match self.when {
                When::All => true,
                When::Denied => matches!(outcome, Outcome::Refused | Outcome::Failed),
                When::Sampled(share) => sample(decision_id) < share,
            }
    }

    /// Hands a record to the writer.
    pub fn record(&self, entry: LogEntry) {
        let Some(queue) = &self.queue else { return };
        let lost = match self.on_full {
            OnFull::Block => queue.send(entry).is_err(),
            OnFull::Drop => matches!(queue.try_send(entry), Err(TrySendError::Full(_) | TrySendError::Disconnected(_))),
        };
        if lost {
            self.metrics.log_dropped.inc();
        }
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

/// A number in [0, 1) from the id's upper bits.
#[expect(clippy::cast_precision_loss, reason = "32 bits fit a double exactly")]
fn sample(decision_id: DecisionId) -> f64 {
    (decision_id.0 >> 96) as f64 / (f64::from(u32::MAX) + 1.0)
}

enum Out {
    Stdout(BufWriter<Stdout>),
    File(BufWriter<File>),
}

impl Out {
    fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(line),
            Self::File(out) => out.write_all(line),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(out) => out.flush(),
        }
    }
}

/// What the log's thread works with.
struct Writer {
    files: Vec<Out>,
    posts: Vec<Posts>,
    recent: Option<Arc<Recent>>,
    metrics: Arc<Metrics>,
}

impl Writer {
    fn open(&mut self, sink: &Sink) -> Result<(), DecisionLogError> {
        match sink {
            Sink::Stdout => self.files.push(Out::Stdout(BufWriter::new(std::io::stdout()))),
            Sink::File(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                let file = file.map_err(|source| DecisionLogError::Open { path: path.clone(), source })?;
                self.files.push(Out::File(BufWriter::new(file)));
            }
            Sink::Control(settings) => {
                let posts = Posts::start(settings.clone(), Arc::clone(&self.metrics)).map_err(DecisionLogError::Thread)?;
                self.posts.push(posts);
            }
        }
        Ok(())
    }

    /// Writes until the last sender is gone; flushes whenever nothing waits.
    fn run(mut self, queue: &Receiver<LogEntry>) {
        let mut line = Vec::new();
        loop {
            let entry = match queue.try_recv() {
                Ok(entry) => entry,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    self.flush();
                    let Ok(entry) = queue.recv() else { break };
                    std::thread::sleep(GATHER);
                    entry
                }
            };
            line.clear();
            if serde_json::to_writer(&mut line, &entry).is_ok() {
                self.write(entry.record.record.decision_id, &mut line);
            } else {
                self.metrics.log_failed.inc();
            }
        }
        self.flush();
    }

    /// Those who never wait come first: a pipe that nobody reads from must not keep a record from them.
    fn write(&mut self, id: DecisionId, line: &mut Vec<u8>) {
        if self.recent.is_some() || !self.posts.is_empty() {
            let document = Bytes::copy_from_slice(line);
            self.posts.iter().for_each(|posts| posts.take(document.clone()));
            if let Some(recent) = &self.recent {
                recent.keep(id, document);
            }
        }
        if self.files.is_empty() {
            return;
        }
        line.push(b'\n');
        let mut is_written = true;
        for file in &mut self.files {
            is_written &= file.write(line).is_ok();
        }
        if is_written { self.metrics.log_written.inc() } else { self.metrics.log_failed.inc() }
    }

    fn flush(&mut self) {
        for file in &mut self.files {
            if file.flush().is_err() {
                self.metrics.log_failed.inc();
            }
        }
    }
}
