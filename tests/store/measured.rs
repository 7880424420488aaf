//! How large a store may be: run with `--ignored --nocapture how_long`.

#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use crate::killed::hold;
use crate::place::{Place, author, put_user, set, user, within};
use doorward::store::{Policy, ScopedId, Store, When, WriteError};
use std::time::{Duration, Instant};

const USERS: usize = 100_000;
const POLICIES: usize = 10_000;

#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn begin() -> Instant {
    Instant::now()
}

/// What a process has in memory, in MiB.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
    resident.unwrap_or(0_u64) / 1024
}

/// Opens the store in a process of its own: how long it takes, and what it holds in memory then.
async fn open_elsewhere(place: &Place) -> (Duration, u64) {
    let begun = begin();
    let mut child = within(hold(&place.location)).await;
    let measured = (begun.elapsed(), memory(child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    measured
}

fn policy(number: usize) -> Policy {
    let selector = serde_json::json!({"idSelectorDefinition": {
        "identifier": {"scope": format!("scope-{number}"), "code": "*"}, "actions": [{"scope": "default", "activity": "Any", "entity": "Portfolio"}],
        "name": "portfolios of a desk", "description": "every portfolio of one desk, to be read and to be written"}});
    Policy {
        id: ScopedId::new("default", format!("policy-{number}")),
        description: Some("what a desk may do with its portfolios".to_owned()),
        applications: vec!["LUSID".to_owned()],
        grant: "Allow".to_owned(),
        selectors: vec![selector; 3],
        dates: None,
        conditions: None,
        when: When { activate: "2020-01-01T00:00:00.0000000+00:00".to_owned(), deactivate: "9999-12-31T23:59:59.9999999+00:00".to_owned() },
        how: None,
        template_metadata: None,
    }
}

/// In several changes, for PostgreSQL ends one that is made for longer than ten seconds.
async fn fill(store: &Store) {
    for part in 0..10 {
        let written: Result<(), WriteError<()>> = store
            .write(&author(), |draft| {
                let of = |all: usize| part * all / 10..(part + 1) * all / 10;
                of(USERS).for_each(|number| draft.put(user(&format!("00u{number:017}"), &format!("user{number}@example.com"))));
                of(POLICIES).for_each(|number| draft.put(policy(number)));
                Ok(())
            })
            .await;
        written.unwrap();
    }
}

async fn measure(place: Place, empty: Place, name: &str) {
    let store = place.open().await;
    let begun = begin();
    fill(&store).await;
    println!("{name}: ten changes of {USERS} users and {POLICIES} policies: {:?}", begun.elapsed());
    drop(store);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ((time, memory), (_, memory_when_empty)) = (open_elsewhere(&place).await, open_elsewhere(&empty).await);
    println!("{name}: a process with all of them: {time:?}, {memory} MiB, {memory_when_empty} MiB without any");
    let store = place.open().await;
    let begun = begin();
    for number in 0..200 {
        put_user(&store, "00u1", &format!("user{number}")).await;
    }
    println!("{name}: one small change: {:?}", begun.elapsed() / 200);
    let begun = begin();
    set(&store, "a", 1).await;
    for _ in 0..1_000 {
        store.current().await.unwrap();
    }
    println!("{name}: one look at the current state: {:?}", begun.elapsed() / 1_000);
}

#[tokio::test]
#[ignore = "a measurement"]
async fn how_long_sqlite_takes() {
    measure(Place::sqlite().await, Place::sqlite().await, "sqlite").await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn how_long_postgresql_takes() {
    measure(Place::postgres().await, Place::postgres().await, "postgresql").await;
}
