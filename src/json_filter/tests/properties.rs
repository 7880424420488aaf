//! Properties: members of maps, elements with a key.

use super::*;

fn items() -> Arc<FilterPlan> {
    plan(vec![rule("/values/*", &["/id"], &["/properties", "/related/*/properties"])], &[])
}

#[test]
fn a_property_of_a_map_is_judged_by_its_name() {
    let input = "{\"values\":[{\"id\":1,\"properties\":{\"P/a\":1.0,\"P/\\u0062\":{\"key\":\"P/a\"},\"P/c\":null}}]}";
    check(input, &items(), &["P/b"], "{\"values\":[{\"id\":1,\"properties\":{\"P/a\":1.0,\"P/c\":null}}]}");
    check(input, &items(), &["P/a", "P/b", "P/c"], "{\"values\":[{\"id\":1,\"properties\":{}}]}");
}

#[test]
fn the_same_property_twice_is_asked_twice_and_stays_or_goes_twice() {
    let input = "{\"values\":[{\"properties\":{\"p\":1,\"q\":2,\"p\":3}}]}";
    check(input, &items(), &["p"], "{\"values\":[{\"properties\":{\"q\":2}}]}");
    check(input, &items(), &["q"], "{\"values\":[{\"properties\":{\"p\":1,\"p\":3}}]}");
    let (_, counts) = answer(input, &items(), &["p"]).unwrap();
    assert_eq!((counts[0].properties_kept, counts[0].properties_removed), (1, 2));
}

#[test]
fn a_property_of_an_array_is_judged_by_its_key() {
    let input = "{\"values\":[{\"properties\":[{\"key\":\"p\"},{\"k\\u0065y\":\"q\"} , 5,{}]}]}";
    check(input, &items(), &["p"], "{\"values\":[{\"properties\":[{\"k\\u0065y\":\"q\"} , 5,{}]}]}");
    check(input, &items(), &["q"], "{\"values\":[{\"properties\":[{\"key\":\"p\"} , 5,{}]}]}");
}

#[test]
fn a_property_is_judged_by_its_own_date() {
    let input = "{\"values\":[{\"properties\":{\"p\":{\"effectiveFrom\":\"old\"},\"q\":{\"x\":{\"effectiveFrom\":\"old\"}}}}]}";
    check(input, &items(), &["old"], "{\"values\":[{\"properties\":{\"q\":{\"x\":{\"effectiveFrom\":\"old\"}}}}]}");
    let input = "{\"values\":[{\"properties\":[{\"key\":1,\"effectiveFrom\":\"old\"},{\"key\":1}]}]}";
    check(input, &items(), &["old"], "{\"values\":[{\"properties\":[{\"key\":1}]}]}");
}

#[test]
fn properties_that_are_missing_null_or_scalar_stay() {
    for inside in ["{}", "{\"properties\":null}", "{\"properties\":\"p\"}", "{\"related\":5}", "{\"related\":[7,[],null]}", "[]", "4"] {
        let input = format!("{{\"values\":[{inside}]}}");
        check(&input, &items(), &["p"], &input);
    }
}

#[test]
fn properties_stand_in_several_places_of_an_item() {
    let input = "{\"values\":[{\"related\":[{\"properties\":{\"p\":1}},{\"properties\":{\"q\":1,\"p\":1}}],\"properties\":{\"p\":[],\"r\":0}}]}";
    let expected = "{\"values\":[{\"related\":[{\"properties\":{}},{\"properties\":{\"q\":1}}],\"properties\":{\"r\":0}}]}";
    check(input, &items(), &["p"], expected);
}

#[test]
fn a_body_may_carry_properties_without_an_item() {
    let plan = plan(vec![properties("/properties")], &[]);
    check("{\"properties\":{\"p\":1,\"q\":{\"a\":[]}},\"href\":1}", &plan, &["p"], "{\"properties\":{\"q\":{\"a\":[]}},\"href\":1}");
    for input in ["{\"properties\":null,\"n\":1}", "{}", "{\"properties\":\"p\"}", "null", "7"] {
        check(input, &plan, &["p"], input);
    }
    assert_eq!(refused("[]", &plan, &[]), FilterError::WrongShape { rule: 0 });
    assert!(matches!(refused("{\"properties\":1,\"properties\":2}", &plan, &[]), FilterError::DuplicateName { .. }));
}

#[test]
fn the_document_itself_may_be_the_map_or_the_array() {
    let plan = plan(vec![properties("")], &[]);
    check("{\"p\":1,\"q\":2}", &plan, &["p"], "{\"q\":2}");
    check("[{\"key\":\"p\"},{\"key\":\"q\"}]", &plan, &["q"], "[{\"key\":\"p\"}]");
}

#[test]
fn properties_of_a_dropped_item_are_not_asked() {
    let mut judge = deny(&["x"]);
    run(&items(), LIMITS, &[b"{\"values\":[{\"properties\":{\"p\":1},\"id\":\"x\"}]}"], &mut judge).unwrap();
    assert_eq!(judge.asked, ["0 - \"x\""]);
}
