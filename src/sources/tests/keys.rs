//! Key sets from servers that answer well, badly or not at all.

use super::*;
use crate::token::forge::{Forge, key_set};
use http::Uri;
use serde_json::json;

const HOUR: Duration = Duration::from_secs(3600);

fn holder(origin: KeyOrigin, refresh: Duration, cooldown: Duration) -> (Arc<KeyHolder>, Arc<Counts>) {
    let (surroundings, counts) = surroundings();
    (Arc::new(KeyHolder::new("issuer", origin, refresh, cooldown, surroundings)), counts)
}

fn at(server: &Server) -> KeyOrigin {
    KeyOrigin::Url(format!("{}/keys", server.url).parse::<Uri>().unwrap())
}

fn running(holder: &Arc<KeyHolder>) -> JoinSet<()> {
    let holder = Arc::clone(holder);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { holder.run().await });
    tasks
}

#[tokio::test]
async fn keys_are_fetched_at_the_start_and_refreshed_regularly() {
    let document = key_set(&[Forge::ed25519("a").jwk()]);
    let server = Server::start(move |_, _, _| std::future::ready(answer(200, &[], document.clone()))).await;
    let (holder, counts) = holder(at(&server), Duration::from_millis(20), HOUR);
    assert!(!holder.tried_once());
    let _running = running(&holder);
    until("refreshed three times", || counts.of("issuer unchanged") >= 2).await;
    assert_eq!((holder.held().version, holder.held().keys.len(), holder.confirmed_at()), (1, 1, Some(now())));
    assert_eq!(counts.of("issuer ok"), 1);
    assert!(holder.tried_once());
}

