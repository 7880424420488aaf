//! The demo's books: portfolios with their transactions and holdings, instruments and quotes, in
//! LUSID's shapes. The names stand in `config/demo`, the rest follows from them and from the day the
//! demo starts; nothing is read from outside.

use super::numbers::Numbers;
use super::{DemoError, rows};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;
use serde_json::Value;

const PORTFOLIOS: &str = include_str!("../../config/demo/portfolios.json");
const INSTRUMENTS: &str = include_str!("../../config/demo/instruments.json");

/// Transactions of a portfolio, about three days apart.
const TRANSACTIONS: u32 = 14;
/// Days with quotes.
const QUOTED_DAYS: u32 = 10;

/// A portfolio as it stands in `config/demo/portfolios.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Mandate {
    pub(super) scope: String,
    pub(super) code: String,
    pub(super) display_name: String,
    pub(super) currency: String,
    pub(super) style: String,
    pub(super) client: String,
    /// The management fee in basis points.
    pub(super) fee: u32,
    /// Whether another house manages it.
    #[serde(default)]
    pub(super) external: bool,
}

/// An instrument as it stands in `config/demo/instruments.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Listing {
    pub(super) name: String,
    pub(super) ticker: String,
    pub(super) asset_class: String,
    pub(super) currency: String,
    pub(super) region: String,
    pub(super) sector: String,
    /// The price in hundredths of its currency.
    pub(super) cents: u32,
}

impl Listing {
    /// Its LUSID instrument id.
    pub(super) fn uid(&self) -> String {
        format!("LUID_{}", Numbers::of(&self.ticker).code())
    }
}

/// A portfolio with what is in it.
#[derive(Clone, Debug)]
pub(super) struct Portfolio {
    pub(super) scope: String,
    pub(super) code: String,
    /// The `Portfolio` of the API.
    pub(super) document: Value,
    /// When each was traded, and the `Transaction` of the API; oldest first.
    pub(super) transactions: Vec<(Timestamp, Value)>,
    /// `PortfolioHolding`s of the API.
    pub(super) holdings: Vec<Value>,
}

/// A quote with what it is asked for by.
#[derive(Clone, Debug)]
pub(super) struct Quote {
    pub(super) instrument: String,
    /// From when on it holds.
    pub(super) effective_at: Timestamp,
    /// The `Quote` of the API.
    pub(super) document: Value,
}

/// Everything that the upstream knows.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) portfolios: Vec<Portfolio>,
    /// The `Instrument`s of the API.
    pub(super) instruments: Vec<Value>,
    /// Oldest first.
    pub(super) quotes: Vec<Quote>,
}

impl Books {
    /// The books as of the day of `now`.
    ///
    /// # Errors
    /// When the files that are built in cannot be read; a test reads them.
    pub(super) fn on(now: Timestamp) -> Result<Self, DemoError> {
        let listings: Vec<Listing> = serde_json::from_str(INSTRUMENTS)?;
        let portfolios = mandates()?.iter().map(|mandate| portfolio(mandate, &listings, now)).collect();
        let instruments = listings.iter().map(|listing| rows::instrument(listing, now)).collect();
        let days = (0..QUOTED_DAYS).rev().map(|days| business_day(now, days));
        let quotes = days.flat_map(|day| listings.iter().map(move |listing| rows::quote(listing, day))).collect();
        Ok(Self { portfolios, instruments, quotes })
    }

    /// How many rows there are, in words.
    pub(super) fn extent(&self) -> String {
        let transactions: usize = self.portfolios.iter().map(|portfolio| portfolio.transactions.len()).sum();
        let holdings: usize = self.portfolios.iter().map(|portfolio| portfolio.holdings.len()).sum();
        format!(
            "{} portfolios, {transactions} transactions, {holdings} holdings, {} instruments, {} quotes",
            self.portfolios.len(),
            self.instruments.len(),
            self.quotes.len()
        )
    }
}

