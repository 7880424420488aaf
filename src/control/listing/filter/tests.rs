use std::cmp::Ordering;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::*;

fn holds(text: &str, row: &Value) -> bool {
    Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).matches(row)
}

/// Of each expression, whether it holds of the row.
fn check(row: &Value, expressions: &[(&str, bool)]) {
    for (text, expected) in expressions {
        assert_eq!(holds(text, row), *expected, "{text}");
    }
}

fn expected(text: &str) -> (usize, &'static str) {
    match Filter::parse(text) {
        Err(FilterError::Syntax { position, expected }) => (position, expected),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn text_compares_without_case() {
    check(
        &json!({ "id": { "scope": "Default", "code": "abc-1" }, "quote": "it's" }),
        &[
            ("id.scope eq 'default' and id.code startswith 'ABC'", true),
            ("ID.SCOPE EQ 'DEFAULT' AND Id.Code STARTSWITH 'abc-1'", true),
            ("id.code startswith 'abc-12'", false),
            ("id.code startswith ''", true),
            ("id.code eq 'abc'", false),
            ("id.code neq 'abc'", true),
            ("id.code gt 'abb'", true),
            ("id.code lt 'ABD' and id.code lte 'abc-1' and id.code gte 'ABC-1'", true),
            ("id.code gt 'abc-1'", false),
            ("quote eq 'it''s'", true),
            ("quote eq'it''s'and(id.code exists)", true),
        ],
    );
}

#[test]
fn numbers_and_truths_compare_by_value() {
    check(
        &json!({ "duration": 0.1, "count": 10, "large": u64::MAX, "isSet": true }),
        &[
            ("duration eq 0.10 and duration eq 1e-1", true),
            ("duration gt 0.09999999999999999999", true),
            ("count gt 9 and count lte 10.0 and count gte -5", true),
            ("count eq '10'", false),
            ("count neq '10'", true),
            ("count lt '99' or count gt ''", false),
            ("large lt 18446744073709551616 and large gt 18446744073709551614", true),
            ("isSet eq True", true),
            ("isset neq FALSE", true),
            ("isSet eq 'true' or isSet eq 1", false),
        ],
    );
}

#[test]
fn dates_compare_as_instants() {
    check(
        &json!({ "at": "2024-01-01T01:30:00.0000000+01:00", "never": "9999-12-31T23:59:59.9999999+00:00", "day": "2024-01-01", "name": "2024 in review" }),
        &[
            ("at eq 2024-01-01T00:30:00Z", true),
            ("at eq '2024-01-01T02:30:00+02:00'", true),
            ("at eq '2024-01-01T02:30:00 02:00'", true),
            ("at gt 2024-01-01 and at lt 2024-01-02", true),
            ("at lt 2024-01-01T00:30:01", true),
            ("at in (2024-01-02, '2024-01-01T00:30:00Z')", true),
            ("never gt 2024-01-01", true),
            ("day eq 2024-01-01T00:00:00Z and day eq '2024-01-01T00:00:00'", true),
            ("day startswith '2024-01'", true),
            ("name gt 2024-01-01", false),
            ("name gt '2024-01-01'", false),
            ("name gt '2023-01-01T00:00:00Z'", true),
            ("name lt '2024-01-01'", true),
        ],
    );
}

#[test]
fn one_of_the_elements_of_an_array_is_enough() {
    check(
        &json!({ "roles": [{ "code": "admin" }, { "code": "reader", "tags": ["x", null] }], "empty": [], "nulls": [null], "object": {} }),
        &[
            ("roles.code eq 'reader' and roles.code eq 'ADMIN'", true),
            ("roles.code neq 'reader'", true),
            ("roles.code not in 'reader', 'admin'", false),
            ("roles.tags in ('y','x')", true),
            ("roles.code gt 'b' and roles.code lt 'b'", true),
            ("roles exists and object exists and roles.tags exists", true),
            ("empty exists or nulls exists", false),
            ("object eq 'x' or object startswith ''", false),
        ],
    );
}

#[test]
fn only_not_exists_holds_of_what_is_absent() {
    let row = json!({ "null": null, "x": 1 });
    for field in ["null", "missing", "x.y"] {
        for test in ["eq 1", "neq 1", "gt 0", "lte 9", "startswith ''", "in 1", "not in 1", "exists"] {
            check(&row, &[(&format!("{field} {test}"), false)]);
        }
        check(&row, &[(&format!("{field} not exists"), true), (&format!("not exists {field}"), true), (&format!("exists {field}"), false)]);
    }
    check(&row, &[("x exists", true), ("exists x", true), ("x Not Exists", false), ("NOT EXISTS x", false)]);
}

#[test]
fn operators_may_be_names_of_fields() {
    let row = json!({ "exists": 1, "not": 2, "and": 3, "in": { "or": 4 } });
    check(
        &row,
        &[
            ("exists eq 1 and not eq 2 and and eq 3 and in.or eq 4", true),
            ("exists exists and not exists and x not exists", true),
            ("exists not exists or exists not in 1", false),
            ("and exists", true),
            ("not not exists", false),
        ],
    );
}

#[test]
fn and_binds_tighter_than_or() {
    let row = json!({ "t": 1 });
    check(
        &row,
        &[
            ("t exists or t exists and f exists", true),
            ("(t exists or t exists) and f exists", false),
            ("f exists and f exists or t exists", true),
            ("f exists and (f exists or t exists)", false),
            ("((t exists)) and ((f exists or ((t exists))))", true),
        ],
    );
}

#[test]
fn what_is_no_expression_says_where_and_what_was_expected() {
    let value = "text in single quotes, a number, a date, `true` or `false`";
    for (text, at) in [
        ("", (1, "a field")),
        ("   ", (4, "a field")),
        ("()", (2, "a field")),
        ("'a' eq 'b'", (1, "a field")),
        ("a..b eq 1", (1, "a field")),
        ("a eq 1 and", (11, "a field")),
        ("exists a..b", (8, "a field")),
        ("exists and a eq 1", (8, "an operator")),
        ("a", (2, "an operator")),
        ("a equals 1", (3, "an operator")),
        ("properties[P/a/b] eq 1", (11, "an operator")),
        ("a not eq 1", (7, "`in` or `exists`")),
        ("größe eq", (9, value)),
        ("ä eq x", (6, value)),
        ("a eq null", (6, value)),
        ("a eq 2024-02-30", (6, value)),
        ("a in ()", (7, value)),
        ("a in 'x',", (10, value)),
        ("a startswith 5", (14, "text in single quotes")),
        ("a eq 'b", (6, "a closing quote for the text")),
        ("a startswith 'b''", (14, "a closing quote for the text")),
        ("a in ('x' 'y')", (11, "`,` or `)`")),
        ("a eq 1 b eq 2", (8, "`and`, `or` or the end")),
        ("(a eq 1)) or b eq 2", (9, "`and`, `or` or the end")),
        ("((a eq 1)", (10, "`and`, `or` or `)`")),
        ("a eq 1; b", (7, "`and`, `or` or the end")),
    ] {
        assert_eq!(expected(text), at, "{text}");
    }
    assert_eq!(Filter::parse("a").unwrap_err().to_string(), "expected an operator at character 2");
}

#[test]
fn a_filter_as_long_as_may_be_is_read_however_deep() {
    let deep = format!("{}a exists{}", "(".repeat(8_188), ")".repeat(8_188));
    assert_eq!(deep.len(), LONGEST_FILTER);
    assert!(holds(&deep, &json!({ "a": 1 })));
    assert!(Filter::parse(&"(".repeat(LONGEST_FILTER)).is_err());
    assert_eq!(Filter::parse(&format!("{deep} ")).unwrap_err(), FilterError::TooLong { most: LONGEST_FILTER });
    let levels = 900;
    let nested = format!("{}a exists{}", "b exists or (".repeat(levels), ")".repeat(levels));
    assert!(holds(&nested, &json!({ "a": 1 })) && !holds(&nested, &json!({ "c": 1 })));
    let wide = vec!["ä eq 'é'"; 1_200].join(" and ");
    assert!(holds(&wide, &json!({ "ä": "é" })));
}

/// An expression, and what it means, told again.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Leaf),
    And(Vec<Tree>),
    Or(Vec<Tree>),
}

#[derive(Clone, Debug)]
struct Leaf {
    field: &'static str,
    operator: &'static str,
    values: Vec<Shown>,
}

#[derive(Clone, Debug)]
enum Shown {
    Truth(bool),
    Number(i32),
    Text(String),
    /// Which of [`DATES`], and whether it stands in quotes.
    Date(usize, bool),
}

/// Spellings of instants, and which instant it is.
const DATES: [(&str, i32); 4] = [("2023-12-31T23:00:00-01:00", 1), ("2024-01-01", 1), ("2024-01-01T00:00:00.5Z", 2), ("2024-01-02", 3)];

fn date_of(text: &str) -> Option<i32> {
    DATES.iter().find(|(spelling, _)| *spelling == text).map(|(_, instant)| *instant)
}

impl Shown {
    fn order_of(&self, value: &Value) -> Option<Ordering> {
        match (self, value) {
            (Self::Truth(truth), Value::Bool(value)) => Some(value.cmp(truth)),
            (Self::Number(number), Value::Number(value)) => Some(value.as_i64()?.cmp(&i64::from(*number))),
            (Self::Text(text), Value::String(value)) => Some(value.to_ascii_lowercase().cmp(&text.to_ascii_lowercase())),
            (Self::Date(date, is_quoted), Value::String(value)) => match date_of(value) {
                Some(instant) => Some(instant.cmp(&DATES[*date].1)),
                None => is_quoted.then(|| value.to_ascii_lowercase().cmp(&DATES[*date].0.to_ascii_lowercase())),
            },
            _ => None,
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Truth(truth) => truth.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Date(date, true) => format!("'{}'", DATES[*date].0),
            Self::Date(date, false) => DATES[*date].0.to_owned(),
        }
    }
}

impl Leaf {
    fn told(&self, row: &Value) -> bool {
        let flat = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let found = match self.field.split_once('.') {
            Some((outer, inner)) => flat(&row[outer]).iter().flat_map(|value| flat(&value[inner])).collect(),
            None => flat(&row[self.field]),
        };
        let mut present = found.iter().filter(|value| !value.is_null());
        let first = self.values.first();
        let order = |value| first.and_then(|first| first.order_of(value));
        let is_in = |value| self.values.iter().any(|listed| listed.order_of(value) == Some(Ordering::Equal));
        match self.operator {
            "eq" => present.any(|value| order(value).is_some_and(Ordering::is_eq)),
            "neq" => present.any(|value| order(value).is_none_or(Ordering::is_ne)),
            "gt" => present.any(|value| order(value).is_some_and(Ordering::is_gt)),
            "gte" => present.any(|value| order(value).is_some_and(Ordering::is_ge)),
            "lt" => present.any(|value| order(value).is_some_and(Ordering::is_lt)),
            "lte" => present.any(|value| order(value).is_some_and(Ordering::is_le)),
            "in" => present.any(is_in),
            "not in" => present.any(|value| !is_in(value)),
            "exists" => present.next().is_some(),
            "not exists" => present.next().is_none(),
            other => panic!("{other}"),
        }
    }
}

impl Tree {
    fn told(&self, row: &Value) -> bool {
        match self {
            Self::Leaf(leaf) => leaf.told(row),
            Self::And(trees) => trees.iter().all(|tree| tree.told(row)),
            Self::Or(trees) => trees.iter().any(|tree| tree.told(row)),
        }
    }

    /// In as many parentheses as it needs, or in all that may stand.
    fn print(&self, is_lavish: bool) -> String {
        let inner = |tree: &Self, needs: bool| if needs || is_lavish { format!("( {})", tree.print(is_lavish)) } else { tree.print(is_lavish) };
        match self {
            Self::Leaf(Leaf { field, operator, values }) => {
                let values = values.iter().map(Shown::print).collect::<Vec<_>>().join(" ,");
                let (open, close) = if is_lavish && operator.ends_with("in") { ("(", ")") } else { ("", "") };
                let operator = if is_lavish { operator.to_uppercase().replace(' ', "\t ") } else { (*operator).to_owned() };
                format!("{field} {operator} {open}{values}{close}")
            }
            Self::And(trees) => trees.iter().map(|tree| inner(tree, matches!(tree, Self::Or(_)))).collect::<Vec<_>>().join(" and "),
            Self::Or(trees) => trees.iter().map(|tree| inner(tree, false)).collect::<Vec<_>>().join(" OR "),
        }
    }
}

fn shown() -> impl Strategy<Value = Shown> {
    let date = (0..DATES.len(), any::<bool>()).prop_map(|(date, is_quoted)| Shown::Date(date, is_quoted));
    prop_oneof![any::<bool>().prop_map(Shown::Truth), (-1..2i32).prop_map(Shown::Number), "[aAbé']{0,2}".prop_map(Shown::Text), date]
}

fn leaf() -> impl Strategy<Value = Tree> {
    let operators = prop_oneof![
        (select(vec!["eq", "neq", "gt", "gte", "lt", "lte"]), prop::collection::vec(shown(), 1)),
        (select(vec!["in", "not in"]), prop::collection::vec(shown(), 1..4)),
        (select(vec!["exists", "not exists"]), Just(Vec::new())),
    ];
    (select(vec!["a", "b", "c.d"]), operators).prop_map(|(field, (operator, values))| Tree::Leaf(Leaf { field, operator, values }))
}

fn tree() -> impl Strategy<Value = Tree> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        let several = prop::collection::vec(inner, 1..4);
        prop_oneof![several.clone().prop_map(Tree::And), several.prop_map(Tree::Or)]
    })
}

