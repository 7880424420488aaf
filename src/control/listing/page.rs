//! One page of a list.

use std::borrow::Cow;

use serde_json::Value;

use super::place::{Cut, Place};
use super::query::ListQuery;
use super::row::Row;
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
/// Rows may come in any order; they are looked at only until the page is full, and made only for the page. The list
/// may change between pages: a row that stays, and whose sorted fields stay, is on exactly one page of a walk.
/// Without `sortBy` the order is that of the keys' code points; see [`Place`] for keys of more than 350 bytes.
///
/// # Errors
/// When the query's token is not one that was given for the same list, filter and order.
pub(in super::super) fn page<K, R>(rows: impl IntoIterator<Item = (K, R)>, query: &ListQuery) -> Result<Page, PageError>
where
    K: AsRef<str>,
    R: Row,
{
    let (direction, cut) = match query.page() {
        None => (Direction::Forward, None),
        Some(token) => token::read(token, query.fingerprint()).map(|(direction, cut)| (direction, Some(cut))).ok_or(PageError::Token)?,
    };
    let mut selection = Selection { query, direction, cut, ahead: Vec::new(), aside: Vec::new() };
    for (key, row) in rows {
        selection.offer(key.as_ref(), row);
    }
    Ok(selection.page())
}

/// A row that may be on the page, with its place.
struct Placed<R> {
    place: Place<'static>,
    row: R,
}

/// The rows on both sides of the cut.
struct Selection<'q, R> {
    query: &'q ListQuery,
    direction: Direction,
    cut: Option<Cut>,
    /// On the side that the page is on.
    ahead: Vec<Placed<R>>,
    /// On the other side.
    aside: Vec<R>,
}

impl<R: Row> Selection<'_, R> {
    fn offer(&mut self, key: &str, row: R) {
        let place = self.place(key, &row);
        match self.is_ahead(&place) {
            true => self.ahead.push(Placed { place: place.into_owned(), row }),
            false => self.aside.push(row),
        }
    }

    /// The place of the row, which must be looked at only where it is sorted by its content.
    fn place<'k>(&self, key: &'k str, row: &R) -> Place<'k> {
        let order = self.query.order();
        match order.is_natural() {
            true => Place::of(Cow::Borrowed(key.as_bytes())),
            false => Place::of(Cow::Owned(order.key(&row.members(self.query.asked()), key))),
        }
    }

    fn is_ahead(&self, place: &Place<'_>) -> bool {
        self.cut.as_ref().is_none_or(|cut| cut.has_in_front(place) == (self.direction == Direction::Backward))
    }

    fn page(mut self) -> Page {
        let (query, limit) = (self.query, self.query.limit());
        let mut ahead = std::mem::take(&mut self.ahead);
        match self.direction {
            Direction::Forward => ahead.sort_by(|left, right| left.place.cmp(&right.place)),
            Direction::Backward => ahead.sort_by(|left, right| right.place.cmp(&left.place)),
        }
        // One more than the page may have, to tell whether there are more.
        let mut kept: Vec<Placed<R>> = ahead.into_iter().filter(|placed| is_admitted(query, &placed.row)).take(limit + 1).collect();
        let has_more = kept.len() > limit;
        kept.truncate(limit);
        let has_aside = self.aside.iter().any(|row| is_admitted(query, row));
        let (has_in_front, has_behind) = match self.direction {
            Direction::Forward => (has_aside, has_more),
            Direction::Backward => {
                kept.reverse();
                (has_more, has_aside)
            }
        };
        // an empty page leads on from where it was itself
        let at = |placed: Option<&Placed<R>>, is_behind| placed.map(|placed| Cut { place: placed.place.clone(), is_behind }).or_else(|| self.cut.clone());
        let token = |direction, cut: Option<Cut>| cut.map(|cut| token::write(direction, &cut, query.fingerprint()));
        let next_page = has_behind.then(|| token(Direction::Forward, at(kept.last(), true))).flatten();
        let previous_page = has_in_front.then(|| token(Direction::Backward, at(kept.first(), false))).flatten();
        Page { rows: kept.into_iter().map(|placed| placed.row.made()).collect(), next_page, previous_page }
    }
}

/// Whether the row is in the list: the filter holds of it, which costs less to see, and it is shown to the caller.
fn is_admitted<R: Row>(query: &ListQuery, row: &R) -> bool {
    query.filter().is_none_or(|filter| filter.matches(&row.members(query.asked()))) && row.is_shown()
}
