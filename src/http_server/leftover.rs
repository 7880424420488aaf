//! What is left of a request's body when its answer is made. A small rest is read to its end, so that
//! the connection can serve the next request; of a large one, or one that waits for leave to come,
//! nothing is read, and the connection must be closed, announced.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::timeout;

/// What is read of a rest, at most.
const LARGEST: u64 = 64 * 1024;
/// For how long, at most.
const PATIENCE: Duration = Duration::from_millis(500);

/// A body on loan: whoever reads it may drop it before its end.
pub(super) struct Lent<B>(Arc<Mutex<B>>);

/// The other hold on a lent body.
pub(super) struct Leftover<B>(Arc<Mutex<B>>);

/// Lends a body.
pub(super) fn lend<B>(body: B) -> (Lent<B>, Leftover<B>) {
    let shared = Arc::new(Mutex::new(body));
    (Lent(Arc::clone(&shared)), Leftover(shared))
}

impl<B: Body<Data = Bytes> + Unpin> Leftover<B> {
    /// Whether the body is at its end, be it that its rest was read now. `is_awaited` says that the
    /// client sends nothing before it is told to (`Expect`).
    pub(super) async fn is_drained(&self, is_awaited: bool) -> bool {
        let (is_ended, upper) = {
            let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            (body.is_end_stream(), body.size_hint().upper())
        };
        if is_ended {
            return true;
        }
        if is_awaited || upper.is_none_or(|upper| upper > LARGEST) {
            return false;
        }
        timeout(PATIENCE, poll_fn(|context| self.poll_end(context))).await.unwrap_or(false)
    }

    fn poll_end(&self, context: &mut Context<'_>) -> Poll<bool> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match ready!(Pin::new(&mut *body).poll_frame(context)) {
                None => return Poll::Ready(true),
                Some(Err(_)) => return Poll::Ready(false),
                Some(Ok(_)) => {}
            }
        }
    }
}

impl<B: Body + Unpin> Body for Lent<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    #[tokio::test]
    async fn a_small_rest_is_read_to_its_end() {
        let (lent, left) = lend(Full::new(Bytes::from_static(b"abc")));
        drop(lent);
        assert!(left.is_drained(false).await);
        assert!(left.0.lock().unwrap().is_end_stream());
    }

    #[tokio::test]
    async fn what_was_read_needs_no_draining_even_if_it_was_large() {
        let (lent, left) = lend(Full::new(Bytes::from(vec![0; 100_000])));
        assert_eq!(lent.collect().await.unwrap().to_bytes().len(), 100_000);
        assert!(left.is_drained(false).await);
    }

    #[tokio::test]
    async fn a_large_or_awaited_or_endless_rest_is_left() {
        assert!(!lend(Full::new(Bytes::from(vec![0; 65_537]))).1.is_drained(false).await);
        assert!(!lend(Full::new(Bytes::from_static(b"abc"))).1.is_drained(true).await);
        assert!(!lend(Unmeasured).1.is_drained(false).await);
    }

    /// A body whose length is not known.
    struct Unmeasured;

    impl Body for Unmeasured {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }
}
