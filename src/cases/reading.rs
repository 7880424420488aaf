//! Reading case files: YAML 1.2 or JSON, with snapshot and API map inline or beside them. Every
//! problem is reported, with its place.

use super::caller::{caller, identity, issuer};
use super::file::{Case, CaseFile, CaseFileError, Expectation, RequestCase, UpstreamReply};
use crate::api_map::ApiMap;
use crate::policy::parse_instant;
use crate::snapshot::{Settings, Snapshot, World};
use crate::token::IssuerRules;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;

/// Reads YAML 1.2 (core schema) or JSON into a tree.
///
/// # Errors
/// A sentence with line and column.
pub fn read_yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { strict_booleans: true, no_schema: false };
    // What follows the first line draws the place once more.
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
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
        let mut reader = Reader { root, folder, problems: Vec::new() };
        let file = reader.read();
        if reader.problems.is_empty() { Ok(file) } else { Err(reader.problems.join("\n")) }
    }
}

/// A snapshot with its document; `None` for one that is refused.
type Loaded = (Option<Arc<Snapshot>>, Arc<Vec<u8>>);

struct Reader<'a> {
    root: &'a Map<String, Value>,
    folder: &'a Path,
    problems: Vec<String>,
}

/// What all cases of a file have in common.
struct Common {
    snapshot: Loaded,
    maps: Arc<ApiMap>,
    api_map: Arc<Value>,
    issuers: Vec<Arc<IssuerRules>>,
}

impl Reader<'_> {
    fn read(&mut self) -> CaseFile {
        let (snapshot, snapshot_problems) = self.snapshot("snapshot", self.root.get("snapshot").unwrap_or(&Value::Null));
        let load_errors: Vec<String> = self.root.get("loadErrors").and_then(Value::as_array).map(|list| list.iter().map(scalar).collect()).unwrap_or_default();
        let issuers = self.issuers();
        let mut file = CaseFile {
            name: text_of(self.root, "name").unwrap_or_default(),
            issuers: issuers.clone(),
            cases: Vec::new(),
            load_errors,
            snapshot_problems,
        };
        if !file.load_errors.is_empty() {
            return file;
        }
        self.problems.extend(file.snapshot_problems.iter().map(|problem| format!("snapshot: {problem}")));
        if let Some((maps, api_map)) = self.api_map() {
            file.cases = self.cases(&Common { snapshot, maps, api_map, issuers });
        }
        file
    }

    fn keep<T>(&mut self, place: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problems.push(format!("{place}: {message}"))).ok()
    }

    /// Reads and compiles a snapshot, inline or in a file of its own.
    fn snapshot(&mut self, place: &str, value: &Value) -> (Loaded, Vec<String>) {
        let bytes = match value {
            Value::String(path) => self.document(path).map(|value| value.into_bytes()),
            inline => Ok(inline.to_string().into_bytes()),
        };
        let bytes = Arc::new(self.keep(place, bytes).unwrap_or_default());
        match Snapshot::load(&bytes, Timestamp::UNIX_EPOCH) {
            Ok(snapshot) => ((Some(Arc::new(snapshot)), bytes), Vec::new()),
            Err(problems) => ((None, bytes), problems.iter().map(ToString::to_string).collect()),
        }
    }

    /// A document beside the case file, as JSON text: JSON as it stands, YAML converted.
    fn document(&self, path: &str) -> Result<String, String> {
        let text = std::fs::read_to_string(self.folder.join(path)).map_err(|error| format!("{path}: {error}"))?;
        if text.trim_start().starts_with('{') {
            return Ok(text);
        }
        read_yaml(&text).map(|value| value.to_string()).map_err(|error| format!("{path}: {error}"))
    }

    fn api_map(&mut self) -> Option<(Arc<ApiMap>, Arc<Value>)> {
        let value = match self.root.get("apiMap") {
            Some(Value::String(path)) => self.document(path).and_then(|text| read_yaml(&text).map_err(|error| format!("{path}: {error}"))),
            Some(inline) => Ok(inline.clone()),
            None => Err("is missing".to_owned()),
        };
        let value = self.keep("apiMap", value)?;
        match ApiMap::load(&[("apiMap".to_owned(), value.clone())]) {
            Ok(map) => Some((Arc::new(map), Arc::new(value))),
            Err(problems) => {
                self.problems.extend(problems.iter().map(ToString::to_string));
                None
            }
        }
    }

    fn issuers(&mut self) -> Vec<Arc<IssuerRules>> {
        let list = self.root.get("issuers").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|value| self.keep("issuers", issuer(value))).collect()
    }

    fn cases(&mut self, common: &Common) -> Vec<Case> {
        let list = self.root.get("cases").and_then(Value::as_array).ok_or("must be a list".to_owned());
        let list = self.keep("cases", list).map(Vec::as_slice).unwrap_or_default();
        list.iter().enumerate().filter_map(|(index, value)| self.case(&format!("cases[{index}]"), value, common)).collect()
    }

    fn case(&mut self, place: &str, value: &Value, common: &Common) -> Option<Case> {
        let case = self.keep(place, value.as_object().ok_or("must be a map".to_owned()))?;
        let (snapshot, document) = match case.get("snapshot") {
            Some(own) => {
                let (loaded, problems) = self.snapshot(place, own);
                self.problems.extend(problems.iter().map(|problem| format!("{place}.snapshot: {problem}")));
                loaded
            }
            None => common.snapshot.clone(),
        };
        let now = self.keep(&format!("{place}.now"), time(case.get("now").or_else(|| self.root.get("now"))));
        let request = self.keep(&format!("{place}.request"), request(case.get("request")));
        let upstream = self.keep(&format!("{place}.upstream"), reply(case.get("upstream")));
        let upstreams = self.keep(&format!("{place}.upstreams"), replies(case.get("upstreams")));
        let expect = self.keep(&format!("{place}.expect"), expectation(case.get("expect")));
        let world = World { snapshot: snapshot?, maps: Arc::clone(&common.maps), settings: Arc::new(Settings::default()) };
        Some(Case {
            name: text_of(case, "name").unwrap_or_default(),
            now: now?,
            world: Arc::new(world),
            snapshot: document,
            api_map: Arc::clone(&common.api_map),
            identity: identity(case, &common.issuers),
            caller: caller(case),
            request: request?,
            upstream: upstream?,
            upstreams: upstreams?,
            expect: expect?,
        })
    }
}

