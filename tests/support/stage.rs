//! A stage for conformance cases: the door, the issuers that sign for its callers, and an upstream
//! that answers what the case on stage says and remembers what it was asked.

use super::door::Doorward;
use super::issuer::{AUDIENCE, Key, measured, trusting};
use super::upstream::{Reply, Seen, Upstream};
use super::within;
use doorward::cases::{Case, CaseCaller, CaseFile, UpstreamReply};
use doorward::observe::clock::WallClock;
use doorward::snapshot::World;
use doorward::sources::KeySets;
use doorward::token::IssuerRules;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The issuer of tokens whose claims name none.
const USUAL_ISSUER: &str = "https://issuer.example";
/// Case files say nothing of lifetimes.
const FOR_EVER: Duration = Duration::from_secs(200 * 366 * 24 * 3600);

/// The issuers of a file: those it names, those that its claims name, and the usual one.
pub struct Issuers {
    key: Key,
    sets: Arc<KeySets>,
}

/// What the upstream answers at the moment, and what it was asked by admitted calls.
#[derive(Default)]
struct Act {
    reply: Vec<u8>,
    metadata: Vec<(String, Vec<u8>)>,
    called: Vec<String>,
}

/// One world behind one door.
pub struct Stage {
    /// The door.
    pub door: Doorward,
    behind: Backstage,
}

/// The upstream behind a door, and the time.
pub struct Backstage {
    upstream: Upstream,
    act: Arc<Mutex<Act>>,
    time: Arc<Mutex<Timestamp>>,
}

impl Issuers {
    /// Those of this file; its key set is written into the folder.
    pub async fn of(file: &CaseFile, folder: &Path) -> Self {
        let key = Key::new("stage");
        let path = folder.join("keys.json");
        std::fs::write(&path, key.set()).unwrap();
        let claims = file.cases.iter().filter_map(claims_of);
        let mut names: BTreeSet<String> = claims.clone().filter_map(|claims| Some(claims["iss"].as_str()?.to_owned())).collect();
        names.extend(file.issuers.iter().map(|rules| rules.issuer.to_string()));
        names.insert(USUAL_ISSUER.to_owned());
        let mut audience: BTreeSet<Box<str>> = claims.filter_map(|claims| Some(claims["aud"].as_str()?.into())).collect();
        audience.insert(AUDIENCE.into());
        let audience: Vec<Box<str>> = audience.into_iter().collect();
        let rules = |name: &String| {
            let known = file.issuers.iter().find(|rules| *rules.issuer == **name);
            known.map_or_else(|| IssuerRules { issuer: name.as_str().into(), ..IssuerRules::default() }, |rules| IssuerRules::clone(rules))
        };
        let issuers = names.iter().map(|name| measured(rules(name), audience.clone(), FOR_EVER));
        let sets = trusting(issuers.collect(), &path).await;
        Self { key, sets }
    }

    /// Their keys.
    pub fn sets(&self) -> Arc<KeySets> {
        Arc::clone(&self.sets)
    }

    /// The bearer token of a case, if it has one: its claims, and whatever else a token must have.
    pub fn token(&self, case: &Case) -> Option<String> {
        let mut claims = match &case.caller {
            CaseCaller::Nobody => return None,
            CaseCaller::User(user) => json!({ "sub": user }),
            CaseCaller::Claims(_) => claims_of(case).unwrap(),
        };
        let members = claims.as_object_mut().unwrap();
        for (name, value) in [("iss", json!(USUAL_ISSUER)), ("aud", json!(AUDIENCE)), ("exp", json!(case.now.as_second() + 3600))] {
            members.entry(name).or_insert(value);
        }
        Some(self.key.token(&claims.to_string()))
    }
}

fn claims_of(case: &Case) -> Option<Value> {
    match &case.caller {
        CaseCaller::Claims(claims) => Some(serde_json::from_str(claims).unwrap()),
        CaseCaller::Nobody | CaseCaller::User(_) => None,
    }
}

impl Backstage {
    /// Starts the upstream.
    pub async fn start() -> Self {
        let (act, time) = (Arc::new(Mutex::new(Act::default())), Arc::new(Mutex::new(Timestamp::UNIX_EPOCH)));
        let upstream = Upstream::start({
            let act = Arc::clone(&act);
            move |seen| answer(&mut act.lock().unwrap(), seen)
        })
        .await;
        Self { upstream, act, time }
    }

    /// Where the upstream is.
    pub fn address(&self) -> SocketAddr {
        self.upstream.address
    }

    /// A clock that shows the time of the case on stage.
    pub fn clock(&self) -> WallClock {
        let time = Arc::clone(&self.time);
        WallClock::showing(move || *time.lock().unwrap())
    }

    /// Puts a case on stage.
    pub fn set(&self, case: &Case) {
        *self.time.lock().unwrap() = case.now;
        let metadata = case.upstreams.iter().map(|(call, reply)| (call.clone(), bytes(reply, "GET")));
        *self.act.lock().unwrap() = Act { reply: bytes(&case.upstream, &case.request.method), metadata: metadata.collect(), called: Vec::new() };
    }

    /// The request lines of admitted calls since then.
    pub fn called(&self) -> Vec<String> {
        self.act.lock().unwrap().called.clone()
    }
}

impl Stage {
    /// A stage in this world.
    pub async fn open(world: &World, issuers: &Issuers) -> Self {
        let behind = Backstage::start().await;
        let door = Doorward::planned(&[behind.address()], |plan| {
            plan.world = world.clone();
            plan.keys = issuers.sets();
            // The upstream of the next case answers otherwise.
            plan.settings.metadata_cache.ttl = Duration::ZERO;
            plan.clock = behind.clock();
        });
        Self { door, behind }
    }

    /// Where the upstream is.
    pub fn upstream(&self) -> SocketAddr {
        self.behind.address()
    }

    /// Puts a case on stage.
    pub fn set(&self, case: &Case) {
        self.behind.set(case);
    }

    /// The request lines of admitted calls since then.
    pub fn called(&self) -> Vec<String> {
        self.behind.called()
    }

    /// Closes the door in good order.
    pub async fn close(self) {
        within(self.door.serving.stop(Duration::from_secs(5))).await;
    }
}

/// An admitted call carries a decision id; what doorward itself asks does not.
fn answer(act: &mut Act, seen: &Seen) -> Reply {
    let call = seen.line().strip_suffix(" HTTP/1.1").unwrap();
    if seen.header("doorward-decision-id").is_empty() {
        let known = act.metadata.iter().find(|(known, _)| known == call);
        return Reply::Bytes(known.map_or_else(|| b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(), |(_, reply)| reply.clone()));
    }
    act.called.push(call.to_owned());
    Reply::Bytes(act.reply.clone())
}

/// An answer as it stands on the wire.
fn bytes(reply: &UpstreamReply, method: &str) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {} Said\r\n", reply.status).into_bytes();
    for (name, value) in &reply.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    let has_body = reply.status >= 200 && reply.status != 204 && reply.status != 304;
    if has_body {
        bytes.extend_from_slice(format!("content-length: {}\r\n", reply.body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    if has_body && method != "HEAD" {
        bytes.extend_from_slice(&reply.body);
    }
    bytes
}
