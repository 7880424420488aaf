//! Tells the service manager how the process does, in systemd's words (`sd_notify`): when it is ready,
//! what is missing until then, when it stops, and that it is alive. It listens to nothing.

use crate::admin::Admin;
use crate::observe::clock;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How often it is looked whether the process is ready.
const LOOK: Duration = Duration::from_millis(100);

/// The service manager's ear.
#[derive(Debug)]
pub(super) struct Supervisor {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Supervisor {
    /// The socket of this name; `@` stands before an abstract one.
    pub(super) fn at(name: &str) -> std::io::Result<Self> {
        let address = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address })
    }

    /// Says when the process is ready and, until then, what is missing; then, and before, that it is
    /// alive, twice as often as the watchdog wants to hear it.
    pub(super) async fn follow(&self, admin: Admin, watchdog: Option<Duration>) {
        tokio::join!(self.until_ready(&admin), self.keep_alive(watchdog));
    }

    async fn until_ready(&self, admin: &Admin) {
        let mut told = String::new();
        loop {
            let missing = admin.missing(clock::now());
            if missing.is_empty() {
                // The process of this number is the one to look after: it may have taken over from another.
                self.say(&format!("READY=1\nMAINPID={}\nSTATUS=ready\n", std::process::id()));
                return;
            }
            let status = missing.join(", ");
            if status != told {
                self.say(&format!("STATUS={status}\n"));
                told = status;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn keep_alive(&self, watchdog: Option<Duration>) {
        let Some(patience) = watchdog else { return };
        loop {
            self.say("WATCHDOG=1\n");
            tokio::time::sleep(patience / 2).await;
        }
    }

    /// Says that the process begins to stop.
    pub(super) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=running answers finish\n");
    }

    /// A service manager that does not listen has itself to blame.
    fn say(&self, words: &str) {
        if let Err(error) = self.socket.send_to_addr(words.as_bytes(), &self.address) {
            tracing::debug!(%error, "the service manager does not listen");
        }
    }
}
