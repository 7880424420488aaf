//! One page of a list.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::place::{Cut, Place};
use super::query::ListQuery;
use super::token::{self, Direction};

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum PageError {
    /// The `page` parameter is no token that was given for this query (LUSID's error 689).
    #[error("the page token was not given for this list, filter and order")]
    Token,
}

/// Some rows of a list, in its order.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Page {
    /// The rows, at most as many as were asked for.
    pub(in super::super) rows: Vec<Value>,
    /// Leads to the rows behind these; none when there are none now.
    pub(in super::super) next_page: Option<String>,
    /// Leads to the rows in front of these; none when there are none now.
    pub(in super::super) previous_page: Option<String>,
}

/// The page that a query asks for, of rows with their natural keys, which tell every row from all others.
///
/// Rows may come in any order, and are made as late as can be: without `filter` and `sortBy` only those of the page. The list
/// may change between pages: a row that stays, and whose sorted fields stay, is on exactly one page of a walk.
/// Without `sortBy` the order is that of the keys' code points; see [`Place`] for keys of more than 350 bytes.
///
/// # Errors
/// When the query's token is not one that was given for the same list, filter and order.
pub(in super::super) fn page<K, F>(rows: impl IntoIterator<Item = (K, F)>, query: &ListQuery) -> Result<Page, PageError>
where
    K: AsRef<str>,
    F: FnOnce() -> Value,
{
    let (direction, cut) = match query.page() {
        None => (Direction::Forward, None),
        Some(token) => token::read(token, query.fingerprint()).map(|(direction, cut)| (direction, Some(cut))).ok_or(PageError::Token)?,
    };
    let mut selection = Selection { query, direction, cut, kept: BTreeMap::new(), has_other_side: false };
    for (key, make) in rows {
        selection.offer(key.as_ref(), make);
    }
    Ok(selection.page())
}

/// A row that may not have been made yet.
enum Row<F> {
    Unmade(F),
    Made(Value),
}

impl<F: FnOnce() -> Value> Row<F> {
    fn make(self) -> Value {
        match self {
            Self::Unmade(make) => make(),
            Self::Made(row) => row,
        }
    }
}

/// The rows nearest to the cut, on the side that the page is on.
struct Selection<'q, F> {
    query: &'q ListQuery,
    direction: Direction,
    cut: Option<Cut>,
    /// One more than the page may have, to tell whether there are more.
    kept: BTreeMap<Place<'static>, Row<F>>,
    /// Whether there is a row on the other side of the cut.
    has_other_side: bool,
}

impl<F: FnOnce() -> Value> Selection<'_, F> {
    fn offer(&mut self, key: &str, make: F) {
        let (place, row) = self.placed(key, make);
        if !self.is_on_side(&place) {
            self.has_other_side = self.has_other_side || self.admitted(row).is_some();
        } else if !self.is_full_before(&place)
            && let Some(row) = self.admitted(row)
        {
            self.kept.insert(place.into_owned(), row);
            if self.kept.len() > self.query.limit() + 1 {
                self.drop_farthest();
            }
        }
    }

    /// The row with its place, for which it must be made only where it is sorted by its content.
    fn placed<'k>(&self, key: &'k str, make: F) -> (Place<'k>, Row<F>) {
        let order = self.query.order();
        if order.is_natural() {
            return (Place::of(Cow::Borrowed(key.as_bytes())), Row::Unmade(make));
        }
        let row = make();
        (Place::of(Cow::Owned(order.key(&row, key))), Row::Made(row))
    }

    fn is_on_side(&self, place: &Place<'_>) -> bool {
        self.cut.as_ref().is_none_or(|cut| cut.has_in_front(place) == (self.direction == Direction::Backward))
    }

    /// Whether enough rows are kept that are nearer than this place.
    fn is_full_before(&self, place: &Place<'_>) -> bool {
        self.kept.len() > self.query.limit()
            && match self.direction {
                Direction::Forward => self.kept.last_key_value().is_some_and(|(farthest, _)| farthest < place),
                Direction::Backward => self.kept.first_key_value().is_some_and(|(farthest, _)| farthest > place),
            }
    }

    /// The row, if the filter holds of it.
    fn admitted(&self, row: Row<F>) -> Option<Row<F>> {
        let Some(filter) = self.query.filter() else { return Some(row) };
        let row = row.make();
        filter.matches(&row).then_some(Row::Made(row))
    }

    fn drop_farthest(&mut self) {
        match self.direction {
            Direction::Forward => self.kept.pop_last(),
            Direction::Backward => self.kept.pop_first(),
        };
    }

    fn page(mut self) -> Page {
        let has_more = self.kept.len() > self.query.limit();
        if has_more {
            self.drop_farthest();
        }
        let (has_in_front, has_behind) = match self.direction {
            Direction::Forward => (self.has_other_side, has_more),
            Direction::Backward => (has_more, self.has_other_side),
        };
        // an empty page leads on from where it was itself
        let at = |place: Option<&Place<'static>>, is_behind| place.map(|place| Cut { place: place.clone(), is_behind }).or_else(|| self.cut.clone());
        let token = |direction, cut: Option<Cut>| cut.map(|cut| token::write(direction, &cut, self.query.fingerprint()));
        let next_page = has_behind.then(|| token(Direction::Forward, at(self.kept.keys().next_back(), true))).flatten();
        let previous_page = has_in_front.then(|| token(Direction::Backward, at(self.kept.keys().next(), false))).flatten();
        Page { rows: self.kept.into_values().map(Row::make).collect(), next_page, previous_page }
    }
}
