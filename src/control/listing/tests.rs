use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::query::QueryProblem;
use super::*;

const RULES: ListRules = ListRules::of("policies");

fn read(parameters: &[(&str, &str)], rules: &ListRules) -> Result<ListQuery, Vec<QueryProblem>> {
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ListQuery::read(&parameters, rules)
}

fn query(parameters: &[(&str, &str)]) -> ListQuery {
    read(parameters, &RULES).unwrap_or_else(|problems| panic!("{parameters:?}: {problems:?}"))
}

fn problems(parameters: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    read(parameters, &RULES).err().unwrap_or_default()
}

/// Rows of the numbers below `count`, with keys in their order.
fn numbers(count: usize) -> impl Iterator<Item = (String, impl Fn() -> Value)> {
    (0..count).map(|number| (format!("{number:06}"), move || json!({ "n": number, "parity": number % 2 })))
}

fn shown(page: &Page) -> Vec<u64> {
    page.rows.iter().filter_map(|row| row["n"].as_u64()).collect()
}

#[test]
fn what_is_not_said_is_usual() {
    let plain = query(&[("scope", "x"), ("scope", "y"), ("filter", " "), ("page", "")]);
    assert_eq!((plain.limit(), plain.page(), plain.filter().is_none(), plain.order().is_natural()), (2000, None, true, true));
    let wide = ListRules { usual_limit: 100, largest_limit: 10_000, longest_filter: 3_000, ..ListRules::of("userroles") };
    assert_eq!(read(&[], &wide).unwrap().limit(), 100);
    assert_eq!(read(&[("LIMIT", "10000")], &wide).unwrap().limit(), 10_000);
    let long = format!("a eq '{}'", "ä".repeat(2_993));
    assert!(read(&[("filter", &long)], &wide).is_ok());
    assert_eq!(read(&[("filter", &format!("{long} "))], &wide).unwrap_err(), [("filter", "The filter cannot be read: more than 3000 characters.".to_owned())]);
}

#[test]
fn every_problem_is_told_with_its_parameter() {
    let found = problems(&[("Limit", "0"), ("PAGE", "a-b"), ("filter", "x eq"), ("SortBy", "a,,b")]);
    assert_eq!(found.iter().map(|(field, _)| *field).collect::<Vec<_>>(), ["limit", "page", "filter", "sortBy"]);
    assert_eq!(found[3].1, "The order cannot be read: part 2 is not `field`, `-field`, `field asc` or `field desc`.");
    assert_eq!(found[0].1, "The value is no whole number from 1 to 5000.");
    assert_eq!(found[2].1, "The filter cannot be read: expected text in single quotes, a number, a date, `true` or `false` at character 5.");
}

#[test]
fn a_limit_beyond_its_bounds_is_refused() {
    for limit in ["0", "5001", "-1", "+5", "1.0", "", " 5", "x", "99999999999999999999999"] {
        assert_eq!(problems(&[("limit", limit)]).len(), 1, "{limit}");
    }
    assert_eq!((query(&[("limit", "1")]).limit(), query(&[("limit", "5000")]).limit()), (1, 5000));
}

#[test]
fn a_parameter_given_twice_is_refused() {
    for (name, value) in [("limit", "1"), ("page", ""), ("filter", ""), ("sortBy", "a")] {
        assert_eq!(problems(&[(name, value), (&name.to_uppercase(), value)]), [(name, "The parameter stands more than once.".to_owned())]);
    }
}

#[test]
fn what_has_not_the_shape_of_a_token_is_refused() {
    for token in ["a_b", "a%2b", "====", "a====", "=a", &"a".repeat(501)] {
        assert_eq!(problems(&[("page", token)]).len(), 1, "{token}");
    }
    assert!(query(&[("page", &"a".repeat(500))]).page().is_some());
    assert_eq!(query(&[("page", "a b/=")]).page(), Some("a+b/="));
}

