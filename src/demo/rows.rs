//! One row of each kind, as the LUSID API writes it: names and shapes are its own, the values ours.

use super::data::{Listing, Mandate, Quote};
use super::numbers::{Numbers, hundredths};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One purchase (units above 0) or sale.
pub(super) struct Trade<'d> {
    pub(super) number: u32,
    pub(super) day: Timestamp,
    pub(super) listing: &'d Listing,
    pub(super) units: i64,
}

impl Trade<'_> {
    /// What was paid, in hundredths; below 0 for a sale.
    fn amount(&self) -> i64 {
        self.units * i64::from(self.listing.cents)
    }
}

/// The time as the API writes it: seven digits and an offset.
pub(super) fn written(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%7f+00:00").to_string()
}

fn days_later(day: Timestamp, days: i64) -> Timestamp {
    day.saturating_add((days * 24).hours()).unwrap_or(day)
}

/// A `Version` of an entity that was entered on that day.
pub(super) fn version(day: Timestamp) -> Value {
    let at = written(day);
    json!({"effectiveFrom": at, "asAtDate": at, "asAtCreated": at, "asAtVersionNumber": 1})
}

/// A `Property` with a text.
pub(super) fn label(key: &str, value: &str) -> (String, Value) {
    (key.to_owned(), json!({"key": key, "value": {"labelValue": value}}))
}

/// A `Property` with a number in hundredths.
pub(super) fn metric(key: &str, value: i64, unit: Option<&str>) -> (String, Value) {
    let number = match unit {
        Some(unit) => json!({"value": hundredths(value), "unit": unit}),
        None => json!({"value": hundredths(value)}),
    };
    (key.to_owned(), json!({"key": key, "value": {"metricValue": number}}))
}

fn money(value: i64, currency: &str) -> Value {
    json!({"amount": hundredths(value), "currency": currency})
}

/// A `Portfolio` with all its properties.
pub(super) fn portfolio(mandate: &Mandate, now: Timestamp) -> Value {
    let mut numbers = Numbers::of(&mandate.display_name);
    let created = super::data::business_day(now, 1200 + numbers.below(1500));
    let beta = 60 + i64::from(numbers.below(80));
    let value_at_risk = 40 + i64::from(numbers.below(300));
    let properties: Map<String, Value> = Map::from_iter([
        label("Portfolio/strategy/style", &mandate.style),
        label("Portfolio/clients/name", &mandate.client),
        metric("Portfolio/fees/managementBasisPoints", i64::from(mandate.fee) * 100, None),
        label("Portfolio/fees/billing", "Quarterly in arrears"),
        metric("Portfolio/risk/beta", beta, None),
        metric("Portfolio/risk/valueAtRisk95", value_at_risk, Some("Percent")),
    ]);
    json!({
        "id": {"scope": mandate.scope, "code": mandate.code},
        "type": "Transaction",
        "displayName": mandate.display_name,
        "description": format!("{} mandate for {}", mandate.style, mandate.client),
        "created": written(created),
        "version": version(created),
        "isDerived": false,
        "baseCurrency": mandate.currency,
        "properties": properties,
        "instrumentScopes": [],
        "accountingMethod": "AverageCost",
        "amortisationMethod": "NoAmortisation",
        "transactionTypeScope": "default",
        "cashGainLossCalculationDate": "Default",
        "links": [],
    })
}

/// A `Transaction`.
pub(super) fn transaction(mandate: &Mandate, trade: &Trade<'_>) -> Value {
    let listing = trade.listing;
    let mut numbers = Numbers::of(&format!("{} {}", mandate.code, trade.number));
    let brokers = ["Cormorant Markets", "Pell & Quayle", "Ostrava Securities", "Bluewater Execution"];
    let broker = numbers.one_of(&brokers).copied().unwrap_or_default();
    let commission = i64::from(150 + numbers.below(2200));
    let properties: Map<String, Value> = Map::from_iter([
        label("Transaction/default/broker", broker),
        metric("Transaction/fees/commission", commission, Some(&listing.currency)),
        label("Transaction/risk/preTradeCheck", if numbers.below(20) == 0 { "Overridden" } else { "Passed" }),
    ]);
    json!({
        "transactionId": format!("{}-{:04}", mandate.code, trade.number),
        "type": if trade.units < 0 { "Sell" } else { "Buy" },
        "instrumentIdentifiers": {"Instrument/default/Ticker": listing.ticker},
        "instrumentScope": "default",
        "instrumentUid": listing.uid(),
        "transactionDate": written(trade.day),
        "settlementDate": written(days_later(trade.day, 2)),
        "units": hundredths(trade.units.abs() * 100),
        "transactionPrice": {"price": hundredths(i64::from(listing.cents)), "type": "Price"},
        "totalConsideration": money(trade.amount().abs(), &listing.currency),
        "exchangeRate": 1.0,
        "transactionCurrency": listing.currency,
        "properties": properties,
        "source": "default",
        "entryDateTime": written(trade.day),
        "transactionStatus": "Active",
    })
}