fn row() -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        2 => Just(Value::Null),
        2 => any::<bool>().prop_map(Value::from),
        3 => (-1..2i32).prop_map(Value::from),
        3 => "[aAbé']{0,2}".prop_map(Value::from),
        3 => select(DATES.map(|(spelling, _)| spelling).to_vec()).prop_map(Value::from),
    ];
    let value = prop_oneof![2 => one.clone(), 1 => prop::collection::vec(one, 0..3).prop_map(Value::from)];
    let inner = prop_oneof![
        value.clone().prop_map(|d| json!({ "D": d })),
        prop::collection::vec(value.clone(), 0..3).prop_map(|all| all.into_iter().map(|d| json!({ "d": d })).collect())
    ];
    (value.clone(), value, inner).prop_map(|(a, b, c)| json!({ "a": a, "b": b, "c": c }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn an_expression_means_what_its_tree_does(tree in tree(), mut rows in prop::collection::vec(row(), 8)) {
        for is_lavish in [false, true] {
            let text = tree.print(is_lavish);
            let filter = Filter::parse(&text);
            prop_assert!(filter.is_ok(), "{}: {:?}", text, filter);
            for row in &mut rows {
                // the filter finds the member whatever its case, the tree by this one
                let mut plain = row.clone();
                if let Some(d) = plain["c"].as_object_mut().and_then(|members| members.remove("D")) {
                    plain["c"] = json!({ "d": d });
                }
                prop_assert_eq!(filter.as_ref().unwrap().matches(row), tree.told(&plain), "{} of {}", text, row);
            }
        }
    }

    #[test]
    fn any_text_is_a_filter_or_refused(text: String, row in row()) {
        if let Ok(filter) = Filter::parse(&text) {
            filter.matches(&row);
        }
    }

    #[test]
    fn any_words_are_a_filter_or_refused(words in prop::collection::vec(select(vec![
        "a", "c.d", "eq", "GT", "in", "not", "exists", "startswith", "and", "or", "(", ")", ",", "'x'", "''", "'", "1", "-2e3", "2024-01-01", "true", "ä", ";", "\u{a0}",
    ]), 0..16), separator in select(vec!["", " "]), row in row()) {
        match Filter::parse(&words.join(separator)) {
            Ok(filter) => { filter.matches(&row); }
            Err(FilterError::Syntax { position, .. }) => prop_assert!((1..=words.join(separator).chars().count() + 1).contains(&position)),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