/// The portfolios that the company manages.
pub(super) fn mandates() -> Result<Vec<Mandate>, DemoError> {
    Ok(serde_json::from_str(PORTFOLIOS)?)
}

fn portfolio(mandate: &Mandate, listings: &[Listing], now: Timestamp) -> Portfolio {
    let mut numbers = Numbers::of(&mandate.code);
    let suits = |listing: &&Listing| listing.region == mandate.scope || mandate.style == "Multi-asset";
    let choices: Vec<&Listing> = listings.iter().filter(suits).collect();
    let trades: Vec<rows::Trade<'_>> = (0..TRANSACTIONS)
        .rev()
        .filter_map(|place| {
            let day = business_day(now, place * 3 + numbers.below(3));
            let listing = *numbers.one_of(&choices)?;
            // Mostly purchases, so that no holding is sold short for long.
            let is_sale = numbers.below(6) == 0;
            let units = (1 + i64::from(numbers.below(90))) * 50;
            Some(rows::Trade { number: TRANSACTIONS - place, day, listing, units: if is_sale { -units } else { units } })
        })
        .collect();
    Portfolio {
        scope: mandate.scope.clone(),
        code: mandate.code.clone(),
        document: rows::portfolio(mandate, now),
        transactions: trades.iter().map(|trade| (trade.day, rows::transaction(mandate, trade))).collect(),
        holdings: rows::holdings(mandate, &trades),
    }
}

/// Midnight (UTC) of the day so many days before `now`, or of the Friday before when that is a weekend.
pub(super) fn business_day(now: Timestamp, days: u32) -> Timestamp {
    let day = now.to_zoned(TimeZone::UTC).date().saturating_sub(i64::from(days).days());
    let back = match day.weekday() {
        Weekday::Saturday => 1,
        Weekday::Sunday => 2,
        _ => 0,
    };
    day.saturating_sub(back.days()).to_zoned(TimeZone::UTC).map_or(now, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_books_hold_hundreds_of_rows_and_every_portfolio_has_some() {
        let books = Books::on(now()).unwrap();
        assert!(books.portfolios.len() >= 40);
        assert!(books.portfolios.iter().map(|portfolio| portfolio.transactions.len()).sum::<usize>() >= 500);
        assert!(books.quotes.len() >= 300);
        assert!(books.portfolios.iter().all(|portfolio| !portfolio.holdings.is_empty()));
    }

    #[test]
    fn the_books_are_the_same_on_the_same_day() {
        let day = |books: &Books| books.portfolios.iter().map(|portfolio| portfolio.transactions.clone()).collect::<Vec<_>>();
        let later = "2026-11-21T18:30:00Z".parse().unwrap();
        assert_eq!(day(&Books::on(now()).unwrap()), day(&Books::on(later).unwrap()));
    }

    #[test]
    fn instruments_and_portfolios_are_told_apart() {
        let books = Books::on(now()).unwrap();
        let uids: HashSet<String> = books.instruments.iter().map(|row| row["lusidInstrumentId"].to_string()).collect();
        assert_eq!(uids.len(), books.instruments.len());
        let ids: HashSet<_> = books.portfolios.iter().map(|portfolio| (&portfolio.scope, &portfolio.code)).collect();
        assert_eq!(ids.len(), books.portfolios.len());
    }

    #[test]
    fn transactions_fall_on_business_days_oldest_first_and_some_within_the_last_week() {
        for portfolio in Books::on(now()).unwrap().portfolios {
            let days: Vec<Timestamp> = portfolio.transactions.iter().map(|(day, _)| *day).collect();
            assert!(days.is_sorted(), "{}", portfolio.code);
            assert!(days.last().unwrap() >= &business_day(now(), 4), "{}", portfolio.code);
            assert!(days.first().unwrap() < &business_day(now(), 30), "{}", portfolio.code);
        }
    }
}
