//! The listening sockets of the process: those that it was given when it started, and those that it
//! keeps to give to the process that follows. A socket that is handed over never stops to listen, so
//! nobody who connects in that moment is lost.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;

/// Sockets that were given and are not taken yet, and copies of those that are to be given.
#[derive(Debug, Default)]
pub struct Sockets {
    given: Vec<(SocketAddr, TcpListener)>,
    kept: Option<Vec<TcpListener>>,
}

impl Sockets {
    /// Begins with what was given; with `are_kept` a copy of every socket in use is kept.
    ///
    /// # Errors
    /// When one of them is no socket that listens at an address.
    pub fn new(given: Vec<TcpListener>, are_kept: bool) -> std::io::Result<Self> {
        let named = |listener: TcpListener| {
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>((listener.local_addr()?, listener))
        };
        Ok(Self { given: given.into_iter().map(named).collect::<Result<_, _>>()?, kept: are_kept.then(Vec::new) })
    }

    /// The addresses of what was given and nobody took.
    pub fn untaken(&self) -> impl Iterator<Item = SocketAddr> {
        self.given.iter().map(|(address, _)| *address)
    }

    /// The copies, for the process that follows.
    #[must_use]
    pub fn into_kept(self) -> Vec<TcpListener> {
        self.kept.unwrap_or_default()
    }

    /// The sockets that were given for this address, one for each thread; nothing if there are none.
    pub(super) fn take(&mut self, address: SocketAddr, threads: NonZeroUsize) -> std::io::Result<Option<Vec<Vec<TcpListener>>>> {
        let is_meant = |(given, _): &mut (SocketAddr, TcpListener)| *given == address;
        let given: Vec<TcpListener> = self.given.extract_if(.., is_meant).map(|(_, listener)| listener).collect();
        if given.is_empty() { Ok(None) } else { spread(given, threads).map(Some) }
    }

    /// Keeps a copy of a socket in use.
    pub(super) fn keep(&mut self, listener: &TcpListener) -> std::io::Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.push(listener.try_clone()?);
        }
        Ok(())
    }
}

/// Every socket has a thread that accepts from it, and every thread a socket: where there are fewer
/// sockets than threads, threads share them.
fn spread(given: Vec<TcpListener>, threads: NonZeroUsize) -> std::io::Result<Vec<Vec<TcpListener>>> {
    let shared = given.iter().cycle().skip(given.len()).take(threads.get().saturating_sub(given.len()));
    let shared = shared.map(TcpListener::try_clone).collect::<Result<Vec<_>, _>>()?;
    let mut of_threads: Vec<Vec<TcpListener>> = (0..threads.get()).map(|_| Vec::new()).collect();
    let mut place = 0;
    for listener in given.into_iter().chain(shared) {
        if let Some(of_thread) = of_threads.get_mut(place) {
            of_thread.push(listener);
        }
        place = (place + 1) % threads;
    }
    Ok(of_threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(given: usize, threads: usize) -> Vec<usize> {
        let given = (0..given).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        spread(given, NonZeroUsize::new(threads).unwrap()).unwrap().iter().map(Vec::len).collect()
    }

    #[test]
    fn every_thread_has_a_socket_and_every_socket_a_thread() {
        for (given, threads, expected) in [(1, 1, vec![1]), (1, 3, vec![1, 1, 1]), (2, 3, vec![1, 1, 1]), (3, 2, vec![2, 1]), (4, 2, vec![2, 2])] {
            assert_eq!(counts(given, threads), expected, "{given} on {threads}");
        }
    }
}
