//! `for` in a whole decision: each row of semantics §5, in an Allow and in a Deny.

use super::*;

/// Whether the entry holds: for an Allow, that it grants; for a Deny, that it refuses.
fn holds(entry: Value, grant: &str, effective: Dates, as_at: Dates) -> bool {
    let dates = json!([entry]);
    let ask = Ask { effective, as_at, ..Ask::default() };
    if grant == "Allow" {
        return ask.granted(&one_role(&[with(allow(all_portfolios()), "for", dates)]));
    }
    !ask.granted(&one_role(&[allow(all_portfolios()), with(deny(all_portfolios()), "for", dates)]))
}

fn both(entry: &Value, effective: Dates) -> (bool, bool) {
    let now = Ask::default().as_at;
    (holds(entry.clone(), "Allow", effective, now), holds(entry.clone(), "Deny", effective, now))
}

fn at(text: &str) -> Dates {
    Interval::at(instant(text)).into()
}

#[test]
fn a_range_holds_on_its_edges_and_not_beyond() {
    let year = json!({ "effectiveRange": { "from": "2025-01-01T00:00:00Z", "to": "2025-12-31T00:00:00Z" } });
    assert_eq!(both(&year, at("2025-01-01")), (true, true));
    assert_eq!(both(&year, at("2025-12-31")), (true, true));
    assert_eq!(both(&year, at("2025-12-31T00:00:00.000000001Z")), (false, false));
    assert_eq!(both(&year, at("2024-12-31T23:59:59.999999999Z")), (false, false));
}

#[test]
fn an_allow_needs_the_whole_interval_and_a_deny_one_instant() {
    let year = json!({ "effectiveRange": { "from": "2025-01-01", "to": "2025-12-31" } });
    assert_eq!(both(&year, between("2025-02-01", "2025-03-01")), (true, true));
    assert_eq!(both(&year, between("2024-02-01", "2025-01-01")), (false, true));
    assert_eq!(both(&year, between("2024-02-01", "2026-01-01")), (false, true));
    assert_eq!(both(&year, Interval::everything().into()), (false, true));
    assert_eq!(both(&year, between("2026-02-01", "2027-01-01")), (false, false));
}

#[test]
fn a_missing_end_of_a_range_is_unbounded() {
    assert_eq!(both(&json!({ "effectiveRange": {} }), Interval::everything().into()), (true, true));
    assert_eq!(both(&json!({ "effectiveRange": { "from": "2025-01-01", "to": null } }), between("2025-01-01", "9999-12-31T23:59:59.999999999Z")), (true, true));
    assert_eq!(both(&json!({ "effectiveRange": { "to": "2025-01-01" } }), at("0001-01-01")), (true, true));
}

#[test]
fn a_range_the_wrong_way_round_is_empty() {
    let empty = json!({ "effectiveRange": { "from": "2025-12-31", "to": "2025-01-01" } });
    assert_eq!(both(&empty, Interval::everything().into()), (false, false));
    assert_eq!(both(&empty, at("2025-06-01")), (false, false));
}

#[test]
fn as_at_ranges_look_at_as_at_and_latest_is_now() {
    let since = json!({ "asAtRangeForSpec": { "from": { "dateTimeOffset": "2018-01-01" }, "to": { "value": "AsAt=Latest" } } });
    assert!(holds(since.clone(), "Allow", Dates::Unknown, at(NOW)));
    assert!(!holds(since.clone(), "Allow", at(NOW), at("2017-12-31T23:59:59Z")));
    assert!(!holds(since.clone(), "Allow", at(NOW), at("2026-11-21T12:00:00.000000001Z")));
    assert!(holds(since, "Deny", at(NOW), between("2017-01-01", "2018-01-01")));
}

#[test]
fn relative_dates_on_either_dimension() {
    let month_old = |kind: &str| json!({ kind: { "date": "Now", "adjustment": -1, "unit": "Months", "relativeToDateTime": "Before" } });
    assert_eq!(both(&month_old("effectiveDateRelative"), at("2026-10-20T23:59:59Z")), (true, true));
    assert_eq!(both(&month_old("effectiveDateRelative"), at("2026-10-21")), (false, false));
    assert_eq!(both(&month_old("effectiveDateRelative"), between("2026-10-20", "2026-10-21")), (false, true));
    assert!(holds(month_old("asAtRelative"), "Allow", Dates::Unknown, at("2026-10-20")));
    assert!(!holds(month_old("asAtRelative"), "Allow", at("2026-10-20"), at(NOW)));
}