#[test]
fn a_token_of_another_query_is_refused() {
    let first = page(numbers(5), &query(&[("limit", "2")])).unwrap();
    let token = first.next_page.unwrap();
    let of = |parameters: &[(&str, &str)], rules: &ListRules| {
        let all = [parameters, &[("page", &token)]].concat();
        page(numbers(5), &read(&all, rules).unwrap()).map(|page| shown(&page))
    };
    assert_eq!(of(&[("limit", "9")], &RULES), Ok(vec![2, 3, 4]));
    assert_eq!(of(&[("filter", "n exists")], &RULES), Err(PageError::Token));
    assert_eq!(of(&[("sortBy", "n")], &RULES), Err(PageError::Token));
    assert_eq!(of(&[], &ListRules::of("roles")), Err(PageError::Token));
    for made_up in ["AAAA", "a", "=", &"A".repeat(500)] {
        assert_eq!(page(numbers(5), &query(&[("page", made_up)])), Err(PageError::Token), "{made_up}");
    }
}

#[test]
fn filter_and_order_are_told_apart() {
    let token = page(numbers(5), &query(&[("limit", "2"), ("sortBy", "n")])).unwrap().next_page.unwrap();
    assert!(page(numbers(5), &query(&[("sortBy", "n"), ("page", &token)])).is_ok());
    for other in ["-n", "n,parity", "n asc"] {
        assert_eq!(page(numbers(5), &query(&[("sortBy", other), ("page", &token)])), Err(PageError::Token));
    }
}

#[test]
fn a_page_leads_to_its_neighbours_and_nowhere_else() {
    let at =
        |parameters: &[(&str, &str)]| page(numbers(6), &query(&[&[("limit", "2"), ("sortBy", "-n"), ("filter", "n neq 3")], parameters].concat())).unwrap();
    let first = at(&[]);
    assert_eq!((shown(&first), &first.previous_page), (vec![5, 4], &None));
    let second = at(&[("page", &first.next_page.unwrap())]);
    assert_eq!(shown(&second), [2, 1]);
    let third = at(&[("page", &second.next_page.unwrap())]);
    assert_eq!((shown(&third), &third.next_page), (vec![0], &None));
    let back = at(&[("page", &third.previous_page.unwrap())]);
    assert_eq!(shown(&back), [2, 1]);
    let front = at(&[("page", &back.previous_page.unwrap())]);
    assert_eq!((shown(&front), &front.previous_page), (vec![5, 4], &None));
    assert_eq!(shown(&at(&[("page", &front.next_page.unwrap())])), [2, 1]);
}

#[test]
fn a_page_that_became_empty_still_leads_back() {
    let walk = |count, token: &str| page(numbers(count), &query(&[("limit", "2"), ("page", token)])).unwrap();
    let next = walk(4, "").next_page.unwrap();
    let empty = walk(2, &next);
    assert_eq!((empty.rows.len(), &empty.next_page), (0, &None));
    assert_eq!(shown(&walk(2, &empty.previous_page.unwrap())), [0, 1]);
    assert_eq!(walk(0, &next), Page { rows: Vec::new(), next_page: None, previous_page: None });
}

#[test]
fn what_the_filter_leaves_out_is_no_neighbour() {
    let all = query(&[("limit", "1"), ("filter", "parity eq 1")]);
    let next = page(numbers(6), &all).unwrap().next_page.unwrap();
    let second = query(&[("limit", "1"), ("filter", "parity eq 1"), ("page", &next)]);
    let without = |gone: u64| page(numbers(6).filter(move |(key, _)| key.parse() != Ok(gone)), &second).unwrap();
    assert_eq!((shown(&without(1)), without(1).previous_page), (vec![3], None));
    assert_eq!((shown(&without(2)), without(2).previous_page.is_some()), (vec![3], true));
}