#[tokio::test]
async fn the_last_good_keys_stay_whatever_comes_after_them() {
    let good = key_set(&[Forge::ed25519("a").jwk()]);
    let other = key_set(&[Forge::ed25519("b").jwk()]);
    let huge = vec![b' '; crate::token::MAX_KEY_SET_BYTES + 1];
    let server = Server::start(move |_, _, count| {
        std::future::ready(match count {
            0 => answer(200, &[], good.clone()),
            1 => answer(500, &[], other.clone()),
            2 => answer(302, &[("location", "/elsewhere")], other.clone()),
            3 => answer(200, &[], huge.clone()),
            4 => answer(200, &[], r#"{"keys":[]}"#),
            5 => answer(200, &[], "<html>"),
            6 => answer(200, &[("content-encoding", "gzip")], "no gzip"),
            _ => answer(404, &[], ""),
        })
    })
    .await;
    let (holder, counts) = holder(at(&server), HOUR, Duration::ZERO);
    for _ in 0..8 {
        assert!(holder.refresh_for_unknown_key().await);
    }
    assert_eq!((holder.held().version, holder.held().keys.len()), (1, 1));
    assert_eq!((counts.of("issuer ok"), counts.of("issuer failed")), (1, 7));
    assert!(server.asked().iter().all(|(target, _)| target == "/keys"), "a redirect was followed");
}

#[tokio::test]
async fn an_issuer_that_never_answers_well_counts_as_tried_and_has_no_keys() {
    let server = Server::start(|_, _, _| std::future::ready(answer(503, &[], ""))).await;
    let (holder, counts) = holder(at(&server), HOUR, HOUR);
    let _running = running(&holder);
    until("tried again with growing pauses", || counts.of("issuer failed") >= 2).await;
    assert!(holder.tried_once() && holder.held().keys.is_empty() && holder.confirmed_at().is_none());
}

#[tokio::test]
async fn a_storm_of_unknown_keys_asks_once_per_cooldown_and_never_twice_at_once() {
    let document = key_set(&[Forge::ed25519("a").jwk()]);
    let server = Server::start(move |_, _, _| {
        let document = document.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer(200, &[], document)
        }
    })
    .await;
    let (holder, _) = holder(at(&server), HOUR, HOUR);
    let mut storm = JoinSet::new();
    for _ in 0..200 {
        let holder = Arc::clone(&holder);
        storm.spawn(async move { holder.refresh_for_unknown_key().await });
    }
    let looked = storm.join_all().await.into_iter().filter(|looked| *looked).count();
    assert_eq!(looked, 64, "those who waited look again, and no more wait");
    assert!(!holder.refresh_for_unknown_key().await);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn few_wait_for_a_silent_key_server_and_nobody_within_the_cooldown() {
    let (release, released) = tokio::sync::watch::channel(false);
    let server = Server::start(move |_, _, count| {
        let mut released = released.clone();
        async move {
            if count == 0 {
                released.wait_for(|is_so| *is_so).await.unwrap();
                return answer(500, &[], "");
            }
            std::future::pending().await
        }
    })
    .await;
    let (holder, _) = holder(at(&server), HOUR, HOUR);
    let mut storm = JoinSet::new();
    for _ in 0..1000 {
        let holder = Arc::clone(&holder);
        storm.spawn(async move { holder.refresh_for_unknown_key().await });
    }
    for _ in 0..1000 - 64 {
        assert!(!storm.join_next().await.unwrap().unwrap(), "one too many looks again");
    }
    assert!(storm.try_join_next().is_none(), "the others wait");
    release.send(true).unwrap();
    assert!(storm.join_all().await.into_iter().all(|looked| looked));
    // A regular refresh is under way, at a server that is silent again.
    let _running = running(&holder);
    until("asked", || server.asked().len() == 2).await;
    let told = tokio::time::timeout(Duration::from_secs(1), holder.refresh_for_unknown_key()).await;
    assert_eq!(told, Ok(false), "within the cooldown nobody waits");
}

#[tokio::test]
async fn a_failed_refresh_for_an_unknown_key_starts_the_cooldown_too() {
    let server = Server::start(|_, _, _| std::future::ready(answer(500, &[], ""))).await;
    let (holder, _) = holder(at(&server), HOUR, HOUR);
    holder.refresh_for_unknown_key().await;
    assert!(!holder.refresh_for_unknown_key().await);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_refresh() {
    let document = key_set(&[Forge::ed25519("a").jwk()]);
    let server = Server::start(move |_, _, _| {
        let document = document.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer(200, &[], document)
        }
    })
    .await;
    let (holder, _) = holder(at(&server), HOUR, HOUR);
    let _ = tokio::time::timeout(Duration::from_millis(10), holder.refresh_for_unknown_key()).await;
    until("the keys came all the same", || holder.held().keys.len() == 1).await;
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_key_file_is_read_again_at_every_refresh() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.json");
    let (holder, counts) = holder(KeyOrigin::File(path.clone()), HOUR, Duration::ZERO);
    holder.refresh_for_unknown_key().await;
    assert_eq!(counts.all(), ["issuer failed"]);
    for (version, ids) in [(1, ["a", "b"]), (2, ["c", "d"])] {
        std::fs::write(&path, key_set(&ids.map(|id| Forge::ed25519(id).jwk()))).unwrap();
        holder.refresh_for_unknown_key().await;
        assert_eq!((holder.held().version, holder.held().keys.len()), (version, 2));
    }
}

#[tokio::test]
async fn discovery_leads_to_the_keys_of_exactly_this_issuer() {
    let document = key_set(&[Forge::ed25519("a").jwk()]);
    let server = Server::start(move |target, headers, count| {
        let url = format!("http://{}", headers["host"].to_str().unwrap());
        let discovery = match count {
            0 => json!({"issuer": format!("{url}/"), "jwks_uri": format!("{url}/keys")}),
            1 => json!({"issuer": url, "jwks_uri": "/keys"}),
            2 => json!({"issuer": url, "jwks_uri": "ftp://127.0.0.1/keys"}),
            3 => json!({"issuer": url}),
            _ => json!({"issuer": url, "jwks_uri": format!("{url}/keys")}),
        };
        let is_keys = target == "/keys";
        let body = if is_keys { document.clone() } else { discovery.to_string().into_bytes() };
        std::future::ready(answer(200, &[], body))
    })
    .await;
    let origin = KeyOrigin::Discovery { issuer: server.url.clone().into() };
    let (holder, counts) = holder(origin, HOUR, Duration::ZERO);
    for _ in 0..5 {
        holder.refresh_for_unknown_key().await;
    }
    assert_eq!((counts.of("issuer failed"), counts.of("issuer ok"), holder.held().keys.len()), (4, 1, 1));
    assert_eq!(server.asked()[0].0, "/.well-known/openid-configuration");
}
