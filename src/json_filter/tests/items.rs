//! Items of arrays and objects: what goes, what stays, and with which comma.

use super::*;

fn list() -> Arc<FilterPlan> {
    plan(vec![rule("/values/*", &["/id"], &[])], &[])
}

#[test]
fn with_nothing_to_remove_the_answer_is_byte_for_byte_the_same() {
    for input in [
        "{ \"values\" : [\n  {\"id\":1 }\n ] , \"href\" : \"x\" }\n",
        " \t{\"a\":1.000000000000000005,\"b\":1e400,\"values\":[ ],\"c\":-0.0,\"d\":\"\\u00e9\\/\\ud83d\\ude00\\n\"}\r\n ",
        "{\"values\":[{\"id\":1},{\"id\":2.50E+1}],\"x\":{},\"y\":[ ],\"z\":[[],{ }]}",
    ] {
        check(input, &list(), &["none"], input);
    }
}

#[test]
fn an_item_goes_with_one_adjoining_comma() {
    let keep = |expected, words: &[&'static str]| {
        check("{\"values\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"}]}", &list(), words, expected);
    };
    keep("{\"values\":[{\"id\":\"b\"},{\"id\":\"c\"}]}", &["a"]);
    keep("{\"values\":[{\"id\":\"a\"},{\"id\":\"c\"}]}", &["b"]);
    keep("{\"values\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", &["c"]);
    keep("{\"values\":[{\"id\":\"b\"}]}", &["a", "c"]);
    keep("{\"values\":[{\"id\":\"c\"}]}", &["a", "b"]);
    keep("{\"values\":[{\"id\":\"a\"}]}", &["b", "c"]);
    keep("{\"values\":[]}", &["a", "b", "c"]);
}

/// However many of four children are hidden, and which: it looks like a text that never had them.
fn check_every_choice(open: &str, blanks: [&str; 3], child: impl Fn(&str) -> String, close: &str, plan: &Arc<FilterPlan>) {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let [first, comma, last] = blanks;
    let text = |names: &[&str]| match names.iter().map(|name| child(name)).collect::<Vec<_>>().join(comma) {
        none if none.is_empty() => format!("{open}{close}"),
        children => format!("{open}{first}{children}{last}{close}"),
    };
    for choice in 0..16_usize {
        let chosen = |is_hidden: usize| -> Vec<&'static str> { (0..4).filter(|at| choice >> at & 1 == is_hidden).map(|at| NAMES[at]).collect() };
        check(&text(&NAMES), plan, &chosen(1), &text(&chosen(0)));
    }
}

#[test]
fn what_is_left_looks_as_if_the_removed_had_never_been_there() {
    let properties = plan(vec![rule("/*", &[], &["/p"])], &[]);
    let stripped = plan(vec![], &["/a", "/b", "/c", "/d"]);
    for blanks in [["", ", ", ""], [" ", " , ", " "], ["\n  ", ",\n  ", "\n"], ["", " ,\t", "\r\n "], ["\t", ",", ""]] {
        check_every_choice("{\"values\":[", blanks, |name| format!("{{ \"id\" : \"{name}\" }}"), "]}", &list());
        check_every_choice("{\"values\":{", blanks, |name| format!("\"{name}\" : 1"), "}}", &list());
        check_every_choice("[{\"p\":{", blanks, |name| format!("\"{name}\": [ ]"), "}}]", &properties);
        check_every_choice("[{\"p\":[", blanks, |name| format!("{{\"key\":\"{name}\"}}"), "]}]", &properties);
        let [first, comma, last] = blanks;
        let shown = |names: &str| names.split(' ').map(|name| format!("\"{name}\":1")).collect::<Vec<_>>().join(comma);
        check(&format!("{{{first}{}{last}}}", shown("a x b c y d")), &stripped, &[], &format!("{{{first}{}{last}}}", shown("x y")));
    }
}

#[test]
fn white_space_goes_with_what_is_removed_before_it() {
    let input = "{\"values\": [\n  {\"id\":\"a\"},\n  {\"id\":\"b\"},\n  {\"id\":\"c\"}\n]}";
    check(input, &list(), &["a"], "{\"values\": [\n  {\"id\":\"b\"},\n  {\"id\":\"c\"}\n]}");
    check(input, &list(), &["b"], "{\"values\": [\n  {\"id\":\"a\"},\n  {\"id\":\"c\"}\n]}");
    check(input, &list(), &["c"], "{\"values\": [\n  {\"id\":\"a\"},\n  {\"id\":\"b\"}\n]}");
    check(input, &list(), &["a", "b", "c"], "{\"values\": []}");
}