#[test]
fn only_the_rows_of_the_page_are_made() {
    let made = Cell::new(0);
    let rows = || (0..100_000u32).map(|number| (format!("{number:06}"), || made.set(made.get() + 1)));
    let rows = || {
        rows().map(|(key, count)| {
            (key, move || {
                count();
                Value::Null
            })
        })
    };
    let mut token = page(rows(), &query(&[("limit", "100")])).unwrap().next_page.unwrap();
    assert_eq!(made.replace(0), 100);
    for _ in 0..3 {
        token = page(rows(), &query(&[("limit", "100"), ("page", &token)])).unwrap().next_page.unwrap();
        assert_eq!(made.replace(0), 100);
    }
    let back = page(rows(), &query(&[("limit", "5000"), ("page", &token)])).unwrap().previous_page.unwrap();
    made.set(0);
    page(rows(), &query(&[("limit", "100"), ("page", &back)])).unwrap();
    assert_eq!(made.get(), 100);
}

#[test]
fn a_filter_asks_of_no_more_rows_than_it_must() {
    let made = Cell::new(0);
    let rows = (0..100_000u32).map(|number| {
        let made = &made;
        (format!("{number:06}"), move || {
            made.set(made.get() + 1);
            json!({ "parity": number % 2 })
        })
    });
    assert_eq!(page(rows, &query(&[("limit", "100"), ("filter", "parity eq 1")])).unwrap().rows.len(), 100);
    // 202 are looked at, and 100 of them made
    assert_eq!(made.get(), 302);
}

/// A row that may be in the list.
#[derive(Clone, Debug)]
struct Entry {
    key: String,
    content: Value,
}

fn entry(number: usize, n: Option<i32>, name: &str, is_long: bool) -> Entry {
    // beyond what a token can carry, all keys that are long agree
    let key = if is_long { format!("{}{:03}", "k".repeat(400), number * 7 % 100) } else { format!("{:03}", number * 7 % 100) };
    Entry { content: json!({ "key": key, "n": n, "name": name }), key }
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let name = prop_oneof![
        Just("x".to_owned()),
        "[aA]{0,2}",
        Just("Long".repeat(120)),
        "[ab]{2}".prop_map(|end| "y".repeat(600) + &end),
        Just("2024-01-01".to_owned())
    ];
    let one = (prop::option::of(0..4i32), name, prop::bool::weighted(0.3));
    prop::collection::vec(one, 1..40).prop_map(|all| all.into_iter().enumerate().map(|(at, (n, name, is_long))| entry(at, n, &name, is_long)).collect())
}

const ORDERS: [&str; 5] = ["", "n", "-n,name", "name", "name DESC, missing"];

/// A list that changes, and what was seen of it.
struct Walk {
    entries: Vec<Entry>,
    present: BTreeSet<usize>,
    order: &'static str,
    filter: &'static str,
    seen: Vec<String>,
}

impl Walk {
    fn page(&self, limit: usize, token: Option<&str>) -> Page {
        let limit = limit.to_string();
        let mut parameters = vec![("limit", limit.as_str()), ("filter", self.filter)];
        parameters.extend((!self.order.is_empty()).then_some(("sortBy", self.order)));
        parameters.extend(token.map(|token| ("page", token)));
        // in no order at all
        let rows = self.present.iter().map(|at| &self.entries[*at]).map(|entry| (&entry.key, || entry.content.clone()));
        page(rows, &query(&parameters)).unwrap()
    }

    fn keys(page: &Page) -> impl DoubleEndedIterator<Item = String> {
        page.rows.iter().map(|row| row["key"].as_str().unwrap().to_owned())
    }

    /// Goes on from a page, forward or backward, with a change behind every page.
    fn go(&mut self, start: Page, is_forward: bool, limits: &[usize], changes: &[Vec<usize>]) {
        let mut current = start;
        for step in 0.. {
            assert!(step < 500, "the walk does not end");
            if is_forward {
                self.seen.extend(Self::keys(&current));
            } else {
                self.seen.extend(Self::keys(&current).rev());
            }
            for at in changes.get(step).into_iter().flatten().map(|at| at % self.entries.len()) {
                if !self.present.remove(&at) {
                    self.present.insert(at);
                }
            }
            let Some(token) = (if is_forward { current.next_page } else { current.previous_page }) else { return };
            current = self.page(limits[step % limits.len()], Some(&token));
        }
    }

