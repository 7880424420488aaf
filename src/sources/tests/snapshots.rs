//! Snapshots from sources that are up, down, lying or slow.

use super::*;
use crate::snapshot::{World, WorldStore};
use crate::sources::signed_document::{Document, InForce, judge};
use crate::token::forge::{Forge, key_set};
use http::header::HeaderValue;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(super) fn document(revision: u64) -> Vec<u8> {
    format!(r#"{{"schema":"doorward.snapshot/1","revision":{revision},"issuedAt":"2026-11-21T12:00:00Z"}}"#).into_bytes()
}

pub(super) fn store() -> Arc<WorldStore> {
    Arc::new(WorldStore::new(World::default()))
}

pub(super) fn revision(store: &WorldStore) -> u64 {
    store.load().snapshot.policies.revision()
}

pub(super) fn http(server: &Server) -> SnapshotSource {
    SnapshotSource {
        origin: SnapshotOrigin::Http(format!("{}/snapshot", server.url).parse().unwrap()),
        authorization: None,
        keys: None,
        cache: None,
        poll: Duration::from_millis(100),
    }
}

fn file(path: &Path, poll: Duration) -> SnapshotSource {
    SnapshotSource { origin: SnapshotOrigin::File(path.to_owned()), authorization: None, keys: None, cache: None, poll }
}

pub(super) fn running(source: SnapshotSource, store: &Arc<WorldStore>) -> (JoinSet<()>, Arc<Counts>) {
    let (surroundings, counts) = surroundings();
    let mut tasks = JoinSet::new();
    tasks.spawn(Snapshots::new(source, Arc::clone(store), surroundings).run());
    (tasks, counts)
}

#[tokio::test]
async fn a_newer_revision_takes_force_and_nothing_else_does() {
    let server = Server::start(|_, _, count| {
        let body = match count {
            0 => document(5),
            1 => document(4),
            2 => [document(5), b" ".to_vec()].concat(),
            3 => b"{".to_vec(),
            4 => b"{}".to_vec(),
            5 => document(5),
            _ => document(6),
        };
        std::future::ready(answer(if count == 3 { 500 } else { 200 }, &[], body))
    })
    .await;
    let store = store();
    let (_running, counts) = running(http(&server), &store);
    until("revision 6", || revision(&store) == 6).await;
    assert_eq!(counts.all()[..7], ["ok", "refused", "refused", "failed", "refused", "unchanged", "ok"]);
}

#[tokio::test]
async fn a_long_poll_names_the_document_in_force_and_its_answer_is_taken_at_once() {
    let (publish, published) = watch::channel(1_u64);
    let server = Server::start(move |_, headers, _| {
        let mut published = published.clone();
        async move {
            if let Some(etag) = headers.get("if-none-match") {
                assert_eq!(headers["prefer"], "wait=20");
                let known: u64 = etag.to_str().unwrap().trim_matches('"').parse().unwrap();
                published.wait_for(|revision| *revision > known).await.unwrap();
            }
            let revision = *published.borrow();
            answer(200, &[("etag", &format!("\"{revision}\""))], document(revision))
        }
    })
    .await;
    let store = store();
    let source = SnapshotSource { authorization: Some(HeaderValue::from_static("Bearer secret")), poll: Duration::from_secs(20), ..http(&server) };
    let (_running, _) = running(source, &store);
    for wanted in 1..=3 {
        publish.send(wanted).unwrap();
        until("published", || revision(&store) == wanted).await;
    }
    let asked = server.asked();
    assert_eq!((asked[0].1["authorization"].to_str().unwrap(), asked[0].1.contains_key("prefer")), ("Bearer secret", false));
    assert_eq!((&*asked[0].0, asked[0].1["accept-encoding"].to_str().unwrap()), ("/snapshot", "zstd, gzip"));
}

#[tokio::test]
async fn not_modified_confirms_what_is_in_force() {
    let server = Server::start(|_, headers, _| {
        let known = headers.contains_key("if-none-match");
        std::future::ready(if known { answer(304, &[], "") } else { answer(200, &[("etag", "\"x\"")], document(1)) })
    })
    .await;
    let store = store();
    let (_running, counts) = running(http(&server), &store);
    until("confirmed twice", || counts.of("unchanged") >= 2).await;
    assert_eq!((revision(&store), counts.of("ok")), (1, 1));
}

#[tokio::test]
async fn compressed_documents_are_taken() {
    let server = Server::start(|_, _, count| {
        let revision = document(count as u64 + 1);
        std::future::ready(if count == 0 {
            answer(200, &[("content-encoding", "zstd")], zstd::stream::encode_all(&*revision, 3).unwrap())
        } else {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gzip, &revision).unwrap();
            answer(200, &[("content-encoding", "gzip")], gzip.finish().unwrap())
        })
    })
    .await;
    let store = store();
    let (_running, counts) = running(http(&server), &store);
    until("both were taken", || revision(&store) >= 2).await;
    assert_eq!(counts.all()[..2], ["ok", "ok"]);
}