fn time(value: Option<&Value>) -> Result<Timestamp, String> {
    let instant = value.and_then(Value::as_str).and_then(parse_instant);
    instant.map(Timestamp::from).ok_or("must be a date such as `2026-11-21T12:00:00Z`".to_owned())
}

fn request(value: Option<&Value>) -> Result<RequestCase, String> {
    let map = value.and_then(Value::as_object).ok_or("must be a map")?;
    Ok(RequestCase {
        method: text_of(map, "method").ok_or("method: is missing")?,
        target: text_of(map, "target").ok_or("target: is missing")?,
        headers: headers(map.get("headers")),
        body: body(map.get("body"), b""),
    })
}

fn replies(value: Option<&Value>) -> Result<Vec<(String, UpstreamReply)>, String> {
    let map = value.and_then(Value::as_object).into_iter().flatten();
    map.map(|(call, value)| Ok((call.clone(), reply(Some(value))?))).collect()
}

fn reply(value: Option<&Value>) -> Result<UpstreamReply, String> {
    let field = |name: &str| value.and_then(|value| value.get(name));
    let status = status(field("status"))?.unwrap_or(200);
    Ok(UpstreamReply { status, headers: headers(field("headers")), body: body(field("body"), b"{}") })
}

fn status(value: Option<&Value>) -> Result<Option<u16>, String> {
    let Some(value) = value else { return Ok(None) };
    let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
    number.map(Some).ok_or(format!("status: `{value}` is no HTTP status"))
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
    let map = value.and_then(Value::as_object).ok_or("must be a map")?;
    let upstream_called = map.get("upstreamCalled").map(|called| called.as_bool().ok_or("upstreamCalled: must be `true` or `false`"));
    Ok(Expectation {
        status: status(map.get("status"))?,
        body: map.get("body").map(scalar),
        body_text: text_of(map, "bodyText"),
        error: text_of(map, "error"),
        upstream_called: upstream_called.transpose()?,
    })
}

pub(super) fn text_of(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key).filter(|value| !value.is_null()).map(scalar)
}

fn scalar(value: &Value) -> String {
    if let Value::String(text) = value { text.clone() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_of_a_case_file_is_reported_with_its_place() {
        let text = "name: n\nnow: noon\nsnapshot: { schema: doorward.snapshot/1, revision: 1, issuedAt: 2020-01-01T00:00:00Z }\n\
            apiMap: { application: A, operations: [] }\ncases:\n  - { request: { method: GET }, expect: { status: ok } }\n\
            \x20 - { request: { method: GET, target: / }, upstream: { status: 99999 }, expect: { upstreamCalled: maybe } }\n  - 5\n";
        let problems = CaseFile::parse(text, Path::new(".")).err().unwrap();
        for place in
            ["cases[0].now", "cases[0].request: target", "cases[0].expect: status", "cases[1].upstream: status", "cases[1].expect: upstreamCalled", "cases[2]"]
        {
            assert!(problems.contains(place), "{place}: {problems}");
        }
        let broken = "snapshot: missing.json\napiMap: { application: A, operations: [{}] }\ncases: []\n";
        let problems = CaseFile::parse(broken, Path::new("/nowhere")).err().unwrap();
        for place in ["snapshot: missing.json", "operations[0].feature"] {
            assert!(problems.contains(place), "{place}: {problems}");
        }
    }
}
