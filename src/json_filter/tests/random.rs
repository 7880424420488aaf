//! The filter against the oracle, on random documents, plans, verdicts, waits and cuts.

use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;
use proptest::sample::select;

use super::oracle::Oracle;
use super::*;

/// Verdicts by hash: arbitrary, but the same for the same question.
struct Hashed {
    seed: u64,
    waits: bool,
    waited: HashSet<u64>,
}

impl Hashed {
    fn hash(&self, question: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, question).hash(&mut hasher);
        hasher.finish()
    }
}

impl Judge for Hashed {
    fn item(&mut self, rule: usize, key: Option<&str>, facts: &[Option<&[u8]>]) -> ItemVerdict {
        let hash = self.hash((rule, key, facts));
        match hash % 8 {
            0..=3 if self.waits && self.waited.insert(hash) => ItemVerdict::Wait,
            1 | 4 => ItemVerdict::Drop,
            _ => ItemVerdict::Keep,
        }
    }

    fn property(&mut self, rule: usize, property: Property<'_>) -> bool {
        let hash = self.hash((rule, property.name, property.key, property.date));
        !hash.is_multiple_of(3)
    }
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => select(vec![" ", "\n ", "\t", "\r\n", "   "])]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        12 => select(vec!["a", "b", "c", "d"]),
        2 => select(vec!["key", "effectiveFrom", "0", "1"]),
        1 => select(vec!["\\u0061", "\\ud800", "é", "\\n", "", "long name \\\" with quotes", "😀"]),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let scalars = vec!["null", "1", "-0.5e+10", "true", "false", "\"\"", "\"x\"", "\"é\\u00e9\\\"😀\"", "0", "\"\\ud800\"", "{}", "[]"];
    let leaf = select(scalars).prop_map(str::to_owned);
    leaf.prop_recursive(5, 60, 5, |inner| {
        let element = (blank(), inner.clone(), blank()).prop_map(|(a, v, b)| format!("{a}{v}{b}"));
        let array =
            (blank(), prop::collection::vec(element, 0..5)).prop_map(|(a, all)| format!("[{}]", if all.is_empty() { a.to_owned() } else { all.join(",") }));
        let member = (blank(), name(), blank(), blank(), inner, blank()).prop_map(|(a, n, b, c, v, d)| (n, format!("{a}\"{n}\"{b}:{c}{v}{d}")));
        let object = (prop::collection::vec(member, 0..6), 0..12).prop_map(|(mut all, keep)| {
            if keep > 0 {
                let mut known = HashSet::new();
                all.retain(|(name, _)| known.insert(if *name == "\\u0061" { "a" } else { name }));
            }
            format!("{{{}}}", all.into_iter().map(|(_, member)| member).collect::<Vec<_>>().join(","))
        });
        prop_oneof![1 => array, 2 => object]
    })
}

fn document() -> impl Strategy<Value = String> {
    let shaped = prop::collection::vec(value(), 0..5).prop_map(|v| format!("{{\"a\": [{}] ,\"b\":1}}", v.join(" ,")));
    let value = prop_oneof![1 => value(), 1 => shaped];
    (blank(), value, blank()).prop_map(|(a, v, b)| format!("{a}{v}{b}"))
}

fn place(most: usize, stars: u32) -> impl Strategy<Value = String> {
    places(most, stars, vec!["a", "b", "c"])
}

/// Places of properties, and what is stripped: with indexes.
fn indexed_place(most: usize) -> impl Strategy<Value = String> {
    places(most, 1, vec!["a", "b", "c", "0", "1"])
}

fn places(most: usize, stars: u32, names: Vec<&'static str>) -> impl Strategy<Value = String> {
    let segment = prop_oneof![stars => Just("*"), 3 => select(names)];
    prop::collection::vec(segment, 0..=most).prop_map(|all| all.iter().map(|s| format!("/{s}")).collect())
}

fn pointer() -> impl Strategy<Value = String> {
    prop::collection::vec(select(vec!["a", "b", "c", "0", "1"]), 0..3).prop_map(|all| all.iter().map(|s| format!("/{s}")).collect())
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let facts = prop::collection::vec(pointer(), 0..3);
    let inside = prop::collection::vec(indexed_place(2), 0..2);
    (place(3, 3), facts, inside, 0..10, 0..10).prop_map(|(place, facts, inside, kind, optional)| {
        let facts: Vec<_> = facts.iter().map(String::as_str).collect();
        let inside: Vec<_> = inside.iter().map(String::as_str).collect();
        let rule = match kind {
            0 => Rule { kind: RuleKind::Pass, ..rule(&place, &[], &[]) },
            1 | 2 => properties(&place),
            _ => rule(&place, &facts, &inside),
        };
        Rule { optional: optional > 1, ..rule }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn filter_equals_the_oracle(
        input in document(),
        rules in prop::collection::vec(any_rule(), 0..4),
        strip in prop::collection::vec(indexed_place(2).prop_filter("not all", |p| !p.is_empty()), 0..2),
        seed in any::<u64>(),
        waits in any::<bool>(),
    ) {
        let document = Document::parse(input.as_bytes(), LIMITS).unwrap();
        let judge = |waits| Hashed { seed, waits, waited: HashSet::new() };
        let mut oracle = Oracle::new(&rules, &strip);
        let kept = oracle.filter(&document, &mut judge(false));
        let lead = &input[..document.root().span().start];
        let trail = &input[document.root().span().end..];
        let expected = (format!("{lead}{kept}{trail}"), oracle.counts);
        let plan = plan(rules.clone(), &strip.iter().map(String::as_str).collect::<Vec<_>>());
        match run_cut(&plan, LIMITS, input.as_bytes(), || Box::new(judge(waits))) {
            Ok(ran) => {
                prop_assert!(oracle.errors.is_empty(), "the oracle refuses {input}: {:?}", oracle.errors);
                prop_assert_eq!(ran, expected, "from {}", input);
            }
            Err(error) => {
                prop_assert!(oracle.errors.contains(&error), "{error} not in {:?}, from {input}", oracle.errors);
                let is_faultless = oracle.errors.iter().all(FilterError::is_denied);
                prop_assert!(!error.is_denied() || is_faultless, "denied, with {:?}, from {input}", oracle.errors);
            }
        }
    }

    #[test]
    fn whatever_is_not_json_is_refused(input in document(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = input.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let strict = Document::parse(&bytes, LIMITS).is_ok();
        let reference = std::str::from_utf8(&bytes)
            .is_ok_and(|text| serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok());
        prop_assert_eq!(strict, reference, "{:?}", String::from_utf8_lossy(&bytes));
        for rules in [vec![], vec![optional(rule("/a/*", &["/a"], &[]))], vec![properties("/b")]] {
            let plan = plan(rules, &["/d"]);
            let ran = run_cut(&plan, LIMITS, &bytes, || Box::new(deny(&["x"])));
            prop_assert!(strict || ran.is_err(), "{:?} passes as {ran:?}", String::from_utf8_lossy(&bytes));
            let shape = matches!(ran, Err(FilterError::WrongShape { .. } | FilterError::DuplicateName { .. }));
            prop_assert!(!strict || ran.is_ok() || shape, "{ran:?}");
        }
    }
}
