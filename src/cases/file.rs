//! What a case file holds.

use crate::authorize::Identity;
use crate::snapshot::World;
use crate::token::IssuerRules;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// A case file, read and ready to run.
pub struct CaseFile {
    /// What it is about.
    pub name: String,
    /// Its issuers, in order, for doors that verify tokens themselves.
    pub issuers: Vec<Arc<IssuerRules>>,
    /// Its cases; empty for a file of load errors.
    pub cases: Vec<Case>,
    /// The key paths that its snapshot must be refused for.
    pub load_errors: Vec<String>,
    /// The problems of its snapshot, each as `path: message`.
    pub snapshot_problems: Vec<String>,
}

/// One call and what must come of it.
pub struct Case {
    /// Its sentence.
    pub name: String,
    /// The time of the call.
    pub now: Timestamp,
    /// The world it is judged by.
    pub world: Arc<World>,
    /// The snapshot document, for doors that load it themselves.
    pub snapshot: Arc<Vec<u8>>,
    /// The API map document, for doors that load it themselves.
    pub api_map: Arc<Value>,
    /// Who asks, as the pipeline sees it.
    pub identity: Identity,
    /// Who asks, for doors that verify tokens themselves.
    pub caller: CaseCaller,
    /// The call.
    pub request: RequestCase,
    /// The upstream's answer.
    pub upstream: UpstreamReply,
    /// Answers to calls that are made on the way, by `METHOD target`.
    pub upstreams: Vec<(String, UpstreamReply)>,
    /// What must come of it.
    pub expect: Expectation,
}

/// Who asks, as a case gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseCaller {
    /// Nobody: there is no token.
    Nobody,
    /// This user of the snapshot.
    User(String),
    /// The bearer of a token with this claim set, a JSON text.
    Claims(String),
}

/// A request as a case gives it.
#[derive(Clone, Debug)]
pub struct RequestCase {
    /// The method.
    pub method: String,
    /// The raw target.
    pub target: String,
    /// Headers, in order; a name may occur more than once.
    pub headers: Vec<(String, String)>,
    /// The body, empty when there is none.
    pub body: Vec<u8>,
}

/// An upstream's answer as a case gives it.
#[derive(Clone, Debug)]
pub struct UpstreamReply {
    /// The status.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What must come of a call; what is `None` is not compared.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    /// The status.
    pub status: Option<u16>,
    /// The body, compared as JSON.
    pub body: Option<String>,
    /// The body, byte for byte.
    pub body_text: Option<String>,
    /// The problem's name.
    pub error: Option<String>,
    /// Whether the call went upstream.
    pub upstream_called: Option<bool>,
}

/// Why a case file cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {message}")]
pub struct CaseFileError {
    /// The file.
    pub file: String,
    /// What is wrong, with its place; several problems stand on lines of their own.
    pub message: String,
}
