//! Single items: decided before anything is written, then streamed.

use super::*;

fn whole() -> Arc<FilterPlan> {
    plan(vec![rule("", &["/id/scope", "/id/code"], &["/properties"])], &[])
}

#[test]
fn a_denied_single_item_ends_the_answer() {
    let error = refused("{\"id\":{\"scope\":\"UK\",\"code\":\"x\"}}", &whole(), &["UK"]);
    assert_eq!(error, FilterError::Denied { rule: 0 });
    assert!(error.is_denied());
}

#[test]
fn a_kept_single_item_passes_with_its_properties_filtered() {
    let input = "{\"properties\":{\"p\":1,\"q\":2},\"id\":{\"code\":1,\"scope\":\"US\"},\"tail\":[1,2]} ";
    check(input, &whole(), &["p"], "{\"properties\":{\"q\":2},\"id\":{\"code\":1,\"scope\":\"US\"},\"tail\":[1,2]} ");
}

#[test]
fn nothing_is_written_before_every_single_item_is_decided() {
    let plan = plan(vec![rule("/a", &["/id"], &[]), rule("/b", &["/id"], &[])], &[]);
    let mut filter = Filter::new(plan, LIMITS);
    let (mut judge, mut out) = (deny(&["x"]), Vec::new());
    filter.write(b"{\"big\":[1,2,3],\"a\":{\"id\":1,\"more\":[]},\"b\":{\"n\":1", &mut judge, &mut out).unwrap();
    assert_eq!((judge.asked.len(), out.len()), (0, 0));
    filter.write(b",\"id\":2", &mut judge, &mut out).unwrap();
    assert!(out.is_empty(), "a number has not ended before the next byte");
    filter.write(b",", &mut judge, &mut out).unwrap();
    assert_eq!(judge.asked, ["0 - 1", "1 - 2"]);
    assert_eq!(out, b"{\"big\":[1,2,3],\"a\":{\"id\":1,\"more\":[]},\"b\":{\"n\":1,\"id\":2");
    filter.write(b"\"c", &mut judge, &mut out).unwrap();
    assert!(out.ends_with(b"\"id\":2"), "the next member's name waits for its fate");
    assert!(filter.end(&mut judge, &mut out).is_err());
}

#[test]
fn a_single_item_that_is_decided_streams_whatever_its_size() {
    let limits = Limits { item_bytes: 100, depth: 128 };
    let input = format!("{{\"id\":{{\"scope\":1,\"code\":2}},\"big\":\"{}\",\"n\":[{}1]}}", "x".repeat(300_000), "1,".repeat(99_000));
    let ran = run_cut(&whole(), limits, input.as_bytes(), || Box::new(deny(&[])));
    assert_eq!(ran.unwrap().0, input);
}

#[test]
fn what_is_held_for_an_undecided_single_item_is_bounded() {
    let plan = whole();
    let at = |size: usize| {
        let limits = Limits { item_bytes: 100, depth: 128 };
        let input = format!("{{\"a\":\"{}\",\"id\":{{\"scope\":1,\"code\":\"\"}}}}", "x".repeat(size));
        run_cut(&plan, limits, input.as_bytes(), || Box::new(deny(&[])))
    };
    let held = "{\"a\":\"\",\"id\":{\"scope\":1,\"code\":\"\"".len();
    assert!(at(100 - held).is_ok());
    assert_eq!(at(101 - held), Err(FilterError::ItemTooLarge));
    assert_eq!(at(90_000), Err(FilterError::ItemTooLarge));
}

#[test]
fn a_fact_that_stands_twice_after_the_decision_is_still_refused() {
    let input = "{\"id\":{\"scope\":1,\"code\":2},\"big\":[1,2,3],\"id\":{}}";
    assert!(matches!(refused(input, &whole(), &[]), FilterError::DuplicateName { .. }));
}

#[test]
fn a_missing_single_item_cannot_be_judged_unless_optional() {
    let plain = plan(vec![rule("/value", &["/id"], &[])], &[]);
    let may = plan(vec![optional(rule("/value", &["/id"], &[]))], &[]);
    for input in ["{\"other\":1}", "null"] {
        assert_eq!(refused(input, &plain, &[]), FilterError::MissingPlace { rule: 0 });
        check(input, &may, &[], input);
    }
    for input in ["[1]", "\"value\"", "5", "true"] {
        assert_eq!(refused(input, &plain, &[]), FilterError::WrongShape { rule: 0 });
        assert_eq!(refused(input, &may, &[]), FilterError::WrongShape { rule: 0 });
    }
    assert!(matches!(refused("{\"value\":null,\"value\":null}", &plain, &[]), FilterError::DuplicateName { .. }));
}