#[tokio::test]
async fn only_a_signed_document_takes_force_where_keys_are_configured() {
    let (ours, stranger) = (Forge::ed25519("snapshot"), Forge::ed25519("snapshot"));
    let keys = key_set(&[ours.jwk()]);
    let given = AtomicU64::new(0);
    let server = Server::start(move |target, _, _| {
        if target == "/keys" {
            return std::future::ready(answer(200, &[], keys.clone()));
        }
        let count = given.fetch_add(1, Ordering::Relaxed);
        // Each is newer than the one in force: nothing but its signature is wrong.
        let body = document(count + 1);
        let signature = match count {
            0 => None,
            1 => Some(stranger.detached(&body)),
            2 => Some(ours.detached(b"another document")),
            _ => Some(ours.detached(&body)),
        };
        let headers: Vec<_> = signature.iter().map(|text| ("doorward-signature", &**text)).collect();
        std::future::ready(answer(200, &headers, body.clone()))
    })
    .await;
    let (surroundings, _) = surroundings();
    let origin = KeyOrigin::Url(format!("{}/keys", server.url).parse().unwrap());
    let long = Duration::from_secs(3600);
    let keys = Some(Arc::new(KeyHolder::new("snapshot", origin, long, Duration::ZERO, surroundings)));
    let store = store();
    let (_running, counts) = running(SnapshotSource { keys, ..http(&server) }, &store);
    until("a signed one came", || revision(&store) > 0).await;
    assert_eq!(counts.all()[..3], ["refused", "refused", "refused"], "unsigned, by a stranger, over something else");
    assert_eq!(revision(&store), 4);
}

#[tokio::test]
async fn the_last_good_document_is_kept_and_used_at_a_start_without_the_source() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Some(directory.path().join("snapshot"));
    let server = Server::start(|_, _, _| std::future::ready(answer(200, &[], document(7)))).await;
    let first = store();
    let (mut task, _) = running(SnapshotSource { cache: cache.clone(), ..http(&server) }, &first);
    until("it is kept", || cache.as_ref().unwrap().exists()).await;
    task.shutdown().await;
    let written = Timestamp::from_second(NOW - 1000).unwrap();
    std::fs::File::options().write(true).open(cache.as_ref().unwrap()).unwrap().set_modified(written.into()).unwrap();
    let source = SnapshotSource { cache, ..http(&server) };
    drop(server);
    let second = store();
    let (_running, counts) = running(source, &second);
    until("it is in force", || revision(&second) == 7).await;
    assert_eq!(counts.all()[0], "failed");
    assert_eq!(second.load().snapshot.confirmed_at(), Some(written), "it counts from when it was written");
}

#[tokio::test]
async fn a_kept_document_is_held_to_its_signature_too() {
    let (ours, stranger) = (Forge::ed25519("snapshot"), Forge::ed25519("snapshot"));
    let keys = key_set(&[ours.jwk()]);
    let server =
        Server::start(move |target, _, _| std::future::ready(if target == "/keys" { answer(200, &[], keys.clone()) } else { answer(503, &[], "") })).await;
    for (signature, expected) in [(None, 0), (Some(stranger.detached(&document(7))), 0), (Some(ours.detached(&document(7))), 7)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("snapshot");
        std::fs::write(&path, document(7)).unwrap();
        if let Some(signature) = &signature {
            std::fs::write(snapshot_cache::signature_path(&path), signature).unwrap();
        }
        let origin = KeyOrigin::Url(format!("{}/keys", server.url).parse().unwrap());
        let keys = Some(Arc::new(KeyHolder::new("snapshot", origin, Duration::from_secs(3600), Duration::ZERO, surroundings().0)));
        let store = store();
        let (_running, counts) = running(SnapshotSource { keys, cache: Some(path), ..http(&server) }, &store);
        until("tried twice", || counts.of("failed") >= 2).await;
        assert_eq!(revision(&store), expected, "{signature:?}");
    }
}

#[tokio::test]
async fn a_source_that_comes_back_with_less_than_the_cache_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    std::fs::write(&path, document(7)).unwrap();
    let server = Server::start(|_, _, count| {
        std::future::ready(match count {
            0 => answer(503, &[], ""),
            1 => answer(200, &[], document(6)),
            _ => answer(200, &[], document(7)),
        })
    })
    .await;
    let store = store();
    let (_running, counts) = running(SnapshotSource { cache: Some(path), ..http(&server) }, &store);
    until("the same one confirms", || counts.of("unchanged") > 0).await;
    assert_eq!((revision(&store), &counts.all()[..2]), (7, &["failed".to_owned(), "refused".to_owned()][..]));
}

