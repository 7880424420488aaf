//! A process that is killed in the midst of writing loses nothing that it had acknowledged.
//!
//! The test starts its own binary again, as a child that runs nothing but `child_writer`.

use crate::place::{Place, author, names, newest, on_both, setting, user};
use doorward::observe::clock;
use doorward::store::{Location, Setting, State, Store, WriteError};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

on_both! {
    nothing_acknowledged_is_lost_by_a_kill
}

const LOCATION: &str = "DOORWARD_TEST_LOCATION";
const ROUND: &str = "DOORWARD_TEST_ROUND";

/// The child: writes without end, and says what was acknowledged. A round of `hold` only opens the store.
#[tokio::test]
#[ignore = "started by the tests that kill it"]
#[expect(clippy::disallowed_methods, reason = "what the parent asks for; no configuration")]
async fn child_writer() {
    let (Ok(location), Ok(round)) = (std::env::var(LOCATION), std::env::var(ROUND)) else { return };
    let location = if location.starts_with("postgres:") { Location::Postgres(location) } else { Location::Sqlite(PathBuf::from(location)) };
    let store = Store::open(&location, clock::now).await.unwrap();
    // The line that the runner began is ended, so that every acknowledgement has its own.
    say("\nopen");
    if round == "hold" {
        // Until it is killed, or whoever started it is gone.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    for number in 0_u64.. {
        let name = format!("{round}-{number:05}");
        let written: Result<(u64, u64), WriteError<()>> = store
            .write(&author(), |draft| {
                let count = setting(draft, "count").unwrap_or(0) + 1;
                draft.put(Setting { name: "count".to_owned(), value: count.into() });
                draft.put(Setting { name: name.clone(), value: count.into() });
                draft.put(user("00u1", &format!("user{count}")));
                Ok((draft.sequence + 1, draft.revision + 1))
            })
            .await;
        let (sequence, revision) = written.unwrap();
        say(&format!("kept {name} {sequence} {revision}"));
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

fn start(location: &Location, round: &str) -> (Child, impl Iterator<Item = String> + Send + 'static) {
    let location = match location {
        Location::Sqlite(path) => path.display().to_string(),
        Location::Postgres(url) => url.clone(),
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "killed::child_writer", "--nocapture", "--test-threads=1"]);
    let mut child = command.env(LOCATION, location).env(ROUND, round).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (child, lines)
}

/// A process that has this database open until it is killed.
pub(crate) async fn hold(location: &Location) -> Child {
    let (child, mut lines) = start(location, "hold");
    let opened = tokio::task::spawn_blocking(move || lines.any(|line| line == "open")).await.unwrap();
    assert!(opened, "the child did not open the store");
    child
}

/// Lets a child write for a while and kills it; the names, sequences and revisions that it acknowledged.
async fn write_and_be_killed(location: &Location, round: u64) -> Vec<(String, u64, u64)> {
    let (mut child, lines) = start(location, &format!("{round:02}"));
    let (acknowledged, mut first) = tokio::sync::mpsc::unbounded_channel();
    let reading = tokio::task::spawn_blocking(move || {
        let kept = lines.filter_map(|line| {
            let mut words = line.strip_prefix("kept ")?.split(' ').map(str::to_owned);
            Some((words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        });
        kept.inspect(|_| acknowledged.send(()).unwrap_or_default()).collect::<Vec<(String, u64, u64)>>()
    });
    assert!(crate::place::within(first.recv()).await.is_some(), "the child wrote nothing");
    // At another moment of its work each time.
    tokio::time::sleep(Duration::from_micros(round * 7_919 % 60_000)).await;
    child.kill().unwrap();
    let kept = reading.await.unwrap();
    child.wait().unwrap();
    kept
}

/// What is there and how much of it is in the audit log, both of one time: the last writing of who was killed may
/// still be on its way in the server.
async fn settled(store: &Store) -> (Arc<State>, usize) {
    loop {
        let audited = store.audit(&newest(u32::MAX)).await.unwrap().len();
        let state = store.current().await.unwrap();
        if store.audit(&newest(u32::MAX)).await.unwrap().len() == audited {
            return (state, audited);
        }
    }
}

async fn nothing_acknowledged_is_lost_by_a_kill(place: Place) {
    const ROUNDS: u64 = 12;
    let mut acknowledged: Vec<(String, u64, u64)> = Vec::new();
    for round in 0..ROUNDS {
        acknowledged.extend(write_and_be_killed(&place.location, round).await);
        let store = place.open().await;
        let (state, audited) = settled(&store).await;
        let kept = names(&state);
        for (name, ..) in &acknowledged {
            assert!(state.settings.has(name), "{name} was acknowledged and is lost");
        }
        // What was not acknowledged is there whole or not at all, and everything is counted once.
        let count = i64::try_from(kept.len() - 1).unwrap();
        assert_eq!((setting(&state, "count"), state.sequence, state.revision), (Some(count), count.cast_unsigned(), count.cast_unsigned()));
        assert_eq!(state.user_by_login(&format!("user{count}")).unwrap().id, "00u1");
        assert_eq!(audited, 3 * usize::try_from(count).unwrap());
    }
    let numbers = |of: fn(&(String, u64, u64)) -> u64| acknowledged.iter().map(of).collect::<Vec<_>>();
    for numbers in [numbers(|(_, sequence, _)| *sequence), numbers(|(.., revision)| *revision)] {
        assert!(numbers.is_sorted_by(|one, next| one < next), "a number was given twice, or went back");
    }
}
