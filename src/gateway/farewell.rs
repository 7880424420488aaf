//! The end of a running gateway, and what the next process gets from it. New connections are refused, or
//! the next process has them; what runs is finished within a time, then it is cut.

use super::hand_over::{HandOver, Predecessor};
use super::{Gateway, GatewayError};
use crate::config::Config;
use crate::door::Sockets;
use std::future::{Future, pending};
use std::net::TcpListener;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::Ordering;
use tokio::sync::watch;

/// Why a gateway ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told to.
    Told,
    /// Another process serves in its place.
    Followed,
}

impl Gateway {
    /// Serves until the future ends, or another process has taken over; then lets running answers finish
    /// within `process.grace`.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> End {
        self.run_until(shutdown, pending()).await
    }

    /// The same; what still runs is cut as soon as `cut` ends, which is awaited once the gateway was told
    /// to end. One that is followed is not told by that: the shutdown is awaited all the same, and does
    /// not lengthen the time that runs already.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>, cut: impl Future<Output = ()>) -> End {
        let Self { wiring, admin, process, serving, envoy, forward_auth, hand_over, supervisor, operators, mut tasks } = self;
        let mut shutdown = pin!(shutdown);
        let end = tokio::select! {
            () = &mut shutdown => End::Told,
            () = followed(hand_over.as_ref()) => End::Followed,
        };
        let (hurry, hurried) = watch::channel(false);
        let finish = async {
            if end == End::Followed {
                tracing::info!("another process serves in the place of this one, which finishes what runs");
                // Its sockets are the other process's, which is not stopping. Who was let in is answered still.
                operators.close();
            } else {
                admin.is_stopping.store(true, Ordering::Relaxed);
                if let Some(supervisor) = &supervisor {
                    supervisor.stopping();
                }
                let _ = tokio::time::timeout(process.notice, told(hurried.clone())).await;
            }
            // Copies of the sockets: with them the system would go on to take connections in.
            drop(hand_over);
            // The log is closed by its last holder, who then waits for it: that is to be a door.
            drop(wiring);
            let deadline = tokio::time::Instant::now() + process.grace;
            let until = || async {
                let _ = tokio::time::timeout_at(deadline, told(hurried.clone())).await;
            };
            let proxy = async {
                if let Some(serving) = serving {
                    serving.stop_by(until()).await;
                }
            };
            let envoy = async {
                if let Some(serving) = envoy {
                    serving.stop_by(until()).await;
                }
            };
            let forward_auth = async {
                if let Some(serving) = forward_auth {
                    serving.stop_by(until()).await;
                }
            };
            tokio::join!(proxy, envoy, forward_auth);
        };
        let hurrying = async {
            if end == End::Followed {
                // One word asks, two insist, here as elsewhere: whoever stops the old process once the
                // next one serves does not mean to lose its calls.
                shutdown.await;
                tracing::info!("told to stop: what runs has the rest of the time to finish, the next signal cuts it");
            }
            cut.await;
            hurry.send_replace(true);
            pending::<()>().await;
        };
        tokio::select! {
            () = finish => {}
            () = hurrying => {}
        }
        operators.end().await;
        tasks.shutdown().await;
        end
    }
}

async fn followed(hand_over: Option<&HandOver>) {
    match hand_over {
        Some(hand_over) => hand_over.followed().await,
        None => pending().await,
    }
}

async fn told(mut hurried: watch::Receiver<bool>) {
    let _ = hurried.wait_for(|is_told| *is_told).await;
}

/// The process that serves, if there is one, and the sockets that this one begins with.
pub(super) fn sockets(config: &Config, passed: Vec<TcpListener>) -> Result<(Option<Predecessor>, Sockets), GatewayError> {
    let path = config.process.hand_over.as_deref();
    let found = path.map(|path| Predecessor::find(path).map_err(unusable(path))).transpose()?.flatten();
    let (predecessor, taken) = found.map_or_else(|| (None, Vec::new()), |(predecessor, taken)| (Some(predecessor), taken));
    // Who took the sockets over has no use for the service manager's copies of the same.
    let given = if predecessor.is_some() { taken } else { passed };
    Ok((predecessor, Sockets::new(given, path.is_some()).map_err(GatewayError::ServiceManager)?))
}

/// Where the next process will be awaited.
pub(super) fn place(config: &Config, sockets: Sockets) -> Result<Option<HandOver>, GatewayError> {
    let path = config.process.hand_over.as_deref();
    path.map(|path| HandOver::prepare(path, sockets.into_kept()).map_err(unusable(path))).transpose()
}

/// Takes the place of the process that serves, if there is one: from now on this is the one to be followed.
pub(super) fn relieve(config: &Config, predecessor: Option<Predecessor>, hand_over: Option<&mut HandOver>) -> Result<(), GatewayError> {
    let (Some(path), Some(hand_over)) = (&config.process.hand_over, hand_over) else { return Ok(()) };
    hand_over.begin().map_err(unusable(path))?;
    if let Some(Err(error)) = predecessor.map(Predecessor::relieve) {
        tracing::warn!(%error, "the process that served is gone already");
    }
    Ok(())
}

fn unusable(path: &Path) -> impl Fn(std::io::Error) -> GatewayError {
    move |source| GatewayError::HandOver { path: path.to_owned(), source }
}