    /// The entries that the filter lets through.
    fn is_listed(&self, entry: &Entry) -> bool {
        self.filter.is_empty() || entry.content["n"].as_i64().is_some_and(|n| n >= 1)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_row_that_stays_is_on_one_page_of_a_walk(
        entries in entries(),
        absent in prop::collection::vec(0..40usize, 0..20),
        (order, filter, is_forward) in (select(ORDERS.to_vec()), select(vec!["", "n gte 1"]), any::<bool>()),
        limits in prop::collection::vec(1..6usize, 1..4),
        changes in prop::collection::vec(prop::collection::vec(0..40usize, 0..6), 0..12),
    ) {
        let present: BTreeSet<usize> = (0..entries.len()).filter(|at| !absent.contains(at)).collect();
        let changed: BTreeSet<usize> = changes.iter().flatten().map(|at| at % entries.len()).collect();
        let stays: BTreeSet<usize> = present.difference(&changed).copied().collect();
        let mut walk = Walk { entries, present, order, filter, seen: Vec::new() };
        let mut start = walk.page(limits[0], None);
        if !is_forward {
            while let Some(token) = start.next_page {
                start = walk.page(limits[0], Some(&token));
            }
        }
        walk.go(start, is_forward, &limits, &changes);
        let mut times = BTreeMap::new();
        walk.seen.iter().for_each(|key| *times.entry(key.clone()).or_insert(0) += 1);
        prop_assert!(times.values().all(|times| *times == 1), "{:?}", times);
        for at in stays {
            let entry = &walk.entries[at];
            prop_assert_eq!(times.contains_key(&entry.key), walk.is_listed(entry), "{}", entry.key);
        }
    }

    #[test]
    fn a_walk_of_any_limit_gives_every_row_in_order(count in 0..30usize, limit in 1..32usize, order in select(vec!["", "-n", "parity,-n"]), is_odd: bool) {
        let filter = if is_odd { "parity eq 1" } else { "" };
        let mut expected: Vec<u64> = (0..count as u64).filter(|n| !is_odd || n % 2 == 1).collect();
        match order {
            "-n" => expected.reverse(),
            "parity,-n" => expected.sort_by_key(|n| (n % 2, u64::MAX - n)),
            _ => {}
        }
        let limit = limit.to_string();
        let mut parameters = vec![("limit", limit.as_str()), ("filter", filter)];
        parameters.extend((!order.is_empty()).then_some(("sortBy", order)));
        let at = |token: &str| page(numbers(count), &query(&[parameters.as_slice(), &[("page", token)]].concat())).unwrap();
        let mut pages = vec![at("")];
        while let Some(token) = pages.last().and_then(|page| page.next_page.clone()) {
            pages.push(at(&token));
        }
        prop_assert_eq!(pages.iter().flat_map(shown).collect::<Vec<_>>(), expected);
        prop_assert!(pages.iter().rev().skip(1).all(|page| page.rows.len().to_string() == limit), "only the last page is short");
        // and back again, over the same pages
        for pair in pages.windows(2).rev() {
            let back = at(pair[1].previous_page.as_ref().unwrap());
            prop_assert_eq!(shown(&back), shown(&pair[0]));
        }
        prop_assert_eq!(&pages[0].previous_page, &None);
    }

    #[test]
    fn any_parameters_are_read_or_refused(pairs in prop::collection::vec((select(vec!["limit", "Page", "FILTER", "sortBy", "x"]), any::<String>()), 0..5)) {
        let parameters: Vec<_> = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if let Ok(query) = ListQuery::read(&parameters, &RULES) {
            let _ = page(numbers(3), &query);
        }
    }
}
