//! Certificates that are renewed while the process serves, as those see it who read its log.

use crate::process::{Process, Site};
use crate::support::certificates::{Authority, authority, connected, issue, issue_early, issue_expired};
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use std::fs::File;
use std::time::{Duration, SystemTime};

const NAME: &str = "door.example";

fn site(upstream: &Upstream, pair: &(String, String)) -> Site {
    let site = Site::ready(upstream.address, "");
    put(&site, pair, None);
    let text = std::fs::read_to_string(site.path("doorward.toml")).unwrap();
    let tls = format!("tls = {{ certificate = {:?}, key = {:?} }}\n[admin]", site.path("certificate.pem"), site.path("key.pem"));
    std::fs::write(site.path("doorward.toml"), text.replace("[admin]", &tls)).unwrap();
    site
}

/// Moves a pair into place, the key first, with this as the time of both files.
fn put(site: &Site, (certificate, key): &(String, String), written: Option<SystemTime>) {
    for (name, text) in [("key.pem", key), ("certificate.pem", certificate)] {
        std::fs::write(site.path("new"), text).unwrap();
        if let Some(written) = written {
            File::options().write(true).open(site.path("new")).unwrap().set_modified(written).unwrap();
        }
        std::fs::rename(site.path("new"), site.path(name)).unwrap();
    }
}

async fn shown(site: &Site, by: &Authority) {
    within(async {
        while connected(site.proxy, by).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// For so long that the files were looked at twice, a certificate of this authority is shown.
async fn stays(site: &Site, by: &Authority) {
    let looked_at = doorward::observe::clock::monotonic();
    while looked_at.elapsed() < Duration::from_millis(2500) {
        connected(site.proxy, by).await.unwrap();
    }
}

/// Waits until it says these words, behind so many bytes that it said before.
async fn hear(process: &Process, known: usize, words: &str) {
    within(async {
        while !process.errors()[known..].contains(words) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_replaced_by_one_of_the_same_time_is_shown() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (old, new) = (authority(), authority());
    let site = site(&upstream, &issue(&old, NAME));
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    put(&site, &issue(&old, NAME), Some(written));
    let _process = site.start().await;
    stays(&site, &old).await;
    put(&site, &issue(&new, NAME), Some(written));
    shown(&site, &new).await;
}

/// While each of these pairs is on disk, a certificate of this authority stays, and why is told once.
async fn refused(site: &Site, process: &Process, stays_with: &Authority, kinds: &[((String, String), &str)]) {
    let path = site.path("certificate.pem").display().to_string();
    for (pair, why) in kinds {
        // A look at the key before its certificate is there may have told of another pair before.
        let known = process.errors().len();
        put(site, pair, None);
        hear(process, known, why).await;
        stays(site, stays_with).await;
        let errors = process.errors().split_off(known);
        let told: Vec<_> = errors.lines().filter(|line| line.contains("the former one stays") && line.contains(why)).collect();
        assert!(told.len() == 1 && told[0].contains(&path), "{errors}");
    }
}

#[tokio::test]
async fn a_pair_that_is_not_valid_now_replaces_none() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (old, new) = (authority(), authority());
    let site = site(&upstream, &issue(&old, NAME));
    let process = site.start().await;
    shown(&site, &old).await;
    refused(&site, &process, &old, &[(issue_expired(&new, NAME), "has expired"), (issue_early(&new, NAME), "is not valid yet")]).await;
    put(&site, &issue(&new, NAME), None);
    shown(&site, &new).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing_and_are_told_of_once() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (old, new) = (authority(), authority());
    let site = site(&upstream, &issue(&old, NAME));
    let process = site.start().await;
    shown(&site, &old).await;
    let mixed = (issue(&new, NAME).0, issue(&new, NAME).1);
    let nothing = ("nothing".to_owned(), mixed.1.clone());
    refused(&site, &process, &old, &[(nothing, "there is no certificate in it"), (mixed, "the certificate cannot be used")]).await;
    std::fs::remove_file(site.path("key.pem")).unwrap();
    hear(&process, 0, "No such file").await;
    stays(&site, &old).await;
    assert_eq!(process.errors().matches("No such file").count(), 1);
    put(&site, &issue(&new, NAME), None);
    shown(&site, &new).await;
    assert_eq!(process.errors().matches("the new certificate is shown").count(), 1);
}