/// The `PortfolioHolding`s that these trades come to, by ticker.
pub(super) fn holdings(mandate: &Mandate, trades: &[Trade<'_>]) -> Vec<Value> {
    let mut positions: BTreeMap<&str, (&Listing, i64, i64)> = BTreeMap::new();
    for trade in trades {
        let (_, units, cost) = positions.entry(&trade.listing.ticker).or_insert((trade.listing, 0, 0));
        (*units, *cost) = (*units + trade.units, *cost + trade.amount());
    }
    let held = positions.values().filter(|(_, units, _)| *units != 0);
    held.map(|(listing, units, cost)| holding(mandate, listing, *units, *cost)).collect()
}

fn holding(mandate: &Mandate, listing: &Listing, units: i64, cost: i64) -> Value {
    let mut numbers = Numbers::of(&format!("{} {}", mandate.code, listing.ticker));
    let keys: Map<String, Value> = Map::from_iter([label("Transaction/strategy/sleeve", &mandate.style)]);
    let properties: Map<String, Value> =
        Map::from_iter([label("Instrument/default/Name", &listing.name), metric("Holding/risk/contribution", i64::from(numbers.below(450)), Some("Percent"))]);
    let units = hundredths(units * 100);
    json!({
        "instrumentScope": "default",
        "instrumentUid": listing.uid(),
        "subHoldingKeys": keys,
        "properties": properties,
        "holdingType": "P",
        "holdingTypeName": "Position",
        "units": units,
        "settledUnits": units,
        "unsettledUnits": 0.0,
        "overdueUnits": 0.0,
        "cost": money(cost, &listing.currency),
        "costPortfolioCcy": {"amount": 0.0, "currency": mandate.currency},
        "currency": listing.currency,
        "holdingId": 1_000_000 + numbers.below(9_000_000),
    })
}

/// An `Instrument`.
pub(super) fn instrument(listing: &Listing, now: Timestamp) -> Value {
    let mut numbers = Numbers::of(&listing.name);
    let since = super::data::business_day(now, 2000 + numbers.below(2000));
    let ratings = ["A", "AA", "BBB", "BB"];
    let (_, sector) = label("Instrument/default/sector", &listing.sector);
    let (_, rating) = label("Instrument/risk/rating", numbers.one_of(&ratings).copied().unwrap_or_default());
    let (_, limit) = metric("Instrument/compliance/holdingLimit", 500 + i64::from(numbers.below(1500)), Some("Percent"));
    json!({
        "scope": "default",
        "lusidInstrumentId": listing.uid(),
        "version": version(since),
        "name": listing.name,
        "identifiers": {
            "LusidInstrumentId": listing.uid(),
            "Ticker": listing.ticker,
            "ClientInternal": format!("HL-{}", listing.ticker),
        },
        "properties": [sector, rating, limit],
        "state": "Active",
        "assetClass": listing.asset_class,
        "domCcy": listing.currency,
    })
}

/// The closing `Quote` of that day.
pub(super) fn quote(listing: &Listing, day: Timestamp) -> Quote {
    let at = written(day);
    let mut numbers = Numbers::of(&format!("{} {at}", listing.ticker));
    // Within two in a hundred of the price that the trades were made at.
    let price = i64::from(listing.cents) * (9_800 + i64::from(numbers.below(401))) / 10_000;
    let document = json!({
        "quoteId": {
            "quoteSeriesId": {
                "provider": "Lusid",
                "priceSource": "",
                "instrumentId": listing.uid(),
                "instrumentIdType": "LusidInstrumentId",
                "quoteType": "Price",
                "field": "mid",
            },
            "effectiveAt": at,
        },
        "metricValue": {"value": hundredths(price), "unit": listing.currency},
        "lineage": "ClosingPrices",
        "cutLabel": "",
        "uploadedBy": "market-data",
        "asAt": at,
        "scaleFactor": 1.0,
    });
    Quote { instrument: listing.uid(), effective_at: day, document }
}
