//! `[process]`: how the process ends and is followed by the next one; and what the service manager that
//! started it says in the environment. Systemd's words are understood, and nobody else's.

use super::reader::Section;
use super::values::{duration_or, path, some_duration_or};
use listenfd::ListenFd;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

/// `[process]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// How long it goes on as before once it is told to stop, not ready any more.
    pub notice: Duration,
    /// How long running answers may then take to finish.
    pub grace: Duration,
    /// Where the next process takes the listening sockets over; nowhere if absent.
    pub hand_over: Option<PathBuf>,
}

impl Process {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.section_or_empty("process");
        let process = Self {
            notice: duration_or(&section, "notice", "0s"),
            grace: some_duration_or(&section, "grace", "30s"),
            hand_over: section.parsed("hand_over", "write the path of a socket", path),
        };
        section.finish();
        process
    }
}

/// What the service manager that started the process gives to it.
#[derive(Debug, Default)]
pub struct ServiceManager {
    /// Sockets that listen already (`LISTEN_FDS`).
    pub listeners: Vec<TcpListener>,
    /// Where it wants to be told how the process does (`NOTIFY_SOCKET`); `@` stands before an abstract name.
    pub notify_socket: Option<String>,
    /// How long it waits for a sign of life before it ends the process (`WATCHDOG_USEC`).
    pub watchdog: Option<Duration>,
}

impl ServiceManager {
    /// What the environment of this process says.
    ///
    /// # Errors
    /// When what was passed as a listening socket is none.
    pub fn of_this_process() -> std::io::Result<Self> {
        let mut passed = ListenFd::from_env();
        let mut listeners = Vec::with_capacity(passed.len());
        for place in 0..passed.len() {
            listeners.extend(passed.take_tcp_listener(place)?);
        }
        let said = Self::said(&super::process_environment(), std::process::id());
        Ok(Self { listeners, ..said })
    }

    /// What these variables say to the process of this number.
    fn said(variables: &[(String, String)], process: u32) -> Self {
        let variable = |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty());
        // Inherited from a parent that is watched, it is not meant for us.
        let is_ours = variable("WATCHDOG_PID").is_none_or(|id| id.parse() == Ok(process));
        let watchdog = variable("WATCHDOG_USEC").filter(|_| is_ours).and_then(|text| text.parse().ok()).filter(|micros| *micros > 0);
        Self {
            listeners: Vec::new(),
            notify_socket: variable("NOTIFY_SOCKET").map(str::to_owned),
            watchdog: watchdog.map(Duration::from_micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(variables: &[(&str, &str)]) -> ServiceManager {
        let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ServiceManager::said(&variables, 7)
    }

    #[test]
    fn a_watchdog_that_is_meant_for_another_process_is_none() {
        assert_eq!(said(&[("WATCHDOG_USEC", "2000000")]).watchdog, Some(Duration::from_secs(2)));
        assert_eq!(said(&[("WATCHDOG_USEC", "2000000"), ("WATCHDOG_PID", "7")]).watchdog, Some(Duration::from_secs(2)));
        for others in [&[("WATCHDOG_USEC", "2000000"), ("WATCHDOG_PID", "8")][..], &[("WATCHDOG_USEC", "0")], &[("WATCHDOG_USEC", "soon")], &[]] {
            assert_eq!(said(others).watchdog, None, "{others:?}");
        }
    }

    #[test]
    fn nobody_is_told_without_a_socket() {
        assert_eq!(said(&[("NOTIFY_SOCKET", "")]).notify_socket, None);
        assert_eq!(said(&[("NOTIFY_SOCKET", "@x")]).notify_socket.as_deref(), Some("@x"));
    }
}
