//! From one process to the next without a moment in which nobody listens: the process that serves waits
//! at a socket of its user's own; the one that follows asks there for the sockets that listen, starts on
//! them, and says so once it serves; then the first one finishes what it is at. Whatever goes wrong
//! before that, the first one serves on.
//!
//! What is said: messages of two bytes, the version and whether more follow, with the sockets beside
//! them; then one byte back. Nobody but processes of the same user, and root, is given anything.

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg};
use std::fs::Permissions;
use std::io::{Error, ErrorKind, IoSlice, IoSliceMut, Result, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixListener;

const VERSION: u8 = 1;
/// What the process that follows says once it serves.
const SERVING: u8 = b's';
/// The system takes 253 in one message.
const AT_ONCE: usize = 128;
/// No process has so many sockets that listen.
const MOST: usize = 65_536;
/// How long the process that serves may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The next process ends by itself when it is not ready within a minute; beyond that nobody waits for it.
const READY_WITHIN: Duration = Duration::from_secs(65);
/// How long to wait when a connection to the socket cannot be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The process that serves, as the one that follows it sees it.
#[derive(Debug)]
pub(super) struct Predecessor {
    stream: UnixStream,
}

impl Predecessor {
    /// Asks at the socket for the sockets that listen; nothing if nobody is there. What is there and is no
    /// socket is an error, for it would be replaced.
    pub(super) fn find(path: &Path) -> Result<Option<(Self, Vec<TcpListener>)>> {
        require_no_other(path)?;
        let stream = match UnixStream::connect(path) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut listeners = Vec::new();
        while receive(&stream, &mut listeners)? {
            if listeners.len() > MOST {
                return Err(Error::new(ErrorKind::InvalidData, "the process that serves gives too many sockets"));
            }
        }
        Ok(Some((Self { stream }, listeners)))
    }

    /// Says that its work is taken over.
    pub(super) fn relieve(mut self) -> Result<()> {
        self.stream.write_all(&[SERVING])
    }
}

/// Fails where something is that is no socket. A link is none: it would be replaced, not what it leads to.
pub(super) fn require_no_other(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::AlreadyExists, "what is there is no socket, remove it or write another path")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes one message; whether more follow.
fn receive(stream: &UnixStream, listeners: &mut Vec<TcpListener>) -> Result<bool> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut said = [0_u8; 2];
    let received = recvmsg(stream, &mut [IoSliceMut::new(&mut said)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(sockets) = message {
            listeners.extend(sockets.map(TcpListener::from));
        }
    }
    match (received.bytes, said) {
        (2, [VERSION, more @ (0 | 1)]) => Ok(more == 1),
        (0, _) => Err(Error::new(ErrorKind::UnexpectedEof, "the process that serves gives nothing")),
        _ => Err(Error::new(ErrorKind::InvalidData, "the process that serves speaks another version")),
    }
}

/// The place at which the process that follows is awaited, and what it is given.
#[derive(Debug)]
pub(super) struct HandOver {
    listener: UnixListener,
    path: PathBuf,
    /// Where the socket is made, to be moved to its place.
    made_at: PathBuf,
    is_in_place: bool,
    kept: Vec<TcpListener>,
}

impl Drop for HandOver {
    fn drop(&mut self) {
        // In its place it stays: the next process puts its own there, or finds that nobody answers.
        if !self.is_in_place {
            let _ = std::fs::remove_file(&self.made_at);
        }
    }
}

impl HandOver {
    /// Makes the socket; it is not in its place yet, where that of another process may still be.
    pub(super) fn prepare(path: &Path, kept: Vec<TcpListener>) -> Result<Self> {
        let made_at = path.with_added_extension(std::process::id().to_string());
        require_no_other(&made_at)?;
        // Of a process of the same number that ended long ago.
        match std::fs::remove_file(&made_at) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&made_at)?;
        let made = Self { listener, path: path.to_owned(), made_at, is_in_place: false, kept };
        std::fs::set_permissions(&made.made_at, Permissions::from_mode(0o600))?;
        Ok(made)
    }

    /// Puts the socket in its place: from now on this process is the one that is followed.
    pub(super) fn begin(&mut self) -> Result<()> {
        // It may have come since the start.
        require_no_other(&self.path)?;
        std::fs::rename(&self.made_at, &self.path)?;
        self.is_in_place = true;
        Ok(())
    }

    /// Ends once another process has taken over and serves.
    pub(super) async fn followed(&self) {
        loop {
            match self.give().await {
                Ok(true) => return,
                Ok(false) => tracing::warn!("a process that wanted to take over does not serve, this one goes on"),
                Err(error) => {
                    tracing::warn!(%error, "the sockets could not be handed over, this process goes on");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Gives the sockets to the next process that asks; whether it serves by them.
    async fn give(&self) -> Result<bool> {
        let (mut stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?.uid();
        let own = rustix::process::geteuid().as_raw();
        if peer != own && peer != 0 {
            return Err(Error::new(ErrorKind::PermissionDenied, "a process of another user asked for them"));
        }
        let mut messages = self.kept.chunks(AT_ONCE).peekable();
        // Without a single socket there is still a message, which says so.
        let mut of_message = messages.next().unwrap_or_default();
        loop {
            let following = messages.next();
            let said = [VERSION, u8::from(following.is_some())];
            stream.async_io(Interest::WRITABLE, || send(stream.as_fd(), &said, of_message)).await?;
            match following {
                Some(next) => of_message = next,
                None => break,
            }
        }
        tracing::info!(sockets = self.kept.len(), "another process takes over");
        let mut answer = [0_u8; 1];
        // One that says nothing must not keep the next from taking over.
        let said = tokio::time::timeout(READY_WITHIN, stream.read(&mut answer))
            .await
            .map_err(|_| Error::new(ErrorKind::TimedOut, "the other process did not say that it serves"))?;
        Ok(said? == 1 && answer == [SERVING])
    }
}

fn send(stream: BorrowedFd<'_>, said: &[u8], listeners: &[TcpListener]) -> Result<()> {
    let sockets: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !beside.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(Error::other("too many sockets for one message"));
    }
    let sent = sendmsg(stream, &[IoSlice::new(said)], &mut beside, SendFlags::NOSIGNAL)?;
    if sent == said.len() { Ok(()) } else { Err(Error::from(ErrorKind::WriteZero)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixListener as StdUnixListener;

    fn here() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hand-over");
        (folder, path)
    }

    async fn found(path: &Path) -> Result<Option<(Predecessor, Vec<TcpListener>)>> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || Predecessor::find(&path)).await.unwrap()
    }

    #[tokio::test]
    async fn more_sockets_than_fit_into_a_message_all_arrive_and_still_listen() {
        let (_folder, path) = here();
        let kept: Vec<_> = (0..300).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<_> = kept.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let mut place = HandOver::prepare(&path, kept).unwrap();
        assert!(found(&path).await.unwrap().is_none());
        place.begin().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let following = tokio::spawn(async move {
            place.followed().await;
            drop(place);
        });
        // One that gives up changes nothing.
        drop(found(&path).await.unwrap().unwrap());
        let (predecessor, listeners) = found(&path).await.unwrap().unwrap();
        assert!(!following.is_finished());
        predecessor.relieve().unwrap();
        following.await.unwrap();
        let arrived: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        assert_eq!(arrived, addresses);
        std::net::TcpStream::connect(addresses[299]).unwrap();
        // The socket that is left behind belongs to nobody.
        assert!(found(&path).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_neither_asked_nor_replaced() {
        let (folder, path) = here();
        std::fs::write(folder.path().join("else"), "kept").unwrap();
        let mut place = HandOver::prepare(&path, Vec::new()).unwrap();
        std::os::unix::fs::symlink("else", &path).unwrap();
        for _ in 0..2 {
            assert_eq!(found(&path).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(place.begin().unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
            // Not a link any more, but a file.
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, "kept").unwrap();
        }
        std::fs::remove_file(&path).unwrap();
        place.begin().unwrap();
    }

    #[tokio::test]
    async fn a_file_where_the_socket_is_to_be_made_is_not_removed() {
        let (_folder, path) = here();
        let made_at = path.with_added_extension(std::process::id().to_string());
        std::fs::write(&made_at, "kept").unwrap();
        assert!(HandOver::prepare(&path, Vec::new()).is_err());
        assert_eq!(std::fs::read_to_string(&made_at).unwrap(), "kept");
    }

    #[tokio::test]
    async fn a_socket_that_never_came_into_its_place_leaves_nothing_behind() {
        let (folder, path) = here();
        drop(HandOver::prepare(&path, Vec::new()).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut place = HandOver::prepare(&path, Vec::new()).unwrap();
        place.begin().unwrap();
        drop(place);
        // Another process may have put its own there meanwhile.
        assert!(path.exists());
    }

    #[tokio::test]
    async fn one_that_asks_and_says_nothing_is_not_waited_for_longer_than_a_start_may_take() {
        let (_folder, path) = here();
        let mut place = HandOver::prepare(&path, vec![TcpListener::bind("127.0.0.1:0").unwrap()]).unwrap();
        place.begin().unwrap();
        let mut silent = UnixStream::connect(&path).unwrap();
        let following = tokio::spawn(async move { place.followed().await });
        let silent = tokio::task::spawn_blocking(move || silent.read_exact(&mut [0; 2]).map(|()| silent)).await.unwrap().unwrap();
        // It was given the sockets, and its answer is awaited.
        tokio::time::pause();
        tokio::time::advance(READY_WITHIN).await;
        tokio::time::resume();
        let (predecessor, listeners) = found(&path).await.unwrap().unwrap();
        assert_eq!(listeners.len(), 1);
        predecessor.relieve().unwrap();
        following.await.unwrap();
        drop(silent);
    }

    #[tokio::test]
    async fn a_process_that_says_something_else_is_not_followed() {
        for said in [&b""[..], &[VERSION + 1, 0], &[VERSION, 2], &[VERSION]] {
            let (_folder, path) = here();
            let listener = StdUnixListener::bind(&path).unwrap();
            let asking = tokio::task::spawn_blocking({
                let path = path.clone();
                move || Predecessor::find(&path)
            });
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(said).unwrap();
            drop(stream);
            assert!(asking.await.unwrap().is_err(), "{said:?}");
        }
    }
}
