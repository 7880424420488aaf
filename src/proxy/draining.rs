//! The connections of one thread, so that each can be told to finish and the last one be awaited.
//! Between the first byte and the shutdown it costs a connection one look at a flag per poll.

use crate::door::PARTING;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Who is here, and whether they are asked to leave.
#[derive(Default)]
pub(super) struct Draining {
    is_begun: Cell<bool>,
    next: Cell<u64>,
    guests: RefCell<HashMap<u64, Option<Waker>>>,
    host: RefCell<Option<Waker>>,
}

/// A connection's place among the guests; given up on drop.
pub(super) struct Guest<'a> {
    draining: &'a Draining,
    number: u64,
    is_registered: bool,
}

impl Draining {
    /// A new connection comes in.
    pub(super) fn enter(&self) -> Guest<'_> {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        self.guests.borrow_mut().insert(number, None);
        Guest { draining: self, number, is_registered: false }
    }

    /// Asks everybody to finish and leave.
    pub(super) fn begin(&self) {
        self.is_begun.set(true);
        for waker in self.guests.borrow_mut().values_mut().filter_map(Option::take) {
            waker.wake();
        }
    }

    /// Waits until the last connection is gone.
    pub(super) async fn emptied(&self) {
        poll_fn(|context| {
            if self.guests.borrow().is_empty() {
                return Poll::Ready(());
            }
            *self.host.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Guest<'_> {
    /// Whether this connection is to finish; remembers its task for the moment when it is.
    pub(super) fn is_asked_to_leave(&mut self, context: &Context<'_>) -> bool {
        if !self.is_registered {
            self.is_registered = true;
            self.draining.guests.borrow_mut().insert(self.number, Some(context.waker().clone()));
        }
        self.draining.is_begun.get()
    }

    /// Works at something that is not worth waiting for: `None` some time after it was asked to leave.
    pub(super) async fn unless_asked<F: Future>(&mut self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        let mut parting = None;
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if !self.is_asked_to_leave(context) {
                return Poll::Pending;
            }
            let parting = parting.get_or_insert_with(|| Box::pin(tokio::time::sleep(PARTING)));
            parting.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let mut guests = self.draining.guests.borrow_mut();
        guests.remove(&self.number);
        if guests.is_empty()
            && let Some(host) = self.draining.host.borrow_mut().take()
        {
            host.wake();
        }
    }
}
