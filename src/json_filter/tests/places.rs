//! Where rules lead: missing parts, wrong shapes, names that stand twice, stripped places.

use super::*;

fn nested() -> Arc<FilterPlan> {
    plan(vec![rule("/data/groups/*/members/*", &["/id"], &[])], &[])
}

#[test]
fn the_fixed_part_must_be_there() {
    for input in ["{}", "{\"Data\":{\"groups\":[]}}", "{\"data\":{}}", "{\"data\":null}", "null"] {
        assert_eq!(refused(input, &nested(), &[]), FilterError::MissingPlace { rule: 0 }, "{input}");
    }
}

#[test]
fn null_at_the_end_of_the_fixed_part_or_behind_a_star_is_no_items() {
    for input in [
        "{\"data\":{\"groups\":null}}",
        "{\"data\":{\"groups\":[null,{\"members\":null},{},{\"members\":[]}]}}",
        "{\"data\":{\"groups\":{\"a\":{\"members\":{}}}}}",
    ] {
        check(input, &nested(), &[], input);
    }
}

#[test]
fn an_item_named_behind_a_star_is_none_if_it_is_null() {
    let plan = plan(vec![rule("/*/p", &[""], &[])], &[]);
    check("[{\"p\":null},{\"p\":\"x\"},{\"p\":1}]", &plan, &["x"], "[{\"p\":null},{},{\"p\":1}]");
    let mut judge = deny(&[]);
    run(&plan, LIMITS, &[b"{\"k\":{\"p\":null},\"l\":{\"p\":2}}"], &mut judge).unwrap();
    assert_eq!(judge.asked, ["0 - 2"]);
}

#[test]
fn what_must_be_entered_must_be_an_object_or_behind_a_star_an_array() {
    let optional = plan(vec![optional(rule("/data/groups/*/members/*", &["/id"], &[]))], &[]);
    for input in [
        "[]",
        "5",
        "\"data\"",
        "{\"data\":1}",
        "{\"data\":[]}",
        "{\"data\":{\"groups\":0}}",
        "{\"data\":{\"groups\":[{\"members\":\"many\"}]}}",
        "{\"data\":{\"groups\":[[]]}}",
        "{\"data\":{\"groups\":[\"x\"]}}",
    ] {
        for plan in [&nested(), &optional] {
            assert_eq!(refused(input, plan, &[]), FilterError::WrongShape { rule: 0 }, "{input}");
        }
    }
}

#[test]
fn an_optional_part_may_be_missing_and_is_filtered_when_it_is_there() {
    let plan = plan(vec![optional(rule("/related/list/*", &["/id"], &[]))], &[]);
    for input in ["{}", "null", "{\"related\":null}", "{\"related\":{}}", "{\"related\":{\"list\":null}}"] {
        check(input, &plan, &[], input);
    }
    check("{\"related\":{\"list\":[{\"id\":\"x\"}]}}", &plan, &["x"], "{\"related\":{\"list\":[]}}");
}

#[test]
fn the_shape_inside_a_dropped_item_does_not_matter() {
    let plan = plan(vec![rule("/*", &["/id"], &[]), rule("/*/m/*", &[], &[])], &[]);
    check("[{\"id\":\"x\",\"m\":5},{\"id\":1,\"m\":[]}]", &plan, &["x"], "[{\"id\":1,\"m\":[]}]");
    assert_eq!(refused("[{\"id\":1,\"m\":5}]", &plan, &["x"]), FilterError::WrongShape { rule: 1 });
}

#[test]
fn a_followed_name_may_not_stand_twice_whatever_the_verdict() {
    let plan = plan(vec![rule("/values/*", &["/id/code"], &["/properties"])], &[]);
    for (input, name) in [
        ("{\"values\":[],\"values\":[]}", "values"),
        ("{\"values\":[],\"\\u0076alues\":[]}", "values"),
        ("{\"values\":[{\"id\":{},\"id\":{\"code\":\"x\"}}]}", "id"),
        ("{\"values\":[{\"id\":{\"code\":\"x\",\"\\u0063ode\":\"x\"}}]}", "code"),
        ("{\"values\":[{\"id\":{\"code\":\"x\"},\"properties\":{},\"properties\":1}]}", "properties"),
        ("{\"values\":[{\"id\":1,\"properties\":{\"p\":{\"effectiveFrom\":1,\"effectiveFrom\":2}}}]}", "effectiveFrom"),
        ("{\"values\":[{\"id\":1,\"properties\":[{\"key\":1,\"key\":2}]}]}", "key"),
    ] {
        assert_eq!(refused(input, &plan, &["x"]), FilterError::DuplicateName { name: name.into() }, "{input}");
    }
}

