//! The grammar, the limits, and what is written when something is wrong.

use super::*;

fn list() -> Arc<FilterPlan> {
    plan(vec![rule("/values/*", &["/id"], &[])], &[])
}

#[test]
fn the_grammar_is_strict_in_kept_dropped_and_passed_parts() {
    let bad = [
        "NaN",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "-01",
        "0x1",
        "1.e1",
        "tru",
        "True",
        "nul",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\" 1}",
        "'a'",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"\u{1}\"",
        "\"\t\"",
        "[}",
        "{]",
        "[[]",
        "{\"a\":[}",
        "//",
        "/**/1",
        "",
        "\"\\",
        "1a",
        "\u{feff}1",
        "\u{a0}1",
        "{\"a\":1]",
        "[1}",
    ];
    for value in bad {
        for input in [
            format!("{{\"values\":[{{\"id\":1,\"n\":{value}}}]}}"),
            format!("{{\"values\":[{{\"id\":\"x\",\"n\":{value}}}]}}"),
            format!("{{\"values\":[{{\"id\":{value}}}]}}"),
            format!("{{\"values\":[],\"n\":{value}}}"),
            format!("{{\"values\":[],\"total\":{value}}}"),
        ] {
            let plan = plan(vec![rule("/values/*", &["/id"], &[])], &["/total"]);
            let error = refused(&input, &plan, &["x"]);
            assert!(matches!(error, FilterError::Syntax { .. }), "{input}: {error}");
        }
    }
}

#[test]
fn good_values_pass_everywhere() {
    for value in ["0", "-0", "-0.0e-10", "1E+2", "10.01", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\uAbCd\"", "\"\u{7f}é\"", "[[],{}]", "{\"\":{}}"] {
        for input in [format!("{{\"values\":[{{\"n\":{value}}}],\"x\":{value}}}"), format!(" {{\"values\":{{\"\":{value} }}}}")] {
            check(&input, &list(), &[], &input);
        }
        check(value, &plan(vec![], &[]), &[], value);
    }
}

#[test]
fn invalid_utf8_is_refused_wherever_it_stands() {
    for bad in [&b"\xff"[..], b"\xc3", b"\xc3(", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\x80"] {
        for (before, after) in [("{\"values\":[],\"a\":\"", "\"}"), ("{\"values\":[{\"id\":\"", "\"}]}"), ("{\"values\":[]} ", " ")] {
            let input = [before.as_bytes(), bad, after.as_bytes()].concat();
            let ran = run_cut(&list(), LIMITS, &input, || Box::new(deny(&[])));
            assert!(matches!(ran, Err(FilterError::InvalidUtf8 { .. })), "{bad:?}: {ran:?}");
            assert!(matches!(Document::parse(&input, LIMITS), Err(FilterError::InvalidUtf8 { .. })));
        }
    }
}

#[test]
fn an_empty_answer_passes_and_white_space_alone_does_not() {
    check("", &list(), &[], "");
    check("", &plan(vec![rule("", &["/id"], &[])], &[]), &[], "");
    assert_eq!(refused(" ", &list(), &[]), FilterError::Truncated);
    assert_eq!(refused("\n\t ", &plan(vec![rule("", &[], &[])], &[]), &[]), FilterError::Truncated);
}

#[test]
fn a_value_cut_short_is_refused() {
    let input = "{\"values\":[{\"id\":{\"scope\":\"US\"},\"n\":[1,true,\"a\\u0041\"]}],\"x\":{\"y\":null}}";
    for end in 1..input.len() {
        assert_eq!(refused(&input[..end], &list(), &[]), FilterError::Truncated, "{}", &input[..end]);
    }
}

#[test]
fn text_after_the_value_is_refused_and_the_value_never_complete() {
    for input in ["{\"values\":[]} x", "{\"values\":[]}{", "{\"values\":null}\n,"] {
        assert!(matches!(refused(input, &list(), &[]), FilterError::TrailingBytes { .. }));
    }
    for input in ["1 2", "12 ,", "\"a\"\"", "true false", "[] ]"] {
        assert!(matches!(refused(input, &plan(vec![], &[]), &[]), FilterError::TrailingBytes { .. }));
    }
}