#[test]
fn a_star_over_an_object_makes_every_value_an_item_and_its_name_the_key() {
    let input = "{\"values\":{\"x\":{\"id\":\"a\"}, \"\\u0079\":{\"id\":\"b\"},\"x\":{\"id\":\"c\"}}}";
    check(input, &list(), &["b"], "{\"values\":{\"x\":{\"id\":\"a\"},\"x\":{\"id\":\"c\"}}}");
    check(input, &list(), &["y"], "{\"values\":{\"x\":{\"id\":\"a\"},\"x\":{\"id\":\"c\"}}}");
    check(input, &list(), &["x"], "{\"values\":{\"\\u0079\":{\"id\":\"b\"}}}");
}

#[test]
fn the_facts_are_raw_texts_wherever_they_stand() {
    let plan = plan(vec![rule("/values/*", &["/id/scope", "/tags/1", "", "/m", "/id/none"], &[])], &[]);
    let mut judge = deny(&[]);
    let input = b"{\"values\":[{\"m\":{ \"k\" :[1]},\"tags\":[\"p\",\"q\"],\"id\":{\"scope\":\"\\u0055\"}}, 7 ,null]}";
    run(&plan, LIMITS, &[input], &mut judge).unwrap();
    let whole = "{\"m\":{ \"k\" :[1]},\"tags\":[\"p\",\"q\"],\"id\":{\"scope\":\"\\u0055\"}}";
    assert_eq!(judge.asked[0], format!("0 - \"\\u0055\" \"q\" {whole} {{ \"k\" :[1]}} -"));
    assert_eq!(judge.asked[1], "0 - - - 7 - -");
    assert_eq!(judge.asked[2], "0 - - - null - -");
}

#[test]
fn null_and_scalar_elements_are_items_without_facts() {
    struct OnlyWithId;
    impl Judge for OnlyWithId {
        fn item(&mut self, _: usize, _: Option<&str>, facts: &[Option<&[u8]>]) -> ItemVerdict {
            if facts[0].is_some() { ItemVerdict::Keep } else { ItemVerdict::Drop }
        }
        fn property(&mut self, _: usize, _: Property<'_>) -> bool {
            true
        }
    }
    let input = b"{\"values\":[null,1,\"x\",[],{\"id\":1},true]}";
    let ran = run_cut(&list(), LIMITS, input, || Box::new(OnlyWithId));
    assert_eq!(ran.unwrap().0, "{\"values\":[{\"id\":1}]}");
}

#[test]
fn an_escaped_identifier_is_understood() {
    let input = "{\"values\":[{\"\\u0069d\":\"\\u0055S\"},{\"\\u0069d\":\"\\u0055K\"}]}";
    check(input, &list(), &["UK"], "{\"values\":[{\"\\u0069d\":\"\\u0055S\"}]}");
}

#[test]
fn nested_rules_are_not_asked_inside_a_dropped_item() {
    let rules = vec![rule("/values/*/members/*", &["/id"], &[]), rule("/values/*", &["/id"], &[])];
    let plan = plan(rules, &[]);
    let input = "{\"values\":[{\"members\":[{\"id\":\"x\"}],\"id\":\"a\"},{\"id\":\"b\",\"members\":[{\"id\":\"x\"},{\"id\":\"y\"}]}]}";
    check(input, &plan, &["a", "x"], "{\"values\":[{\"id\":\"b\",\"members\":[{\"id\":\"y\"}]}]}");
    let mut judge = deny(&["a", "x"]);
    let (_, counts) = run(&plan, LIMITS, &[input.as_bytes()], &mut judge).unwrap();
    assert_eq!(judge.asked, ["1 - \"a\"", "1 - \"b\"", "0 - \"x\"", "0 - \"y\""]);
    assert_eq!((counts[0].items_kept, counts[0].items_removed), (1, 1));
    assert_eq!((counts[1].items_kept, counts[1].items_removed), (1, 1));
}

#[test]
fn rules_of_one_place_are_asked_in_order_until_one_denies() {
    let plan = plan(vec![rule("/*", &["/a"], &[]), rule("/*", &["/b"], &[])], &[]);
    let mut judge = deny(&["x"]);
    let input = b"[{\"a\":\"x\",\"b\":\"x\"},{\"a\":1,\"b\":\"x\"},{\"a\":1,\"b\":1}]";
    let (out, counts) = run(&plan, LIMITS, &[input], &mut judge).unwrap();
    assert_eq!(out, "[{\"a\":1,\"b\":1}]");
    assert_eq!(judge.asked.len(), 5);
    assert_eq!((counts[0].items_removed, counts[1].items_removed), (1, 1));
}