#[test]
fn other_names_may_stand_twice() {
    let plan = plan(vec![rule("/values/*", &["/id/code"], &["/properties"])], &[]);
    let input =
        "{\"a\":1,\"values\":[{\"x\":1,\"id\":{\"c\":1,\"c\":2},\"x\":2,\"properties\":{\"p\":{\"key\":1,\"key\":1}}}],\"a\":{\"b\":1,\"b\":2},\"Values\":0}";
    check(input, &plan, &[], input);
}

#[test]
fn a_lone_surrogate_in_a_name_equals_no_followed_name() {
    let plan = plan(vec![rule("/\u{fffd}/*", &[], &[])], &[]);
    let input = "{\"\\ud800\":1,\"\u{fffd}\":[],\"\\udc00\\ud800\":\"\\ud800\"}";
    check(input, &plan, &[], input);
}

#[test]
fn stripped_places_go_every_time_they_stand() {
    let plan = plan(vec![rule("/values/*", &["/id"], &[])], &["/total", "/values/*/secret", "/gone/*"]);
    let input =
        "{\"total\":1,\"values\":[{\"id\":1,\"secret\":[{}]},{\"secret\":1,\"secret\":2,\"id\":2}], \"t\\u006ftal\" : {\"a\":[]} ,\"gone\":[1,[2],3],\"x\":1}";
    check(input, &plan, &[], "{\"values\":[{\"id\":1},{\"id\":2}] ,\"gone\":[],\"x\":1}");
    check("{\"values\":[]}", &plan, &[], "{\"values\":[]}");
    check("{\"total\":1,\"values\":[]}", &plan, &[], "{\"values\":[]}");
}

#[test]
fn a_stripped_member_can_still_be_a_fact() {
    let plan = plan(vec![rule("/*", &["/secret"], &[])], &["/*/secret"]);
    check("[{\"secret\":\"x\"},{\"secret\":1,\"a\":2}]", &plan, &["x"], "[{\"a\":2}]");
}

#[test]
fn patterns_and_pointers_are_read_strictly() {
    for place in ["", "/", "/a/*/b", "/~0~1", "/ä", "/*x", "/**"] {
        assert_eq!(Pattern::parse(place).unwrap().to_string(), place);
    }
    assert!(Pattern::parse("/a/b").unwrap().is_single());
    assert!(Pattern::parse("/*x").unwrap().is_single());
    assert!(!Pattern::parse("/a/*").unwrap().is_single());
    assert!(matches!(Pattern::parse("a"), Err(PatternError::NoSlash(_))));
    assert!(matches!(Pattern::parse("/~2"), Err(PatternError::Tilde(_))));
    assert!(matches!(Pattern::parse("/~"), Err(PatternError::Tilde(_))));
    assert!(matches!(Pointer::parse("/a/*"), Err(PatternError::Star(_))));
    assert_eq!(Pointer::parse("/a~1b/0").unwrap().to_string(), "/a~1b/0");
}

#[test]
fn the_whole_document_cannot_be_stripped() {
    let all = vec![Pattern::parse("").unwrap()];
    assert_eq!(FilterPlan::new(vec![], all, PropertyNames::default()).err(), Some(PatternError::StripsAll));
}

#[test]
fn a_plan_that_would_grow_without_bound_is_refused() {
    let place = |n: usize| format!("{}/a{}", "/*".repeat(n), "/*".repeat(16 - n));
    let rules = (0..16).map(|n| rule(&place(n), &[], &[])).collect();
    let plan = FilterPlan::new(rules, vec![], PropertyNames::default());
    assert_eq!(plan.err(), Some(PatternError::TooMany));
}
