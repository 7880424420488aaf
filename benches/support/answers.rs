//! Lists of portfolios as LUSID answers them: about 2 KB each, with four to nine properties.

use std::fmt::Write;

/// Scopes of the list's portfolios, in turn.
pub const SCOPES: usize = 7;

/// A list of at least this many bytes.
pub fn portfolios(bytes: usize) -> Vec<u8> {
    let mut list = String::from("{\"values\":[");
    for number in 0.. {
        if list.len() >= bytes {
            break;
        }
        if number > 0 {
            list.push_str(",\n");
        }
        portfolio(&mut list, number);
    }
    list.push_str("],\"href\":\"https://example.lusid.com/api/api/portfolios\"}");
    list.into_bytes()
}

fn portfolio(list: &mut String, number: usize) {
    let scope = number % SCOPES;
    let _ = write!(
        list,
        r#"{{"id":{{"scope":"scope-{scope}","code":"portfolio-{number}"}},"type":"Transaction","href":"https://example.lusid.com/api/api/portfolios/scope/portfolio-{number}?effectiveAt=2026-01-01","displayName":"Portfolio number {number} of the list","description":"A longer description of what this portfolio holds, in words, for {number}","created":"2020-01-02T03:04:05.0000000+00:00","parentPortfolioId":{{"scope":"parent","code":"p-{number}"}},"version":{{"effectiveFrom":"0001-01-01T00:00:00.0000000+00:00","asAtDate":"2024-05-06T07:08:09.1234560+00:00","asAtVersionNumber":{number}}},"isDerived":false,"baseCurrency":"USD","properties":{{"#
    );
    for place in 0..4 + number % 6 {
        if place > 0 {
            list.push(',');
        }
        property(list, number, place);
    }
    list.push_str(r#"},"links":[{"relation":"Properties","href":"https://example.lusid.com/api/api/portfolios/properties","description":"","method":"GET"}]}"#);
}

/// Every third property is of the scope `cost`.
fn property(list: &mut String, number: usize, place: usize) {
    let scope = if place.is_multiple_of(3) { "cost" } else { "risk" };
    let amount = number * 31 + place;
    let _ = write!(
        list,
        r#""Portfolio/{scope}/prop{place}":{{"key":"Portfolio/{scope}/prop{place}","value":{{"metricValue":{{"value":{amount}.25,"unit":"USD"}}}},"effectiveFrom":"2021-01-01T00:00:00.0000000+00:00","effectiveUntil":"9999-12-31T23:59:59.9999999+00:00"}}"#
    );
}
