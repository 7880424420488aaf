//! Clients that ask the same thing over and over, and remember what they heard and when.

use super::client::{Answer, Client};
use super::within;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// One answer, and the phases of the test in which it was asked for and in which it was all there.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The phase at the question.
    pub from: usize,
    /// The phase at the end of the answer.
    pub to: usize,
    /// The status.
    pub status: u16,
    /// Whether it came to its end.
    pub is_whole: bool,
    /// What it says, in a word.
    pub word: String,
}

/// Clients at work.
pub struct Load {
    heard: Arc<Mutex<Vec<Heard>>>,
    phase: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    news: Arc<Notify>,
    clients: JoinSet<()>,
}

impl Load {
    /// So many clients that send this request to this address; `read` says an answer in a word.
    pub fn start(clients: usize, address: SocketAddr, request: &str, read: fn(&Answer) -> String) -> Self {
        let mut load = Self { heard: Arc::default(), phase: Arc::default(), is_over: Arc::default(), news: Arc::default(), clients: JoinSet::new() };
        for _ in 0..clients {
            let (heard, phase, is_over, news) = (Arc::clone(&load.heard), Arc::clone(&load.phase), Arc::clone(&load.is_over), Arc::clone(&load.news));
            let request = request.to_owned();
            load.clients.spawn(async move {
                let mut client = Client::connect(address).await;
                while !is_over.load(Ordering::SeqCst) {
                    let from = phase.load(Ordering::SeqCst);
                    client.send(&request).await;
                    let answer = client.answer().await;
                    let to = phase.load(Ordering::SeqCst);
                    let is_last = !answer.is_whole || answer.header("connection") == Some("close");
                    heard.lock().unwrap().push(Heard { from, to, status: answer.status, is_whole: answer.is_whole, word: read(&answer) });
                    news.notify_one();
                    if is_last {
                        client = Client::connect(address).await;
                    }
                }
            });
        }
        load
    }

    /// Begins the next phase.
    pub fn next_phase(&self) -> usize {
        self.phase.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Waits until so many answers of this kind were asked for in the phase that lasts.
    pub async fn hear(&self, count: usize, kind: impl Fn(&Heard) -> bool) {
        let phase = self.phase.load(Ordering::SeqCst);
        within(async {
            while self.heard.lock().unwrap().iter().filter(|heard| heard.from == phase && kind(heard)).count() < count {
                self.news.notified().await;
            }
        })
        .await;
    }

    /// Ends it and says everything that was heard.
    pub async fn stop(mut self) -> Vec<Heard> {
        self.is_over.store(true, Ordering::SeqCst);
        while let Some(client) = within(self.clients.join_next()).await {
            client.unwrap();
        }
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}
