//! A PostgreSQL server that the tests of one binary share, and a database of its own for each.

#![allow(dead_code, unreachable_pub, reason = "nouns are shared, and no test binary uses every one")]

use sqlx::{Connection, PgConnection};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/postgres");

/// A server. It ends with this process, however that ends: it waits for the end of its standard input.
pub struct Postgres {
    /// Of a database that nobody uses.
    url: String,
    _server: Mutex<Child>,
}

static SHARED: OnceLock<Postgres> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Postgres {
    /// The server that all tests of this binary share.
    pub fn shared() -> &'static Self {
        SHARED.get_or_init(Self::serve)
    }

    fn serve() -> Self {
        let directory = tempfile::tempdir().unwrap().keep();
        let mut command = Command::new(SCRIPT);
        command.arg("serve").arg(&directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let url = first_line(&mut server);
        Self { url, _server: Mutex::new(server) }
    }

    /// The URL of a new, empty database on the shared server. Its password is never asked for, and should never be seen.
    pub async fn database() -> String {
        let server = tokio::task::spawn_blocking(Self::shared).await.unwrap();
        let name = format!("test_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&server.url).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let (rest, _) = server.url.rsplit_once('/').unwrap();
        format!("{}/{name}", rest.replacen("postgres@", "postgres:canary@", 1))
    }

    /// Starts a server of its own in a directory, or starts the one there again; its URL.
    pub fn start(directory: &Path) -> String {
        run("start", directory)
    }

    /// Lets the server in a directory crash.
    pub fn crash(directory: &Path) {
        run("stop", directory);
    }
}

fn run(command: &str, directory: &Path) -> String {
    let output = Command::new(SCRIPT).arg(command).arg(directory).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "`postgres {command}` failed");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "the server did not start");
    line.trim().to_owned()
}
