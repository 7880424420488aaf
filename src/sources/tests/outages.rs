//! Starts while the source is down, or the keys, or both: what was kept serves, and serves at once.

use super::snapshots::{document, http, revision, running, store};
use super::*;
use crate::snapshot::WorldStore;
use crate::token::forge::{Forge, key_set};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use std::path::{Path, PathBuf};

const HOUR: Duration = Duration::from_secs(3600);

/// A control plane that gives keys and the snapshot like this, by how often it was asked for that.
async fn plane(
    keys: impl Fn(usize) -> Response<Full<Bytes>> + Send + Sync + 'static,
    snapshot: impl Fn(usize) -> Response<Full<Bytes>> + Send + Sync + 'static,
) -> Server {
    let counts = [0, 0].map(std::sync::atomic::AtomicUsize::new);
    Server::start(move |target, _, _| {
        let is_keys = target == "/keys";
        let count = counts[usize::from(is_keys)].fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        std::future::ready(if is_keys { keys(count) } else { snapshot(count) })
    })
    .await
}

fn down(_: usize) -> Response<Full<Bytes>> {
    answer(503, &[], "")
}

fn good(forge: &Forge) -> impl Fn(usize) -> Response<Full<Bytes>> + Send + Sync + 'static {
    let keys = key_set(&[forge.jwk()]);
    move |_| answer(200, &[], keys.clone())
}

fn signed(forge: &Forge, of: u64) -> impl Fn(usize) -> Response<Full<Bytes>> + Send + Sync + 'static {
    let signature = forge.detached(&document(of));
    move |_| answer(200, &[("doorward-signature", &signature)], document(of))
}

/// A start with this control plane and this cache.
fn started(server: &Server, cache: &Path) -> (JoinSet<()>, Arc<WorldStore>, Arc<Counts>) {
    by_keys_at(KeyOrigin::Url(format!("{}/keys", server.url).parse().unwrap()), server, cache)
}

fn by_keys_at(origin: KeyOrigin, server: &Server, cache: &Path) -> (JoinSet<()>, Arc<WorldStore>, Arc<Counts>) {
    let keys = Arc::new(KeyHolder::new("snapshot", origin, HOUR, Duration::ZERO, surroundings().0));
    let store = store();
    let source = SnapshotSource { keys: Some(keys), cache: Some(cache.to_owned()), ..http(server) };
    let (tasks, counts) = running(source, &store);
    (tasks, store, counts)
}

/// A cache in a folder as a run before left it, with or without the keys.
fn kept(folder: &tempfile::TempDir, forge: &Forge, of: u64, with_keys: bool) -> PathBuf {
    let path = folder.path().join("snapshot");
    std::fs::write(&path, document(of)).unwrap();
    std::fs::write(folder.path().join("snapshot.signature"), forge.detached(&document(of))).unwrap();
    if with_keys {
        std::fs::write(folder.path().join("snapshot.keys"), key_set(&[forge.jwk()])).unwrap();
    }
    path
}

#[tokio::test]
async fn a_start_with_everything_down_serves_the_last_good_snapshot() {
    let (folder, forge) = (tempfile::tempdir().unwrap(), Forge::ed25519("a"));
    let cache = folder.path().join("snapshot");
    let server = plane(good(&forge), signed(&forge, 7)).await;
    let (mut first, _, _) = started(&server, &cache);
    until("it is kept, with its keys", || folder.path().join("snapshot.keys").exists()).await;
    first.shutdown().await;
    drop(server);
    let gone = plane(down, down).await;
    let (_second, store, _) = started(&gone, &cache);
    until("it is in force", || revision(&store) == 7).await;
}

#[tokio::test]
async fn a_cache_without_keys_is_used_as_soon_as_their_origin_gives_them() {
    let (folder, forge) = (tempfile::tempdir().unwrap(), Forge::ed25519("a"));
    let cache = kept(&folder, &forge, 7, false);
    let back = good(&forge);
    let server = plane(move |count| if count < 4 { down(count) } else { back(count) }, down).await;
    let (_running, store, _) = started(&server, &cache);
    until("it is in force", || revision(&store) == 7).await;
    assert!(server.asked().iter().filter(|(target, _)| target == "/keys").count() > 4);
}

#[tokio::test]
async fn kept_keys_count_for_nothing_once_their_origin_gave_others() {
    let (folder, old) = (tempfile::tempdir().unwrap(), Forge::ed25519("a"));
    let cache = kept(&folder, &old, 7, true);
    let server = plane(good(&Forge::ed25519("b")), down).await;
    let (_running, store, counts) = started(&server, &cache);
    until("tried more than once", || counts.of("failed") >= 3).await;
    assert_eq!(revision(&store), 0);
}

#[tokio::test]
async fn kept_keys_are_no_keys_for_what_the_source_gives() {
    let (folder, forge) = (tempfile::tempdir().unwrap(), Forge::ed25519("a"));
    let cache = kept(&folder, &forge, 7, true);
    let server = plane(down, signed(&forge, 8)).await;
    let (_running, store, counts) = started(&server, &cache);
    until("refused", || counts.of("refused") >= 2).await;
    assert_eq!((revision(&store), counts.of("ok")), (7, 0));
}

#[tokio::test]
async fn a_cache_that_its_kept_keys_did_not_sign_is_refused() {
    let (folder, forge) = (tempfile::tempdir().unwrap(), Forge::ed25519("a"));
    let cache = kept(&folder, &Forge::ed25519("a"), 7, false);
    std::fs::write(folder.path().join("snapshot.keys"), key_set(&[forge.jwk()])).unwrap();
    let (_running, store, counts) = started(&plane(down, down).await, &cache);
    until("tried more than once", || counts.of("failed") >= 3).await;
    assert_eq!(revision(&store), 0);
}

#[tokio::test]
async fn keys_in_a_file_of_their_own_are_not_kept_and_nothing_stands_for_them() {
    let (folder, forge) = (tempfile::tempdir().unwrap(), Forge::ed25519("a"));
    let own = folder.path().join("public.json");
    std::fs::write(&own, key_set(&[forge.jwk()])).unwrap();
    let cache = folder.path().join("snapshot");
    let server = plane(down, signed(&forge, 7)).await;
    let (mut first, store, _) = by_keys_at(KeyOrigin::File(own.clone()), &server, &cache);
    until("it is in force and kept", || revision(&store) == 7 && folder.path().join("snapshot.signature").exists()).await;
    first.shutdown().await;
    assert!(!folder.path().join("snapshot.keys").exists());
    kept(&folder, &forge, 7, true);
    std::fs::remove_file(&own).unwrap();
    let (_second, store, counts) = by_keys_at(KeyOrigin::File(own), &plane(down, down).await, &cache);
    until("tried more than once", || counts.of("failed") >= 3).await;
    assert_eq!(revision(&store), 0);
}

#[tokio::test]
async fn a_source_and_a_key_server_that_are_silent_do_not_keep_the_cache_waiting() {
    let (folder, forge) = (tempfile::tempdir().unwrap(), Forge::ed25519("a"));
    let cache = kept(&folder, &forge, 7, true);
    let server = Server::start(|_, _, _| std::future::pending()).await;
    let (_running, store, counts) = started(&server, &cache);
    until("it is in force", || revision(&store) == 7).await;
    assert_eq!(counts.all(), Vec::<String>::new(), "the source is still being asked");
}
