//! One small world: a user who may see portfolios of the scope `US` and properties `P/ok/…`.

use crate::api_map::ApiMap;
use crate::authorize::{Admission, Call, DecisionId, Door, Identity, Need, Refusal, Step, UpstreamMetadata, Verdict, authorize};
use crate::snapshot::{Settings, Snapshot, World};
use http::header::HOST;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use std::sync::{Arc, LazyLock};

/// The id that every call bears.
pub const DECISION: DecisionId = DecisionId(0x0123_4567_89ab_cdef);
/// The user's id.
pub const USER: &str = "u1";

static PLAIN: LazyLock<Arc<World>> = LazyLock::new(|| world(""));
static PREFIXED: LazyLock<Arc<World>> = LazyLock::new(|| world("/pre"));

/// A Saturday at noon.
pub fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// The world.
pub fn plain() -> &'static Arc<World> {
    &PLAIN
}

/// The same world, behind the prefix `/pre`.
pub fn prefixed() -> &'static Arc<World> {
    &PREFIXED
}

fn world(prefix: &str) -> Arc<World> {
    let map = serde_json::from_str(include_str!("../world/map.json")).unwrap();
    let maps = ApiMap::load(&[("map".to_owned(), map)]).unwrap();
    let snapshot = Snapshot::load(include_bytes!("../world/snapshot.json"), now()).unwrap();
    let settings = Settings { strip_prefix: prefix.to_owned(), ..Settings::default() };
    Arc::new(World { snapshot: Arc::new(snapshot), maps: Arc::new(maps), settings: Arc::new(settings) })
}

/// The headers of a call without any others.
pub fn bare_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("h"));
    headers
}

/// What a call shows of itself.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub headers: &'a HeaderMap,
    pub authority: Option<&'a str>,
    pub body: &'a [u8],
}

/// The verdict on a call of the user. A body that is asked for is given; this world asks for nothing else.
pub fn ask(world: &Arc<World>, asked: Asked<'_>) -> Result<Box<Admission>, Refusal> {
    try_ask(world, asked).expect("the world asks for no metadata")
}

/// The verdict on a call of the user; none where it takes metadata that nobody has.
pub fn try_ask(world: &Arc<World>, asked: Asked<'_>) -> Option<Result<Box<Admission>, Refusal>> {
    let step = match step(world, asked, None) {
        Step::Need(Need::Body { .. }) => step(world, asked, Some(asked.body)),
        step => step,
    };
    match step {
        Step::Done(Verdict::Admit(admission)) => Some(Ok(admission)),
        Step::Done(Verdict::Refuse(refused)) => Some(Err(refused.refusal)),
        Step::Need(Need::Body { .. }) => panic!("the body was given"),
        Step::Need(Need::Metadata(_)) => None,
    }
}

fn step(world: &Arc<World>, asked: Asked<'_>, body: Option<&[u8]>) -> Step {
    let identity = Identity::Opaque([1; 32]);
    let call = Call {
        door: Door::Proxy,
        decision_id: DECISION,
        method: asked.method,
        target: asked.target,
        headers: asked.headers,
        authority: asked.authority,
        identity: &identity,
        body,
        metadata: &UpstreamMetadata::default(),
    };
    authorize(world, &call, now())
}