#[test]
fn what_no_rule_names_passes() {
    let input = "{\"other\":[{\"id\":\"a\"}],\"values\":[{\"id\":\"b\",\"values\":[{\"id\":\"a\"}]}],\"more\":{\"values\":[{\"id\":\"a\"}]}}";
    check(input, &list(), &["a"], input);
}

#[test]
fn a_pass_rule_demands_nothing() {
    let pass = Rule { kind: RuleKind::Pass, ..rule("/failed/*", &[], &[]) };
    let plan = plan(vec![pass], &[]);
    for input in ["{}", "[]", "1", "{\"failed\":{\"x\":1},\"failed\":2}"] {
        check(input, &plan, &[], input);
    }
}

#[test]
fn a_judge_that_waits_is_asked_about_everything_nested_at_once() {
    struct Waits(Vec<usize>, bool);
    impl Judge for Waits {
        fn item(&mut self, rule: usize, _: Option<&str>, _: &[Option<&[u8]>]) -> ItemVerdict {
            self.0.push(rule);
            if self.1 { ItemVerdict::Keep } else { ItemVerdict::Wait }
        }
        fn property(&mut self, _: usize, _: Property<'_>) -> bool {
            true
        }
    }
    let plan = plan(vec![rule("/*", &[], &[]), rule("/*/m/*", &[], &[])], &[]);
    let mut filter = Filter::new(plan, LIMITS);
    let (mut judge, mut out) = (Waits(vec![], false), Vec::new());
    let input = b"[{\"m\":[1,2]} , null]";
    let waiting = filter.write(input, &mut judge, &mut out).unwrap();
    assert_eq!(waiting, Progress::Waiting { consumed: 12 });
    assert_eq!((judge.0.as_slice(), out.as_slice()), ([0, 1, 1].as_slice(), b"[".as_slice()));
    assert_eq!(filter.write(b"", &mut judge, &mut out).unwrap(), Progress::Waiting { consumed: 0 });
    judge.1 = true;
    assert_eq!(filter.write(&input[12..], &mut judge, &mut out).unwrap(), Progress::Done);
    assert_eq!(filter.end(&mut judge, &mut out).unwrap(), Progress::Done);
    assert_eq!(out, input);
    assert_eq!((filter.counts()[0].items_kept, filter.counts()[1].items_kept), (2, 2));
}

#[test]
fn long_lists_are_cut_anywhere() {
    let item = |n: usize| format!("{{\"n\":\"é{n}😀\",\"id\":\"{}\",\"more\":[{n},{{\"a\":\"\\\\\"}}]}}", if n.is_multiple_of(3) { "a" } else { "b" });
    let (mut input, mut expected) = (String::new(), String::new());
    for n in 0..2500 {
        input += &format!("{},\n", item(n));
        if !n.is_multiple_of(3) {
            expected += &format!("{},\n", item(n));
        }
    }
    let (input, expected) = (format!("{{\"values\":[{input}0]}}"), format!("{{\"values\":[{expected}0]}}"));
    assert!(input.len() > 128 * 1024, "several pieces even if it comes whole");
    let plan = plan(vec![rule("/values/*", &["/id", "/n"], &[])], &[]);
    check(&input, &plan, &["a"], &expected);
}

#[test]
fn properties_are_not_hidden_by_brackets_nor_by_an_index() {
    let plan = plan(vec![rule("/v/*", &["/id"], &["/sub/p", "/l/0/p"])], &["/meta/0/total", "/list/total"]);
    check(
        "{\"v\":[{\"id\":1,\"sub\":[{\"p\":{\"x\":1,\"y\":2}},[{\"p\":[{\"key\":\"x\"},{\"key\":\"y\"}]}]]}]}",
        &plan,
        &["x", "\"x\""],
        "{\"v\":[{\"id\":1,\"sub\":[{\"p\":{\"y\":2}},[{\"p\":[{\"key\":\"y\"}]}]]}]}",
    );
    check("{\"v\":[{\"id\":1,\"l\":[{\"p\":{\"x\":1}},{\"p\":{\"x\":1}}]}]}", &plan, &["x"], "{\"v\":[{\"id\":1,\"l\":[{\"p\":{}},{\"p\":{\"x\":1}}]}]}");
    check(
        "{\"v\":[],\"meta\":[{\"total\":1},{\"total\":2}],\"list\":[{\"total\":3}]}",
        &plan,
        &[],
        "{\"v\":[],\"meta\":[{},{\"total\":2}],\"list\":[{\"total\":3}]}",
    );
    check("{\"v\":[[],{\"id\":1,\"sub\":[]}]}", &plan, &[], "{\"v\":[[],{\"id\":1,\"sub\":[]}]}");
}