#[tokio::test]
async fn a_bad_cache_is_refused_like_a_bad_source() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    std::fs::write(&path, "{").unwrap();
    let server = Server::start(|_, _, _| std::future::ready(answer(503, &[], ""))).await;
    let store = store();
    let (_running, counts) = running(SnapshotSource { cache: Some(path), ..http(&server) }, &store);
    until("tried twice", || counts.of("failed") >= 2).await;
    assert_eq!(revision(&store), 0);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_and_a_part_are_no_confirmation() {
    let server = Server::start(|_, _, count| std::future::ready(if count == 0 { answer(304, &[], "") } else { answer(206, &[], document(1)) })).await;
    let store = store();
    let (_running, counts) = running(http(&server), &store);
    until("tried twice", || counts.all().len() >= 2).await;
    assert_eq!((counts.of("failed"), store.load().snapshot.confirmed_at()), (counts.all().len(), None));
}

#[tokio::test]
async fn a_document_that_is_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot.json");
    // It takes no room on the disk.
    std::fs::File::create(&path).unwrap().set_len(MAX_SNAPSHOT_BYTES as u64 + 1).unwrap();
    let read = async || crate::sources::snapshot_file::SignedFile::new(&path).read().await;
    assert!(matches!(read().await, Err(SourceError::TooLarge(MAX_SNAPSHOT_BYTES))));
    std::fs::write(&path, document(1)).unwrap();
    std::fs::write(snapshot_cache::signature_path(&path), vec![b'a'; MAX_SIGNATURE_BYTES + 1]).unwrap();
    assert!(matches!(read().await, Err(SourceError::TooLarge(MAX_SIGNATURE_BYTES))));
}

#[tokio::test]
async fn a_document_over_http_that_is_too_large_is_not_read_and_the_one_in_force_stays() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/snapshot", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move {
        // What is too large is announced and never comes: who would read it waits.
        let mut waiting = Vec::new();
        for count in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            let (length, body) = if count == 0 { (document(5).len(), document(5)) } else { (MAX_SNAPSHOT_BYTES + 1, document(6)) };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
            waiting.push(stream);
        }
    });
    let store = store();
    let origin = SnapshotOrigin::Http(url.parse().unwrap());
    let source = SnapshotSource { origin, authorization: None, keys: None, cache: None, poll: Duration::from_millis(100) };
    let (_running, counts) = running(source, &store);
    until("a document that is too large", || counts.of("failed") > 0).await;
    assert_eq!((revision(&store), counts.of("ok")), (5, 1));
}

#[tokio::test]
async fn a_document_that_is_wrong_everywhere_is_refused_with_its_first_problems() {
    let users = vec!["1"; 50_000].join(",");
    let wrong = document(6).strip_suffix(b"}").map(|open| [open, b",\"users\":[", users.as_bytes(), b"]}"].concat()).unwrap();
    let refused = judge(&signed_document(&wrong), InForce { digest: None, revision: Some(5) }, now()).await.err().unwrap();
    let SourceError::Problems(said) = refused else { panic!("{refused}") };
    assert_eq!(said[said.len() - 1], format!("… and at least {} more", 50_000 + 1 - said.len()));
    let few = document(0);
    let refused = judge(&signed_document(&few), InForce { digest: None, revision: None }, now()).await.err().unwrap();
    assert_eq!(refused.to_string(), "it has 1 problems");
}

fn signed_document(bytes: &[u8]) -> Document {
    Document { bytes: bytes.to_vec().into(), signature: None }
}

#[tokio::test]
async fn a_file_is_taken_again_when_it_changes_whatever_its_revision() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot.json");
    std::fs::write(&path, document(5)).unwrap();
    let store = store();
    let (_running, counts) = running(file(&path, Duration::from_secs(3600)), &store);
    until("read at the start", || revision(&store) == 5).await;
    let beside = directory.path().join("new");
    std::fs::write(&beside, document(3)).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    until("a replaced file", || revision(&store) == 3).await;
    std::fs::write(&path, "half a docu").unwrap();
    until("a bad file is refused", || counts.of("refused") > 0).await;
    assert_eq!(revision(&store), 3);
    std::fs::write(&path, document(8)).unwrap();
    until("a written file", || revision(&store) == 8).await;
}

#[tokio::test]
async fn a_pipe_in_a_files_place_is_refused_and_the_file_after_it_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot.json");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let store = store();
    let (_running, counts) = running(file(&path, Duration::from_millis(50)), &store);
    until("refused, and again", || counts.of("failed") >= 3).await;
    std::fs::write(directory.path().join("new"), document(4)).unwrap();
    std::fs::rename(directory.path().join("new"), &path).unwrap();
    until("the file", || revision(&store) == 4).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_taken_when_it_comes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot.json");
    let store = store();
    let (_running, counts) = running(file(&path, Duration::from_millis(50)), &store);
    until("missing", || counts.of("failed") > 0).await;
    std::fs::write(&path, document(1)).unwrap();
    until("there", || revision(&store) == 1).await;
    until("read at intervals", || counts.of("unchanged") >= 2).await;
}
