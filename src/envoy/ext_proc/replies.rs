//! The messages to Envoy. They end cleanly only when that was said: a sender that is dropped, in
//! whatever way, ends them in an error.

use super::wire::Halt;
use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tonic::Status;
use tonic::codegen::tokio_stream::Stream;

/// How many messages may wait for Envoy: it sets the pace.
const WAITING: usize = 4;

/// What Envoy reads.
pub(crate) struct Replies {
    receiver: mpsc::Receiver<Item>,
    is_over: bool,
}

/// Where messages are put in.
pub(super) struct Sender(mpsc::Sender<Item>);

enum Item {
    Reply(Box<ProcessingResponse>),
    End,
}

/// A sender and its messages.
pub(super) fn channel() -> (Sender, Replies) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Sender(sender), Replies { receiver, is_over: false })
}

impl Sender {
    /// Sends a message, once there is room for it.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) async fn send(&self, reply: ProcessingResponse) -> Result<(), Halt> {
        self.0.send(Item::Reply(Box::new(reply))).await.map_err(|_| Halt::Gone)
    }

    /// The call is over, and so are the messages.
    pub(super) async fn end(self) {
        let _ = self.0.send(Item::End).await;
    }
}

impl Stream for Replies {
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let item = ready!(self.receiver.poll_recv(context));
        Poll::Ready(match item {
            Some(Item::Reply(reply)) => Some(Ok(*reply)),
            Some(Item::End) => {
                self.is_over = true;
                None
            }
            None => {
                self.is_over = true;
                Some(Err(Status::aborted("the call cannot go on")))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::codegen::tokio_stream::StreamExt;

    #[tokio::test]
    async fn only_an_end_that_was_said_is_clean() {
        let (sender, mut replies) = channel();
        sender.send(ProcessingResponse::default()).await.unwrap();
        drop(sender);
        assert!(replies.next().await.unwrap().is_ok());
        assert!(replies.next().await.unwrap().is_err());
        assert!(replies.next().await.is_none());

        let (sender, mut replies) = channel();
        sender.end().await;
        assert!(replies.next().await.is_none());
    }
}
