//! What is served of each revision, to whom it is news, and signed by what.

use super::*;

/// Signs with a key made for the test.
struct Key {
    pairs: Mutex<Vec<(String, Ed25519KeyPair)>>,
}

impl Key {
    fn new() -> Arc<Self> {
        let key = Arc::new(Self { pairs: Mutex::new(Vec::new()) });
        key.add("snapshot-1");
        key
    }

    /// Signs with another one from now on.
    fn add(&self, id: &str) {
        self.pairs.lock().unwrap().push((id.to_owned(), Ed25519KeyPair::generate().unwrap()));
    }

    fn public(&self) -> KeySet {
        let jwk = |(id, pair): &(String, Ed25519KeyPair)| json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key()), "kid": id, "alg": "EdDSA", "use": "sig"});
        let keys: Vec<_> = self.pairs.lock().unwrap().iter().map(jwk).collect();
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }
}

impl Signer for Key {
    fn key(&self, _: &State, _: Timestamp) -> Option<String> {
        Some(self.pairs.lock().unwrap().last()?.0.clone())
    }

    fn sign(&self, _: &State, _: Timestamp, bytes: &[u8]) -> Option<String> {
        let pairs = self.pairs.lock().unwrap();
        let (id, pair) = pairs.last()?;
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": "EdDSA", "kid": id}).to_string());
        let signature = pair.sign(format!("{header}.{}", URL_SAFE_NO_PAD.encode(bytes)).as_bytes());
        Some(format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Keeps what it was told.
#[derive(Default)]
struct Told(Mutex<Vec<&'static str>>);

impl SourceObserver for Told {
    fn snapshot_load(&self, result: &'static str, _: usize) {
        self.0.lock().unwrap().push(result);
    }

    fn keys_refresh(&self, _: &str, _: &'static str) {}

    fn token_cache(&self, _: bool) {}
}

/// A store whose states are published.
struct House {
    store: Arc<Store>,
    world: Arc<WorldStore>,
    in_force: watch::Receiver<u64>,
    key: Arc<Key>,
    told: Arc<Told>,
    publication: Publication,
    publisher: tokio::task::JoinHandle<()>,
}

impl House {
    async fn new() -> Self {
        let store = Store::open(&Location::Sqlite(":memory:".into()), crate::observe::clock::now).await.unwrap();
        let world = Arc::new(WorldStore::new(World::default()));
        let (in_force, receiver) = watch::channel(0);
        let (key, told) = (Key::new(), Arc::new(Told::default()));
        let following = Following {
            states: store.watch(),
            world: Arc::clone(&world),
            in_force,
            signer: Arc::clone(&key) as _,
            observer: Arc::clone(&told) as _,
        };
        let (mut publisher, publication) = Publisher::new(following);
        publisher.look = Duration::from_millis(20);
        let publisher = tokio::spawn(publisher.run());
        Self { store, world, in_force: receiver, key, told, publication, publisher }
    }

    /// Makes a change; the revision it led to.
    async fn write(&self, change: impl FnOnce(&mut Draft)) -> u64 {
        let author = Author { user: "00u1".to_owned(), operation: "test".to_owned(), request: "1".to_owned() };
        let written = self.store.write(&author, |draft| {
            change(draft);
            Ok::<(), ()>(())
        });
        assert!(!matches!(written.await, Err(WriteError::Refused(()) | WriteError::Store(_))));
        self.store.state().revision
    }

    async fn serves(&self, revision: u64) {
        let mut newest = self.publication.newest.clone();
        let found = newest.wait_for(|served| served.as_ref().is_some_and(|served| served.revision >= revision));
        timeout(SOON, found).await.expect("served in time").unwrap();
    }

    async fn ask(&self, headers: &[(&str, &str)]) -> Result<Response, Problem> {
        timeout(SOON, answer(&self.publication, &map(headers))).await.expect("answered in time")
    }
}

fn map(headers: &[(&str, &str)]) -> HeaderMap {
    headers.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

async fn body(response: Response) -> Vec<u8> {
    to_bytes(response.into_body(), 1 << 30).await.unwrap().to_vec()
}

#[tokio::test]
async fn a_change_is_put_in_force_and_served_signed() {
    let house = House::new().await;
    let revision = house.write(fill).await;
    house.serves(revision).await;
    assert_eq!(house.world.load().snapshot.policies.revision(), revision);
    assert_eq!(*house.in_force.borrow(), revision);
    assert_eq!(house.publication.revision(), revision);
    let response = house.ask(&[]).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(header(&response, "etag").starts_with(&format!("W/\"{revision}-")), "{response:?}");
    assert_eq!(header(&response, "cache-control"), "private, no-store");
    assert_eq!(header(&response, "content-type"), "application/json");
    let signature = header(&response, "doorward-signature").to_owned();
    let bytes = body(response).await;
    verify_detached(&signature, &bytes, &house.key.public()).unwrap();
    assert_eq!(load(&bytes).unwrap().revision(), revision);
}

#[tokio::test]
async fn an_empty_store_has_nothing_to_serve() {
    let house = House::new().await;
    let problem = house.ask(&[]).await.unwrap_err();
    assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
    let waiting = house.ask(&[("prefer", "wait=30")]);
    let writing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        house.write(fill).await
    };
    let (response, _) = tokio::join!(waiting, writing);
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn each_coding_holds_the_same_bytes_under_the_same_signature() {
    let house = House::new().await;
    house.serves(house.write(fill).await).await;
    let plain = house.ask(&[]).await.unwrap();
    let signature = header(&plain, "doorward-signature").to_owned();
    let plain = body(plain).await;
    for (asked, coding) in [("gzip", "gzip"), ("zstd", "zstd"), ("gzip;q=0.5, zstd", "zstd"), ("br", "")] {
        let response = house.ask(&[("accept-encoding", asked)]).await.unwrap();
        assert_eq!((header(&response, "content-encoding"), header(&response, "doorward-signature")), (coding, &*signature), "{asked}");
        assert_eq!(header(&response, "vary"), "Accept-Encoding, Authorization");
        let bytes = body(response).await;
        let decoded = match coding {
            "gzip" => {
                let mut decoded = Vec::new();
                flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut decoded).unwrap();
                decoded
            }
            "zstd" => zstd::stream::decode_all(&*bytes).unwrap(),
            _ => bytes,
        };
        assert_eq!(decoded, plain, "{asked}");
    }
}

#[tokio::test]
async fn who_has_the_newest_is_told_so_at_once_or_waits_for_a_newer_one() {
    let house = House::new().await;
    house.serves(house.write(fill).await).await;
    let etag = header(&house.ask(&[]).await.unwrap(), "etag").to_owned();
    let unchanged = house.ask(&[("if-none-match", &etag)]).await.unwrap();
    assert_eq!((unchanged.status(), header(&unchanged, "etag")), (StatusCode::NOT_MODIFIED, &*etag));
    assert_eq!(header(&unchanged, "preference-applied"), "");
    let started = clock::monotonic();
    let held = house.ask(&[("if-none-match", &etag), ("prefer", "wait=1")]).await.unwrap();
    assert_eq!((held.status(), header(&held, "preference-applied")), (StatusCode::NOT_MODIFIED, "wait=1"));
    assert!(started.elapsed() >= Duration::from_secs(1));
    let headers = [("if-none-match", &*etag), ("prefer", "wait=30")];
    let (response, revision) = tokio::join!(house.ask(&headers), house.write(|draft| draft.put(user("00u3"))));
    let response = response.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(header(&response, "etag").starts_with(&format!("W/\"{revision}-")));
}

#[tokio::test]
async fn who_has_a_later_revision_of_another_replica_is_never_given_an_older_one() {
    let house = House::new().await;
    let revision = house.write(fill).await;
    house.serves(revision).await;
    let later = format!("W/\"{}-0011223344556677\"", revision + 1);
    let response = house.ask(&[("if-none-match", &later)]).await.unwrap();
    assert_eq!((response.status(), header(&response, "etag")), (StatusCode::NOT_MODIFIED, ""));
    let headers = [("if-none-match", &*later), ("prefer", "wait=30")];
    let writing = async {
        house.write(|draft| draft.put(user("00u3"))).await;
        house.serves(revision + 1).await;
        house.write(|draft| draft.put(user("00u4"))).await
    };
    let (response, _) = tokio::join!(house.ask(&headers), writing);
    // A revision of that number with other content is news, for the two cannot be the same.
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_revision_that_does_not_load_leaves_the_one_before() {
    let house = House::new().await;
    let good = house.write(fill).await;
    house.serves(good).await;
    let bad = house.write(|draft| draft.put(Policy { grant: "Maybe".to_owned(), ..policy("read-us") })).await;
    let mut in_force = house.in_force.clone();
    timeout(SOON, in_force.wait_for(|revision| *revision == bad)).await.expect("nobody has to wait for it").unwrap();
    assert_eq!((house.publication.revision(), house.world.load().snapshot.policies.revision()), (good, good));
    assert_eq!(*house.told.0.lock().unwrap(), ["ok", "refused"]);
    let better = house.write(|draft| draft.put(policy("read-us"))).await;
    house.serves(better).await;
    assert_eq!(house.world.load().snapshot.policies.revision(), better);
}

#[tokio::test]
async fn what_changes_nothing_of_the_snapshot_makes_no_new_one() {
    let house = House::new().await;
    let revision = house.write(fill).await;
    house.serves(revision).await;
    let setting = crate::store::Setting { name: "session-policy".to_owned(), value: json!({}) };
    assert_eq!(house.write(|draft| draft.put(setting)).await, revision);
    let after = house.write(|draft| draft.put(user("00u3"))).await;
    house.serves(after).await;
    assert_eq!(*house.told.0.lock().unwrap(), ["ok", "ok"]);
}

#[tokio::test]
async fn another_key_signs_the_same_revision_anew() {
    let house = House::new().await;
    house.serves(house.write(fill).await).await;
    let first = house.ask(&[]).await.unwrap();
    house.key.add("snapshot-2");
    let mut newest = house.publication.newest.clone();
    newest.borrow_and_update();
    timeout(SOON, newest.changed()).await.expect("signed anew").unwrap();
    let second = house.ask(&[]).await.unwrap();
    assert_eq!(header(&first, "etag"), header(&second, "etag"));
    assert_ne!(header(&first, "doorward-signature"), header(&second, "doorward-signature"));
    let signature = header(&second, "doorward-signature").to_owned();
    verify_detached(&signature, &body(second).await, &house.key.public()).unwrap();
}

#[tokio::test]
async fn whoever_waits_is_let_go_when_the_publisher_ends() {
    let house = House::new().await;
    house.serves(house.write(fill).await).await;
    let etag = header(&house.ask(&[]).await.unwrap(), "etag").to_owned();
    let headers = [("if-none-match", &*etag), ("prefer", "wait=60")];
    let ending = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        house.publisher.abort();
    };
    let (response, ()) = tokio::join!(house.ask(&headers), ending);
    assert_eq!(response.unwrap().status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_who_wait_all_get_every_change() {
    let house = Arc::new(House::new().await);
    let first = house.write(fill).await;
    house.serves(first).await;
    let last = first + 5;
    let followers: Vec<_> = (0..200)
        .map(|_| {
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                let mut etag = String::new();
                while !etag.starts_with(&format!("W/\"{last}-")) {
                    let response = house.ask(&[("if-none-match", &etag), ("prefer", "wait=30"), ("accept-encoding", "zstd")]).await.unwrap();
                    assert_eq!(response.status(), StatusCode::OK);
                    etag = header(&response, "etag").to_owned();
                    assert!(!body(response).await.is_empty());
                }
            })
        })
        .collect();
    for index in 0..5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        house.write(|draft| draft.put(user(&format!("00u9{index}")))).await;
    }
    for follower in followers {
        timeout(SOON, follower).await.expect("nobody is left behind").unwrap();
    }
}

#[tokio::test]
async fn the_route_answers_head_like_get_without_the_bytes() {
    let house = House::new().await;
    house.serves(house.write(fill).await).await;
    let plane = crate::control::plane::serving(house.publication.clone()).await;
    let router: axum::Router = routes().split_for_parts().0.with_state(plane);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/snapshot", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = HttpClient::new(Authorities::Native).unwrap();
    let ask = |method: Method| Ask { method, ..Ask::get(url.parse().unwrap(), SOON, 1 << 20) };
    let (get, head) = (client.ask(ask(Method::GET)).await.unwrap(), client.ask(ask(Method::HEAD)).await.unwrap());
    assert_eq!((get.status, head.status), (StatusCode::OK, StatusCode::OK));
    for name in ["etag", "content-length", "doorward-signature", "content-type"] {
        assert_eq!(get.headers.get(name), head.headers.get(name), "{name}");
    }
    assert_eq!((head.body.len(), load(&get.body).unwrap().revision()), (0, house.publication.revision()));
}

#[tokio::test]
async fn the_key_that_the_store_keeps_for_it_signs() {
    let plane = crate::control::plane::empty().await;
    crate::control::oauth::keep_keys(&plane).await.unwrap();
    let following = Following {
        states: plane.store.watch(),
        world: Arc::clone(&plane.world),
        in_force: plane.in_force.clone(),
        signer: Arc::clone(&plane.oauth.signing) as _,
        observer: Arc::clone(&plane.metrics) as _,
    };
    let (publisher, publication) = Publisher::new(following);
    let publishing = tokio::spawn(publisher.run());
    plane
        .write(&crate::control::caller::testing::administrator(), |draft| {
            fill(draft);
            Ok(())
        })
        .await
        .unwrap();
    let response = timeout(SOON, answer(&publication, &map(&[("prefer", "wait=60")]))).await.unwrap().unwrap();
    let signature = header(&response, "doorward-signature").to_owned();
    let keys: Vec<_> = plane.store.state().signing_keys.values().map(|key| key.public_key.clone()).collect();
    let keys = KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    verify_detached(&signature, &body(response).await, &keys).unwrap();
    // Everything that was acknowledged is in force for the plane's own callers.
    assert_eq!(plane.world().await.unwrap().snapshot.policies.revision(), plane.state().await.unwrap().revision);
    publishing.abort();
}
