//! A strict walk over JSON: key paths, every duplicate member, null as absent.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use super::super::dates::{Instant, parse_instant};
use super::json::Node;
use super::problems::{Place, Problem, Problems};

/// The problems found so far, and words that occur again and again, kept once.
#[derive(Default)]
pub(super) struct Findings {
    problems: RefCell<Problems>,
    words: RefCell<HashSet<Arc<str>, foldhash::fast::FixedState>>,
}

impl Findings {
    pub(super) fn report(&self, place: Place<'_>, message: impl AsRef<str>) {
        self.problems.borrow_mut().add(place, message.as_ref());
    }

    pub(super) fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Whether more was found than is said: then nothing of the document is worth keeping.
    pub(super) fn is_full(&self) -> bool {
        self.problems.borrow().is_full()
    }

    /// The first problems; a last one stands for those that are not said.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner().into_said()
    }

    pub(super) fn word(&self, text: &str) -> Arc<str> {
        let mut words = self.words.borrow_mut();
        if let Some(word) = words.get(text) {
            return Arc::clone(word);
        }
        let word: Arc<str> = text.into();
        words.insert(Arc::clone(&word));
        word
    }

    /// Reports every member that stands twice in one object, at any depth.
    pub(super) fn check_duplicates(&self, node: &Node<'_>, place: Place<'_>) {
        match node {
            Node::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.check_duplicates(item, place.item(index));
                }
            }
            Node::Object(members) => {
                self.check_members(members, place);
                for (name, value) in members {
                    self.check_duplicates(value, place.member(name));
                }
            }
            _ => {}
        }
    }

    fn check_members(&self, members: &[(Cow<'_, str>, Node<'_>)], place: Place<'_>) {
        let twice = |name: &str| self.report(place.member(name), "stands twice in one object; keep one of the two");
        if members.len() > 16 {
            let mut seen = HashSet::with_capacity_and_hasher(members.len(), foldhash::fast::FixedState::default());
            members.iter().filter(|(name, _)| !seen.insert(name.as_ref())).for_each(|(name, _)| twice(name));
            return;
        }
        for (index, (name, _)) in members.iter().enumerate() {
            if members.iter().take(index).any(|(earlier, _)| earlier == name) {
                twice(name);
            }
        }
    }
}

/// A value at its place; reading it wrongly typed reports a problem and gives nothing.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'s> {
    node: &'s Node<'s>,
    place: Place<'s>,
    pub(super) findings: &'s Findings,
}

impl<'s> Cursor<'s> {
    pub(super) const fn new(node: &'s Node<'s>, place: Place<'s>, findings: &'s Findings) -> Self {
        Self { node, place, findings }
    }

    pub(super) fn problem(&self, message: impl AsRef<str>) {
        self.findings.report(self.place, message);
    }

    pub(super) fn problem_at(&self, member: &str, message: impl AsRef<str>) {
        self.findings.report(self.place.member(member), message);
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self.node, Node::Null)
    }

    pub(super) const fn is_empty_object(&self) -> bool {
        matches!(self.node, Node::Object(members) if members.is_empty())
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self.node, Node::Text(_))
    }

    /// The members as they stand, null ones included; reports anything but an object.
    pub(super) fn members<'b>(&'b self) -> impl Iterator<Item = (&'b str, Cursor<'b>)> {
        let members: &[_] = match self.node {
            Node::Object(members) => members,
            _ => {
                self.problem("must be an object");
                &[]
            }
        };
        members.iter().map(|(name, node)| (name.as_ref(), Cursor { node, place: self.place.member(name), findings: self.findings }))
    }

    /// A member that is there and not null.
    pub(super) fn member<'b>(&'b self, name: &'b str) -> Option<Cursor<'b>> {
        let Node::Object(members) = self.node else {
            return None;
        };
        let (_, node) = members.iter().find(|(other, _)| other == name)?;
        let member = Cursor { node, place: self.place.member(name), findings: self.findings };
        (!member.is_null()).then_some(member)
    }

    /// A member that must be there; reports it missing otherwise.
    pub(super) fn required<'b>(&'b self, name: &'b str) -> Option<Cursor<'b>> {
        let member = self.member(name);
        if member.is_none() {
            self.problem_at(name, "is missing");
        }
        member
    }

    /// Reports anything but an object.
    pub(super) fn expect_object(&self) -> bool {
        let is_object = matches!(self.node, Node::Object(_));
        if !is_object {
            self.problem("must be an object");
        }
        is_object
    }

    /// The elements of a list; reports anything else.
    pub(super) fn items<'b>(&'b self) -> impl Iterator<Item = Cursor<'b>> {
        let items: &[_] = match self.node {
            Node::List(items) => items,
            _ => {
                self.problem("must be an array");
                &[]
            }
        };
        items.iter().enumerate().map(|(index, node)| Cursor { node, place: self.place.item(index), findings: self.findings })
    }

    /// What `read` makes of every element of a list that may be absent.
    pub(super) fn each<T>(&self, name: &str, read: impl Fn(Cursor<'_>) -> Option<T>) -> Box<[T]> {
        self.member(name).map(|list| list.items().filter_map(read).collect()).unwrap_or_default()
    }

    /// What `read` makes of every element of a list that must be there and not be empty.
    pub(super) fn each_required<T>(&self, name: &str, read: impl Fn(Cursor<'_>) -> Option<T>) -> Box<[T]> {
        let Some(list) = self.required(name) else {
            return Box::default();
        };
        if matches!(list.node, Node::List(items) if items.is_empty()) {
            list.problem("must not be empty");
        }
        list.items().filter_map(read).collect()
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self.node {
            Node::Text(text) => Some(text),
            _ => {
                self.problem("must be a string");
                None
            }
        }
    }

    pub(super) fn word(&self) -> Option<Arc<str>> {
        self.text().map(|text| self.findings.word(text))
    }

    pub(super) fn boxed(&self) -> Option<Box<str>> {
        self.text().map(Into::into)
    }

    pub(super) fn integer(&self) -> Option<i64> {
        match self.node {
            Node::Integer(integer) => Some(*integer),
            _ => {
                self.problem("must be a whole number of at most 18 digits");
                None
            }
        }
    }

    pub(super) fn instant(&self) -> Option<Instant> {
        let text = self.text()?;
        let instant = parse_instant(text);
        if instant.is_none() {
            self.problem(format!("`{text}` is no date; write it like 2026-01-31T12:00:00Z or 2026-01-31"));
        }
        instant
    }

    pub(super) fn choice<T: Choice>(&self) -> Option<T> {
        let text = self.text()?;
        let choice = T::named(text);
        if choice.is_none() {
            self.problem(format!("`{text}` is not known; use one of {}", T::NAMES.join(", ")));
        }
        choice
    }
}

/// A closed set of words.
pub(super) trait Choice: Sized {
    const NAMES: &'static [&'static str];

    fn named(name: &str) -> Option<Self>;
}

/// An enum with the name on the wire of each variant.
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl super::reading::Choice for $name {
            const NAMES: &'static [&'static str] = &[$($text),*];

            fn named(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
pub(super) use choice;