#[test]
fn a_null_single_item_is_no_item_and_is_not_asked_about() {
    let plan = plan(vec![rule("/value", &[], &[]), rule("", &["/x"], &[])], &[]);
    let mut judge = deny(&[]);
    let (out, counts) = run(&plan, LIMITS, &[b"{\"value\":null}"], &mut judge).unwrap();
    assert_eq!((out.as_str(), judge.asked.as_slice()), ("{\"value\":null}", ["1 - -".to_owned()].as_slice()));
    assert_eq!((counts[0].items_kept, counts[1].items_kept), (0, 1));
    check("null", &whole(), &["null"], "null");
}

#[test]
fn a_bare_value_may_be_the_single_item() {
    let plan = plan(vec![rule("", &[""], &[])], &[]);
    for input in ["123", " \"text\" ", "true\n", "-1.5e3"] {
        check(input, &plan, &["no"], input);
    }
    assert_eq!(refused("12", &plan, &["12"]), FilterError::Denied { rule: 0 });
}

#[test]
fn lists_inside_a_single_item_are_filtered_too() {
    let plan = plan(vec![rule("", &["/id"], &[]), rule("/portfolios/*", &["/id"], &[])], &[]);
    let input = "{\"portfolios\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"id\":\"g\"}";
    check(input, &plan, &["a"], "{\"portfolios\":[{\"id\":\"b\"}],\"id\":\"g\"}");
    assert_eq!(refused(input, &plan, &["a", "g"]), FilterError::Denied { rule: 0 });
    assert_eq!(refused("{\"id\":\"g\"}", &plan, &[]), FilterError::MissingPlace { rule: 1 });
}

struct DropAll;

impl Judge for DropAll {
    fn item(&mut self, _: usize, _: Option<&str>, _: &[Option<&[u8]>]) -> ItemVerdict {
        ItemVerdict::Drop
    }

    fn property(&mut self, _: usize, _: Property<'_>) -> bool {
        false
    }
}

#[test]
fn the_faults_of_an_answer_are_said_whatever_the_verdict() {
    let plan = plan(vec![rule("/a", &[], &["/p"]), optional(rule("/v/*", &["/id"], &[]))], &[]);
    for input in ["{\"a\":[1,x", "{\"a\":{\"b\":}}", "{\"a\":tru}", "{\"a\":\"\u{1}\"", "{\"a\":{}} x", "{\"a\":{\"p\":{},\"p\":{}}}", "{\"a\":{},\"v\":5}"] {
        let ran = run_cut(&plan, LIMITS, input.as_bytes(), || Box::new(DropAll));
        assert!(ran.as_ref().is_err_and(|error| !error.is_denied()), "{input}: {ran:?}");
    }
    for input in ["{\"a\":{}}", "{\"a\":[1,{\"p\":2}],\"v\":[{\"id\":1}]} "] {
        assert_eq!(run_cut(&plan, LIMITS, input.as_bytes(), || Box::new(DropAll)), Err(FilterError::Denied { rule: 0 }), "{input}");
    }
}

#[test]
fn a_denied_single_item_is_not_read_for_ever() {
    let plan = plan(vec![rule("/a", &[], &[])], &[]);
    let mut filter = Filter::new(plan, Limits { item_bytes: 100_000, depth: 128 });
    let (mut judge, mut out) = (DropAll, Vec::new());
    assert_eq!(filter.write(b"{\"a\":[1", &mut judge, &mut out), Ok(Progress::Done));
    let stopped = (0..100).find_map(|_| filter.write(&b",1".repeat(1000), &mut judge, &mut out).err());
    assert_eq!((stopped, out.len()), (Some(FilterError::Denied { rule: 0 }), 0));
}

#[test]
fn how_far_a_denied_answer_is_looked_at_depends_on_no_cut() {
    let plan = plan(vec![rule("/a", &[], &[])], &[]);
    let limits = Limits { item_bytes: 24, depth: 128 };
    for letter in ["n", "é", "\u{1f600}"] {
        for count in 0..24 {
            let input = format!("{{\"a\":{{}},\"b\":\"{}\"x", letter.repeat(count));
            let fault = input.len() - 1;
            let ran = run_cut(&plan, limits, input.as_bytes(), || Box::new(DropAll));
            assert!(ran.as_ref().is_err_and(|error| error.is_denied() == (fault >= 24)), "{input}: {ran:?}");
        }
    }
}
