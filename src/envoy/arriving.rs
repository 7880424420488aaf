//! Messages on their way in: each comes whole in time, and those of a connection that have not come whole
//! take no more room than is allowed. It reads how long a message is, and nothing of what it says.

use super::presence::{Held, Presence};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;
use tonic::Status;

/// Whether a message is compressed, and its length in four bytes, come before it.
const PREFIX: usize = 5;

/// What messages may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Time for a whole message.
    pub(super) time: Duration,
    /// Bytes of all messages of a connection that have not come whole.
    pub(super) bytes: usize,
}

/// The body of a request, with its messages.
pub(super) struct Arriving<B> {
    body: B,
    bounds: Bounds,
    held: Held,
    /// Where messages end; nothing where there is to be but one, which ends with the body.
    marks: Option<Marks>,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// How far a row of messages was read.
#[derive(Debug, Default)]
struct Marks {
    has_begun: bool,
    prefix: [u8; PREFIX],
    in_prefix: usize,
    /// What is to come of the message behind its prefix.
    left: usize,
    /// What has come of it.
    came: usize,
}

impl<B> Arriving<B> {
    /// One message, which comes with the whole body.
    pub(super) fn one(body: B, presence: &Presence, bounds: Bounds) -> Self {
        Self { body, bounds, held: presence.held(), marks: None, deadline: None }
    }

    /// A row of messages, between which there may be any time.
    pub(super) fn row(body: B, presence: &Presence, bounds: Bounds) -> Self {
        Self { marks: Some(Marks::default()), ..Self::one(body, presence, bounds) }
    }

    /// More has come.
    fn note(&mut self, data: &[u8]) -> Result<(), Status> {
        let bytes = match &mut self.marks {
            None => self.held.bytes().saturating_add(data.len()),
            Some(marks) => {
                if marks.read(data) {
                    self.deadline = None;
                }
                marks.unfinished()
            }
        };
        if self.held.set(bytes) > self.bounds.bytes {
            return Err(Status::resource_exhausted("too many messages are unfinished at once"));
        }
        Ok(())
    }

    /// Nothing more is here for now.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        if self.marks.as_ref().is_some_and(Marks::is_between) {
            self.deadline = None;
            return Poll::Pending;
        }
        let time = self.bounds.time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        deadline.as_mut().poll(context).map(|()| Status::deadline_exceeded("the message did not come in time"))
    }
}

impl Marks {
    /// Reads on; says whether a message came to its end.
    fn read(&mut self, mut data: &[u8]) -> bool {
        let mut has_ended = false;
        while let Some((first, rest)) = data.split_first() {
            self.has_begun = true;
            if let Some(place) = self.prefix.get_mut(self.in_prefix) {
                *place = *first;
                self.in_prefix += 1;
                data = rest;
                let [_, length @ ..] = self.prefix;
                self.left = if self.in_prefix == PREFIX { usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX) } else { 0 };
            } else {
                let count = self.left.min(data.len());
                self.left -= count;
                self.came = self.came.saturating_add(count);
                data = data.get(count..).unwrap_or_default();
            }
            if self.in_prefix == PREFIX && self.left == 0 {
                *self = Self { has_begun: true, ..Self::default() };
                has_ended = true;
            }
        }
        has_ended
    }

    /// The bytes of the message that has not come whole.
    fn unfinished(&self) -> usize {
        self.in_prefix.saturating_add(self.came)
    }

    /// Whether a message has ended and no other has begun.
    fn is_between(&self) -> bool {
        self.has_begun && self.in_prefix == 0
    }
}

impl<B: Body<Data = Bytes, Error = Status> + Unpin> Body for Arriving<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            return self.wait(context).map(|late| Some(Err(late)));
        };
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref())
            && let Err(too_much) = self.note(data)
        {
            return Poll::Ready(Some(Err(too_much)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u8) -> Vec<u8> {
        [vec![0, 0, 0, 0, length], vec![7; length.into()]].concat()
    }

    #[test]
    fn the_end_of_a_message_is_found_however_it_comes() {
        let row = [message(3), message(0), message(200), message(1)].concat();
        for size in 1..row.len() {
            let (mut marks, mut ends) = (Marks::default(), 0);
            for piece in row.chunks(size) {
                ends += usize::from(marks.read(piece));
            }
            assert!(marks.is_between() && marks.unfinished() == 0 && ends > 0, "{size}");
        }
    }

    #[test]
    fn what_has_come_of_a_message_is_counted() {
        let mut marks = Marks::default();
        assert!(!marks.is_between());
        for (piece, unfinished) in [(&[0, 0][..], 2), (&[0, 0], 4), (&[9], 5), (&[1, 1, 1], 8)] {
            assert!(!marks.read(piece) && !marks.is_between());
            assert_eq!(marks.unfinished(), unfinished);
        }
        assert!(marks.read(&[1; 8]));
        assert_eq!((marks.unfinished(), marks.is_between()), (2, false));
    }

    #[test]
    fn what_is_held_is_given_up() {
        let presence = Presence::default();
        let (mut one, mut other) = (presence.held(), presence.held());
        assert_eq!((one.set(5), other.set(7), one.set(2)), (5, 12, 9));
        drop(one);
        assert_eq!(other.set(8), 8);
    }
}
