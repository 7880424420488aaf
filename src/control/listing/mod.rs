//! Lists of the control plane: `filter`, `sortBy`, `limit` and `page` over rows of JSON.
//!
//! A pure room: rows go in, one page of them comes out. It never reads a store, and knows none of the things listed.
//! Read [`page`] first, then [`ListQuery`].

mod decimal;
mod filter;
mod page;
mod path;
mod place;
mod query;
mod row;
mod sort;
mod token;

pub(super) use page::{Page, PageError, page};
pub(super) use query::{ListQuery, ListRules};
pub(super) use row::{Asked, Row};

#[cfg(test)]
mod tests;
