//! Reading case files: YAML 1.2 or JSON, with snapshot and API map inline or beside them.

use crate::api_map::ApiMap;
use crate::authorize::Identity;
use crate::policy::Claims;
use crate::snapshot::{Settings, Snapshot, World};
use crate::token::{IssuerRules, VerifiedToken};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::path::Path;
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

/// Reads YAML 1.2 (core schema) or JSON into a tree.
///
/// # Errors
/// A sentence with line and column.
pub fn read_yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { strict_booleans: true, no_schema: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

impl CaseFile {
    /// Reads a case file; documents that it names are found relative to it.
    ///
    /// # Errors
    /// When the file, its API map, or (unless it is about load errors) its snapshot cannot be used.
    pub fn read(path: &Path) -> Result<Self, CaseFileError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| CaseFileError { file: file.clone(), message: error.to_string() })?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("."))).map_err(|message| CaseFileError { file, message })
    }

    /// Reads the text of a case file; `folder` is where documents that it names are found.
    ///
    /// # Errors
    /// A sentence, or several on lines of their own.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let root = read_yaml(text)?;
        let root = root.as_object().ok_or("must be a map with `name`, `snapshot`, `apiMap` and `cases`")?;
        let reader = Reader { root, folder };
        let (snapshot, problems) = reader.snapshot(root.get("snapshot").unwrap_or(&Value::Null))?;
        let load_errors = strings(root.get("loadErrors"));
        let issuers = reader.issuers()?;
        let name = text_of(root, "name").unwrap_or_default();
        let mut file = Self { name, issuers, cases: Vec::new(), load_errors, snapshot_problems: problems };
        if file.load_errors.is_empty() {
            file.cases = reader.cases(snapshot, &file.snapshot_problems, &file.issuers)?;
        }
        Ok(file)
    }
}

type Loaded = (Option<Arc<Snapshot>>, Arc<Vec<u8>>);

struct Reader<'a> {
    root: &'a Map<String, Value>,
    folder: &'a Path,
}

impl Reader<'_> {
    fn snapshot(&self, value: &Value) -> Result<(Loaded, Vec<String>), String> {
        let bytes = match value {
            Value::String(path) => self.file(path)?,
            inline => inline.to_string().into_bytes(),
        };
        let bytes = Arc::new(bytes);
        Ok(match Snapshot::load(&bytes, Timestamp::UNIX_EPOCH) {
            Ok(snapshot) => ((Some(Arc::new(snapshot)), bytes), Vec::new()),
            Err(problems) => ((None, bytes), problems.iter().map(ToString::to_string).collect()),
        })
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.folder.join(path)).map_err(|error| format!("{path}: {error}"))
    }

    fn api_map(&self) -> Result<(Arc<ApiMap>, Arc<Value>), String> {
        let value = match self.root.get("apiMap") {
            Some(Value::String(path)) => read_yaml(&String::from_utf8_lossy(&self.file(path)?)).map_err(|error| format!("{path}: {error}"))?,
            Some(inline) => inline.clone(),
            None => return Err("apiMap: is missing".to_owned()),
        };
        let map = ApiMap::load(&[("apiMap".to_owned(), value.clone())]);
        let map = map.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        Ok((Arc::new(map), Arc::new(value)))
    }

    fn issuers(&self) -> Result<Vec<Arc<IssuerRules>>, String> {
        let list = self.root.get("issuers").and_then(Value::as_array);
        list.into_iter().flatten().map(issuer).collect()
    }

    fn cases(&self, common: Loaded, problems: &[String], issuers: &[Arc<IssuerRules>]) -> Result<Vec<Case>, String> {
        let (maps, api_map) = self.api_map()?;
        let list = self.root.get("cases").and_then(Value::as_array).ok_or("cases: must be a list")?;
        let mut cases = Vec::new();
        for (index, value) in list.iter().enumerate() {
            let at = |message: String| format!("cases[{index}]: {message}");
            let case = value.as_object().ok_or_else(|| at("must be a map".to_owned()))?;
            let (snapshot, bytes) = match case.get("snapshot") {
                Some(own) => self.snapshot(own).map_err(at)?.0,
                None => common.clone(),
            };
            let snapshot = snapshot.ok_or_else(|| at(format!("its snapshot is refused:\n{}", problems.join("\n"))))?;
            let world = Arc::new(World { snapshot, maps: Arc::clone(&maps), settings: Arc::new(Settings::default()) });
            cases.push(self.case(case, world, (bytes, Arc::clone(&api_map)), issuers).map_err(at)?);
        }
        Ok(cases)
    }

    fn case(&self, case: &Map<String, Value>, world: Arc<World>, documents: (Arc<Vec<u8>>, Arc<Value>), issuers: &[Arc<IssuerRules>]) -> Result<Case, String> {
        let now = case.get("now").or_else(|| self.root.get("now")).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok()).ok_or("now: must be a date such as `2026-11-21T12:00:00Z`")?;
        let request = case.get("request").and_then(Value::as_object).ok_or("request: must be a map")?;
        let upstreams = case.get("upstreams").and_then(Value::as_object);
        Ok(Case {
            name: text_of(case, "name").unwrap_or_default(),
            now,
            world,
            snapshot: documents.0,
            api_map: documents.1,
            identity: identity(case, issuers),
            caller: caller(case),
            request: RequestCase {
                method: text_of(request, "method").ok_or("request.method: is missing")?,
                target: text_of(request, "target").ok_or("request.target: is missing")?,
                headers: headers(request.get("headers")),
                body: body(request.get("body"), b""),
            },
            upstream: reply(case.get("upstream")),
            upstreams: upstreams.map(|map| map.iter().map(|(call, value)| (call.clone(), reply(Some(value)))).collect()).unwrap_or_default(),
            expect: expectation(case.get("expect"))?,
        })
    }
}

