//! What becomes of a right from one snapshot to another.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What becomes of reading portfolios.
fn change(before: &Policies, after: &Policies) -> Change {
    let ask = Ask::default();
    Change::between(Some(&ask.subject(before)), Some(&ask.subject(after)), "LUSID", ("Read", "Portfolio"))
}

fn roles(roles: &[&[Value]]) -> Policies {
    Snapshot::of_roles(roles).load()
}

fn scope(pattern: &str) -> Value {
    by_id(json!({ "scope": pattern }))
}

#[test]
fn what_can_be_granted_on_nothing_any_more_is_lost() {
    let own = [allow(scope("US"))];
    let before = roles(&[&own]);
    for after in
        [roles(&[&[deny(all_portfolios())], &own]), roles(&[&[allow(scope("US")), deny(scope("*"))]]), roles(&[&[deny(scope("U*"))], &own]), roles(&[&[]])]
    {
        assert_eq!((change(&before, &after), change(&after, &before)), (Change::Loses, Change::Gains));
    }
    let nobody = Change::between(Some(&Ask::default().subject(&before)), None, "LUSID", ("Read", "Portfolio"));
    assert_eq!(nobody, Change::Loses);
}

#[test]
fn a_deny_that_leaves_something_may_take_something() {
    let before = roles(&[&[allow(scope("U*"))]]);
    let week_old = json!([{ "effectiveDateRelative": { "date": "Now", "adjustment": -7, "unit": "Day", "relativeToDateTime": "BeforeOrOn" } }]);
    let dated = with(deny(all_portfolios()), "for", week_old);
    let headed = json!([{ "ifRequestHeaderExpression": { "headerName": "X-Team", "operator": "NotPresent" } }]);
    let headed = with(deny(all_portfolios()), "if", headed);
    for denied in [deny(scope("US")), headed, dated] {
        let after = roles(&[&[denied], &[allow(scope("U*"))]]);
        assert_eq!((change(&before, &after), change(&after, &before)), (Change::MayLose, Change::MayGain));
    }
}

#[test]
fn what_is_widened_may_give_and_what_is_narrowed_may_take() {
    let of = |denied: &str, allowed: &str| roles(&[&[deny(scope(denied)), allow(scope(allowed)), allow(scope("Z"))]]);
    for (wide, narrow) in [(of("EU", "*"), of("EU", "E*")), (of("EU", "*"), of("E*", "*"))] {
        assert_eq!((change(&narrow, &wide), change(&wide, &narrow)), (Change::MayGain, Change::MayLose));
    }
}

#[test]
fn the_order_of_roles_is_a_change_only_where_it_decides() {
    let (allowed, denied) = ([allow(scope("U*"))], [deny(scope("US"))]);
    assert_eq!(change(&roles(&[&denied, &allowed]), &roles(&[&allowed, &denied])), Change::MayGain);
    assert_eq!(change(&roles(&[&allowed, &denied]), &roles(&[&allowed])), Change::None);
    let other = [allow(scope("EU"))];
    assert_eq!(change(&roles(&[&allowed, &other]), &roles(&[&other, &allowed])), Change::None);
    let both = roles(&[&denied, &allowed, &[deny(scope("E*"))], &other]);
    assert_eq!(change(&both, &roles(&[&[deny(scope("UK"))], &allowed])), Change::MayGainOrLose);
}

#[test]
fn who_may_do_everything_can_only_lose() {
    let everything = roles(&[&[allow(all_portfolios())]]);
    let something = roles(&[&[deny(scope("US"))], &[allow(scope("U*"))]]);
    assert_eq!((change(&everything, &something), change(&something, &everything)), (Change::MayLose, Change::MayGain));
    let administrator = Snapshot::default().user(&["LUSID_SYSTEM/lusid-administrator"]).load();
    assert_eq!((change(&administrator, &something), change(&something, &administrator)), (Change::MayLose, Change::MayGain));
}

/// A few policies that overlap: of every grant, of patterns, of metadata.
fn policy() -> impl Strategy<Value = Value> {
    let condition =
        select(vec![scope("US"), scope("U*"), scope("*"), scope("EU"), by_id(json!({ "scope": "U*", "code": "a" })), by_metadata("K", "Equals", "v")]);
    (any::<bool>(), condition).prop_map(|(is_deny, selector)| if is_deny { deny(selector) } else { allow(selector) })
}

fn some_roles() -> impl Strategy<Value = Vec<Vec<Value>>> {
    proptest::collection::vec(proptest::collection::vec(policy(), 0..3), 0..4)
}

/// What is granted of all there is.
fn granted(policies: &Policies) -> Vec<bool> {
    let (none, known) = (Metadata::default(), metadata(&[("K", "v")]));
    let kinds = [MetadataOf::Unknown, MetadataOf::Known(&none), MetadataOf::Known(&known)];
    let ids = ["US", "us", "UK", "EU", "X"].into_iter().flat_map(|scope| ["a", "b"].map(|code| (scope, code)));
    ids.flat_map(|(scope, code)| kinds.map(|metadata| Ask { metadata, ..Ask::read(scope, code) }.granted(policies))).collect()
}

proptest! {
    #[test]
    fn it_never_says_less_than_what_becomes(before in some_roles(), after in some_roles()) {
        let [before, after] = [before, after].map(|held| roles(&held.iter().map(Vec::as_slice).collect::<Vec<_>>()));
        let (was, is) = (granted(&before), granted(&after));
        let gains = was.iter().zip(&is).any(|(was, is)| !was && *is);
        let loses = was.iter().zip(&is).any(|(was, is)| *was && !is);
        let is_sound = match change(&before, &after) {
            Change::None => !gains && !loses,
            Change::Gains => was.iter().all(|was| !was),
            Change::Loses => is.iter().all(|is| !is),
            Change::MayGain => !loses,
            Change::MayLose => !gains,
            Change::MayGainOrLose => true,
        };
        prop_assert!(is_sound);
    }
}