#[test]
fn as_many_brackets_as_the_limit_may_be_open() {
    for (before, after, used) in [("{\"values\":[],\"a\":", "}", 1), ("{\"values\":[{\"id\":", "}]}", 3), ("{\"values\":[", "]}", 2)] {
        let deep = |n: usize| format!("{before}{}{}{after}", "[".repeat(n), "]".repeat(n));
        let fits = deep(128 - used);
        check(&fits, &list(), &[], &fits);
        assert!(matches!(refused(&deep(129 - used), &list(), &[]), FilterError::TooDeep { .. }));
        assert!(matches!(Document::parse(deep(129 - used).as_bytes(), LIMITS), Err(FilterError::TooDeep { .. })));
        assert!(Document::parse(fits.as_bytes(), LIMITS).is_ok());
    }
    let deep = format!("{{\"values\":[{}]}}", "[{\"a\":".repeat(100_000));
    assert!(matches!(run(&list(), LIMITS, &[deep.as_bytes()], &mut deny(&[])), Err(FilterError::TooDeep { .. })));
}

#[test]
fn an_item_may_be_as_large_as_the_limit() {
    let limits = Limits { item_bytes: 50, depth: 128 };
    let at = |size: usize, more: &str| {
        let item = format!("{{\"id\":1,\"n\":\"{}\"{more}}}", "x".repeat(size));
        let input = format!("{{\"values\":[{{}} , {item} ,{item}],\"big\":\"{}\"}}", "y".repeat(200));
        (run_cut(&list(), limits, input.as_bytes(), || Box::new(deny(&[]))), input)
    };
    let frame = "{\"id\":1,\"n\":\"\"}".len();
    let (ran, input) = at(50 - frame, "");
    assert_eq!(ran.unwrap().0, input);
    assert_eq!(at(51 - frame, "").0, Err(FilterError::ItemTooLarge));
    assert_eq!(at(51 - frame, ",").0, Err(FilterError::ItemTooLarge));
    assert!(matches!(at(40 - frame, ",").0, Err(FilterError::Syntax { .. })));
}

#[test]
fn what_no_rule_follows_streams_whatever_its_size() {
    let limits = Limits { item_bytes: 10, depth: 128 };
    let big = format!("\"{}\"", "é\\n".repeat(50_000));
    let input = format!("{{\"a\":{big},\"b\":[{big},{{\"{}\":1}}],\"values\":[{{}}],\"c\":{}}}", "k".repeat(70_000), "1".repeat(90_000));
    let ran = run_cut(&list(), limits, input.as_bytes(), || Box::new(deny(&[])));
    assert_eq!(ran.unwrap().0, input);
    let bare = plan(vec![], &[]);
    assert_eq!(run_cut(&bare, limits, big.as_bytes(), || Box::new(deny(&[]))).unwrap().0, big);
}

#[test]
fn memory_stays_small_while_members_stream() {
    let mut filter = Filter::new(list(), Limits { item_bytes: 1000, depth: 128 });
    let mut out = Vec::new();
    filter.write(b"{\"a\":\"", &mut deny(&[]), &mut out).unwrap();
    for _ in 0..100 {
        out.clear();
        filter.write(&[b'x'; 4096], &mut deny(&[]), &mut out).unwrap();
        assert_eq!(out.len(), 4096);
    }
}

#[test]
fn white_space_where_bytes_are_held_is_bounded() {
    let at = |size: usize| {
        let input = format!("{{\"values\":[1,{}2]}}", " ".repeat(size));
        run_cut(&list(), Limits { item_bytes: 10, depth: 128 }, input.as_bytes(), || Box::new(deny(&[])))
    };
    assert!(at(60_000).is_ok());
    assert_eq!(at(70_000), Err(FilterError::ItemTooLarge));
}

#[test]
fn the_last_byte_of_the_value_is_written_at_the_end() {
    for (input, early) in [("{\"values\":[]} \n", "{\"values\":[]"), ("{\"values\":null}", "{\"values\":null")] {
        let mut filter = Filter::new(list(), LIMITS);
        let mut out = Vec::new();
        filter.write(input.as_bytes(), &mut deny(&[]), &mut out).unwrap();
        assert_eq!(out, early.as_bytes());
        filter.end(&mut deny(&[]), &mut out).unwrap();
        assert_eq!(out, input.as_bytes());
    }
}
