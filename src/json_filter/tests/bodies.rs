//! Request bodies as documents, and the texts of raw scalars.

use super::*;

fn places(body: &str, place: &str, names: NameMatch, optional: bool) -> Result<Vec<String>, FilterError> {
    let document = Document::parse(body.as_bytes(), LIMITS)?;
    let mut shown = Vec::new();
    let mut show = |item: Found<'_>| {
        shown.push(format!("{}={}", item.key.as_deref().unwrap_or("-"), String::from_utf8_lossy(item.node.raw())));
        Ok(())
    };
    document.each_item(&Pattern::parse(place).unwrap(), names, optional, &mut show)?;
    Ok(shown)
}

/// What stands at a property place.
fn found_at(document: &Document<'_>, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |node: Node<'_>| {
        found.push(String::from_utf8_lossy(node.raw()).into_owned());
        Ok(())
    };
    document.root().each_place(&Pattern::parse(place).unwrap(), NameMatch::IgnoreCase, &mut note).unwrap();
    found
}

#[test]
fn items_of_a_body_are_found_in_order() {
    let exact = |body, place| places(body, place, NameMatch::Exact, false).unwrap();
    assert_eq!(exact("[1, {\"a\" : 2},null]", "/*"), ["-=1", "-={\"a\" : 2}", "-=null"]);
    assert_eq!(exact("{\"x\":1,\"\\u0079\":2,\"x\":3}", "/*"), ["x=1", "y=2", "x=3"]);
    assert_eq!(exact(" 5 ", ""), ["-=5"]);
    assert_eq!(exact("null", ""), [""; 0]);
    assert_eq!(exact("{\"v\":null}", "/v/*"), [""; 0]);
    assert_eq!(exact("[{\"m\":{\"k\":1}},null,{},{\"m\":[2]}]", "/*/m/*"), ["k=1", "-=2"]);
}

#[test]
fn places_of_a_body_are_demanded_like_those_of_an_answer() {
    let kind = |body, place, optional| places(body, place, NameMatch::Exact, optional);
    assert_eq!(kind("{}", "/v/*", false), Err(FilterError::MissingPlace { rule: 0 }));
    assert_eq!(kind("null", "/v/*", false), Err(FilterError::MissingPlace { rule: 0 }));
    assert_eq!(kind("{}", "/v/*", true), Ok(vec![]));
    assert_eq!(kind("null", "/v/w", true), Ok(vec![]));
    for (body, place) in [("[]", "/v"), ("1", "/*"), ("{\"v\":1}", "/v/*"), ("[[]]", "/*/v")] {
        assert_eq!(kind(body, place, true), Err(FilterError::WrongShape { rule: 0 }), "{body}");
    }
}

#[test]
fn names_of_a_body_are_looked_up_without_case_and_stand_once() {
    let any = |body| places(body, "/Values/*", NameMatch::IgnoreCase, false);
    assert_eq!(any("{\"vALUES\":[1]}").unwrap(), ["-=1"]);
    assert_eq!(any("{\"values\":[],\"\\u0056alues\":[]}"), Err(FilterError::DuplicateName { name: "Values".into() }));
    assert!(places("{\"values\":[],\"Values\":[]}", "/Values/*", NameMatch::Exact, false).is_ok());
    assert!(any("{\"Values\":[],\"n\":1,\"N\":2,\"n\":3}").is_ok());
}

#[test]
fn pointers_lead_into_objects_and_arrays() {
    let body = br#"{"a":{"b":[10,{"c":true}]},"d":1,"D":2,"0":"zero"}"#;
    let document = Document::parse(body, LIMITS).unwrap();
    let at = |to: &str, names| document.root().pointer(&Pointer::parse(to).unwrap(), names);
    let text = |to: &str| at(to, NameMatch::Exact).unwrap().map(|node| node.as_text().map(|text| text.into_owned()));
    assert_eq!(text("/a/b/1/c"), Some(Some("true".into())));
    assert_eq!(text("/a/b/0"), Some(Some("10".into())));
    assert_eq!(text("/a/b/00"), None);
    assert_eq!(text("/a/b/2"), None);
    assert_eq!(text("/a/b"), Some(None));
    assert_eq!(text("/0"), Some(Some("zero".into())));
    assert_eq!(text("/d/x"), None);
    assert!(at("/d", NameMatch::IgnoreCase).is_err());
    assert_eq!(at("/A/B/1/C", NameMatch::IgnoreCase).unwrap().unwrap().raw(), b"true");
}

#[test]
fn properties_of_a_body_are_found_without_demands() {
    let document = Document::parse(br#"{"r":[{"p":{"x":1}},5,{},{"P":[2]}],"q":null}"#, LIMITS).unwrap();
    let at = |place: &str| found_at(&document, place);
    assert_eq!(at("/r/*/p"), ["{\"x\":1}", "[2]"]);
    assert_eq!(at("/none/*"), [""; 0]);
    assert_eq!(at("/q"), ["null"]);
}

#[test]
fn properties_of_a_body_are_not_hidden_by_brackets() {
    let document = Document::parse(br#"{"a":[{"p":1},[[{"p":2}],5]],"0":{"p":3},"e":[]}"#, LIMITS).unwrap();
    let at = |place: &str| found_at(&document, place);
    assert_eq!(at("/a/p"), ["1", "2"]);
    assert_eq!(at("/a/0/p"), ["1"]);
    assert_eq!(at("/a/1/p"), ["2"]);
    assert_eq!(at("/0/p"), ["3"]);
    assert_eq!(at("/e/p"), [""; 0]);
    let led = |to: &str| document.root().plain_pointer(&Pointer::parse(to).unwrap(), NameMatch::IgnoreCase).map(|found| found.map(|node| node.raw()));
    assert_eq!(led("/a/0/p"), Ok(Some(&b"1"[..])));
    assert_eq!(led("/a/p"), Err(FilterError::WrongShape { rule: 0 }));
    assert_eq!((led("/e/p"), led("/x/p"), led("/0/p/q")), (Ok(None), Ok(None), Ok(None)));
}

#[test]
fn a_deep_body_is_read_and_dropped_without_recursion() {
    let limits = Limits { item_bytes: 0, depth: 1_000_000 };
    let body = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    assert!(Document::parse(body.as_bytes(), limits).is_ok());
}

#[test]
fn members_and_numbers_of_a_body_stay_as_they_are() {
    let document = Document::parse(br#"{"a":1.10,"a":1e400,"b":[-0.0,"\u00e9"]}"#, LIMITS).unwrap();
    let members: Vec<_> = document.root().members().map(|(name, node)| (name, node.as_text())).collect();
    assert_eq!(members, [("a".into(), Some("1.10".into())), ("a".into(), Some("1e400".into())), ("b".into(), None)]);
    let list = document.root().member("b", NameMatch::Exact).unwrap().unwrap();
    let texts: Vec<_> = list.elements().map(|node| node.as_text().unwrap()).collect();
    assert_eq!(texts, ["-0.0", "é"]);
}

#[test]
fn scalars_have_a_text_and_nothing_else_has() {
    let is = |raw: &str| text(raw.as_bytes()).map(|text| text.into_owned());
    assert_eq!(is("\"a\\n\\u00e9\\ud83d\\ude00\\/\""), Some("a\né😀/".into()));
    assert_eq!(is("\"\""), Some("".into()));
    assert_eq!(is("1.50"), Some("1.50".into()));
    assert_eq!(is("true"), Some("true".into()));
    for raw in ["null", "{}", "[1]", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\\udbff\"", ""] {
        assert_eq!(is(raw), None, "{raw}");
    }
}