/// `user`: a user of the snapshot without claims or scopes; `claims`: a token's; neither: no token.
fn identity(case: &Map<String, Value>, issuers: &[Arc<IssuerRules>]) -> Identity {
    if let Some(claims) = case.get("claims") {
        let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let rules = issuers.iter().find(|rules| *rules.issuer == *issuer).cloned().unwrap_or_default();
        return match VerifiedToken::from_claims(rules, &claims.to_string()) {
            Ok(token) => Identity::Token(Arc::new(token)),
            Err(error) => Identity::Refused(error.to_string().into()),
        };
    }
    match text_of(case, "user") {
        Some(user) => Identity::Token(Arc::new(token_without_claims(&user))),
        None => Identity::Missing,
    }
}

fn caller(case: &Map<String, Value>) -> CaseCaller {
    match (case.get("claims"), text_of(case, "user")) {
        (Some(claims), _) => CaseCaller::Claims(claims.to_string()),
        (None, Some(user)) => CaseCaller::User(user),
        (None, None) => CaseCaller::Nobody,
    }
}

/// What stands for a user's token where none is at hand.
pub(crate) fn token_without_claims(user: &str) -> VerifiedToken {
    VerifiedToken {
        rules: Arc::default(),
        user: user.into(),
        claims: Claims::default(),
        scopes: Vec::new(),
        roles: Vec::new(),
        token_id: None,
        issued_at: None,
        expires_at: Timestamp::MAX,
    }
}

fn issuer(value: &Value) -> Result<Arc<IssuerRules>, String> {
    crate::config::case_rules("issuers", value).map(Arc::new).map_err(|error| error.to_string())
}

fn reply(value: Option<&Value>) -> UpstreamReply {
    let field = |name: &str| value.and_then(|value| value.get(name));
    let status = field("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    UpstreamReply { status, headers: headers(field("headers")), body: body(field("body"), b"{}") }
}

/// A text is sent as it is, anything else as JSON; absent is `default`.
fn body(value: Option<&Value>, default: &[u8]) -> Vec<u8> {
    match value {
        None => default.to_vec(),
        Some(Value::String(text)) => text.as_bytes().to_vec(),
        Some(json) => json.to_string().into_bytes(),
    }
}

fn headers(value: Option<&Value>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, value) in value.and_then(Value::as_object).into_iter().flatten() {
        match value {
            Value::Array(values) => headers.extend(values.iter().map(|value| (name.clone(), scalar(value)))),
            value => headers.push((name.clone(), scalar(value))),
        }
    }
    headers
}

fn expectation(value: Option<&Value>) -> Result<Expectation, String> {
    let map = value.and_then(Value::as_object).ok_or("expect: must be a map")?;
    Ok(Expectation {
        status: map.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok()),
        body: map.get("body").map(|body| if let Value::String(text) = body { text.clone() } else { body.to_string() }),
        body_text: text_of(map, "bodyText"),
        error: text_of(map, "error"),
        upstream_called: map.get("upstreamCalled").and_then(Value::as_bool),
    })
}

fn text_of(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key).filter(|value| !value.is_null()).map(scalar)
}

fn scalar(value: &Value) -> String {
    if let Value::String(text) = value { text.clone() } else { value.to_string() }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).map(|list| list.iter().map(scalar).collect()).unwrap_or_default()
}