#[test]
fn defaults_of_a_relative_date_are_now_by_no_days() {
    let on_day = json!({ "effectiveDateRelative": { "relativeToDateTime": "OnDayOf" } });
    assert_eq!(both(&on_day, at("2026-11-21T23:59:59.999999999Z")), (true, true));
    assert_eq!(both(&on_day, between("2026-11-20T12:00:00Z", "2026-11-21")), (false, true));
    assert_eq!(both(&on_day, at("2026-11-22")), (false, false));
}

#[test]
fn exactly_is_one_instant() {
    let exactly = json!({ "effectiveDateRelative": { "date": "LastDayOfYear", "relativeToDateTime": "Exactly" } });
    assert_eq!(both(&exactly, at("2026-12-31")), (true, true));
    assert_eq!(both(&exactly, between("2026-12-31", "2026-12-31T00:00:01Z")), (false, true));
}

#[test]
fn no_business_days_from_a_weekend_stay_there() {
    let unmoved = json!({ "effectiveDateRelative": { "adjustment": 0, "unit": "BusinessDay", "relativeToDateTime": "OnDayOf" } });
    assert_eq!(both(&unmoved, at(NOW)), (true, true));
    let next = json!({ "effectiveDateRelative": { "adjustment": 1, "unit": "BusinessDay", "relativeToDateTime": "OnDayOf" } });
    assert_eq!(both(&next, at("2026-11-23")), (true, true));
}

#[test]
fn qualities_over_intervals() {
    let quality = |name: &str| json!({ "effectiveDateHasQuality": { "quality": name } });
    assert_eq!(both(&quality("IsBusinessDayOfAnyMonth"), at(NOW)), (false, false));
    assert_eq!(both(&quality("IsBusinessDayOfAnyMonth"), between("2026-11-20", "2026-11-21")), (false, true));
    assert_eq!(both(&quality("IsFirstDayOfAnyMonth"), between("2026-10-02", "2026-11-01")), (false, true));
    assert_eq!(both(&quality("IsFirstDayOfAnyMonth"), between("2026-10-02", "2026-10-31T23:59:59Z")), (false, false));
    // over 3,700 days: unknown
    assert_eq!(both(&quality("IsAfter5pm"), between("2000-01-01", "2015-01-01")), (false, true));
    assert_eq!(both(&quality("IsBusinessDayOfTheCurrentMonth"), Interval::everything().into()), (false, true));
}

#[test]
fn unknown_dates_fail_closed_whatever_the_set() {
    for entry in [json!({ "effectiveRange": {} }), json!({ "effectiveDateHasQuality": { "quality": "IsBefore5pm" } })] {
        assert_eq!(both(&entry, Dates::Unknown), (false, true));
    }
}

#[test]
fn dates_left_to_the_rows_hold_in_an_allow_and_not_in_a_deny() {
    let long_ago = json!({ "effectiveRange": { "to": "2001-01-01" } });
    assert_eq!(both(&long_ago, Dates::LeftToRows), (true, false));
    let relative = json!({ "asAtRelative": { "adjustment": -1, "relativeToDateTime": "Before" } });
    assert!(holds(relative.clone(), "Allow", at(NOW), Dates::LeftToRows));
    assert!(!holds(relative, "Deny", at(NOW), Dates::LeftToRows));
}

#[test]
fn all_entries_must_hold_and_a_known_mismatch_wins() {
    let entries =
        json!([{ "effectiveRange": { "from": "2020-01-01" } }, { "asAtRelative": { "adjustment": -1, "unit": "Years", "relativeToDateTime": "AfterOrOn" } }]);
    let denies = one_role(&[allow(all_portfolios()), with(deny(all_portfolios()), "for", entries)]);
    let granted = |effective: &str, as_at| Ask { effective: at(effective), as_at, ..Ask::default() }.granted(&denies);
    assert!(!granted("2020-06-30", at("2026-01-01")));
    assert!(granted("2020-06-30", at("2025-01-01")));
    assert!(granted("2019-06-30", Dates::Unknown));
    assert!(!granted("2020-06-30", Dates::Unknown));
}
