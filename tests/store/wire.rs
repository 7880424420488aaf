//! A wire between the store and PostgreSQL that a test can cut, freeze and mend.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Carries them.
    Whole,
    /// Carries nothing, and lets nobody know.
    Frozen,
    /// Ends every connection, and refuses new ones.
    Cut,
    /// Carries a `COMMIT` to the server, and is cut before the answer.
    CutAfterCommit,
}

/// A wire to a server.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    mood: Arc<watch::Sender<Mood>>,
    /// How often what was connected was left to itself.
    abandoned: Arc<watch::Sender<u32>>,
}

impl Wire {
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::new(watch::Sender::new(Mood::Whole));
        let own = Arc::clone(&mood);
        let abandoned = Arc::new(watch::Sender::new(0));
        let abandoning = Arc::clone(&abandoned);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *own.borrow() == Mood::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                tokio::spawn(carry(client, server, Arc::clone(&own), abandoning.subscribe()));
            }
        });
        Self { address, mood, abandoned }
    }

    /// From now on nothing is carried over what is connected, as when the other machine is gone; new connections are whole.
    pub(crate) fn abandon(&self) {
        self.abandoned.send_modify(|count| *count += 1);
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    pub(crate) async fn reaches(&self, mood: Mood) {
        self.mood.subscribe().wait_for(|now| *now == mood).await.unwrap();
    }
}

async fn carry(client: TcpStream, server: TcpStream, mood: Arc<watch::Sender<Mood>>, mut abandoned: watch::Receiver<u32>) {
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = mood.subscribe();
    // They live on when they are left: nobody sees the connection end.
    let (there, back) = (pump(from_client, to_server, &mood, true), pump(from_server, to_client, &mood, false));
    tokio::pin!(there, back);
    tokio::select! {
        () = &mut there => {}
        () = &mut back => {}
        () = async { drop(cut.wait_for(|mood| *mood == Mood::Cut).await) } => {}
        _ = abandoned.changed() => std::future::pending().await,
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mood: &watch::Sender<Mood>, is_to_server: bool) {
    let mut buffer = vec![0; 65_536];
    let mut moods = mood.subscribe();
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if moods.wait_for(|mood| *mood != Mood::Frozen).await.is_err() {
            return;
        }
        let bytes = &buffer[..count];
        if to.write_all(bytes).await.is_err() {
            return;
        }
        let is_commit = is_to_server && bytes.windows(6).any(|window| window == b"COMMIT");
        if is_commit && *mood.borrow() == Mood::CutAfterCommit {
            mood.send_replace(Mood::Cut);
        }
    }
}
