//! The room's tests: one `check` runs every input whole and in every kind of pieces.

#![expect(clippy::string_slice, reason = "a panic in a test is a failure")]

mod bodies;
mod items;
mod oracle;
mod places;
mod properties;
mod random;
mod singles;
mod strict;

use std::collections::HashSet;
use std::sync::Arc;

use super::*;

const LIMITS: Limits = Limits { item_bytes: 1 << 20, depth: 128 };

/// Refuses items and properties by what they say.
#[derive(Debug, Clone, Default)]
struct Deny {
    /// An item goes if a fact or its key is one of these, a property if its name or key or date is.
    words: Vec<&'static str>,
    /// Every item waits once.
    waits: bool,
    waited: HashSet<String>,
    /// What was asked.
    asked: Vec<String>,
}

fn deny(words: &[&'static str]) -> Deny {
    Deny { words: words.to_vec(), ..Deny::default() }
}

impl Deny {
    fn denies(&self, word: Option<&str>) -> bool {
        word.is_some_and(|word| self.words.contains(&word))
    }
}

impl Judge for Deny {
    fn item(&mut self, rule: usize, key: Option<&str>, facts: &[Option<&[u8]>]) -> ItemVerdict {
        let texts: Vec<_> = facts.iter().map(|fact| fact.and_then(text)).collect();
        let shown: Vec<_> = facts.iter().map(|f| f.map_or("-".into(), String::from_utf8_lossy)).collect();
        let question = format!("{rule} {} {}", key.unwrap_or("-"), shown.join(" "));
        if self.waits && self.waited.insert(question.clone()) {
            return ItemVerdict::Wait;
        }
        self.asked.push(question);
        let denied = self.denies(key) || texts.iter().any(|text| self.denies(text.as_deref()));
        if denied { ItemVerdict::Drop } else { ItemVerdict::Keep }
    }

    fn property(&mut self, rule: usize, property: Property<'_>) -> bool {
        let words = [property.key.and_then(text), property.date.and_then(text)];
        self.asked.push(format!("{rule} property {property:?}", property = property.name.unwrap_or("-")));
        !(self.denies(property.name) || words.iter().any(|word| self.denies(word.as_deref())))
    }
}

type Ran = Result<(String, Vec<RuleCounts>), FilterError>;

/// Runs a filter over pieces of input, answering every wait by calling again.
fn run(plan: &Arc<FilterPlan>, limits: Limits, pieces: &[&[u8]], judge: &mut dyn Judge) -> Ran {
    let mut filter = Filter::new(Arc::clone(plan), limits);
    let mut out = Vec::new();
    let ended = drive(&mut filter, pieces, judge, &mut out);
    if let Err(error) = ended {
        assert!(Document::parse(&out, limits).is_err(), "after an error the output parses: {out:?}");
        assert_eq!(filter.write(b" ", judge, &mut out), Err(FilterError::Poisoned));
        assert!(filter.end(judge, &mut out).is_err());
        return Err(error);
    }
    Ok((String::from_utf8(out).unwrap(), filter.counts().to_vec()))
}

fn drive(filter: &mut Filter, pieces: &[&[u8]], judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<(), FilterError> {
    for piece in pieces {
        let mut rest = *piece;
        while let Progress::Waiting { consumed } = filter.write(rest, judge, out)? {
            rest = &rest[consumed..];
        }
    }
    while let Progress::Waiting { .. } = filter.end(judge, out)? {}
    Ok(())
}

/// A small generator of random cuts.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % below.max(1)
    }

    fn pieces<'a>(&mut self, mut input: &'a [u8], most: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !input.is_empty() {
            let (piece, rest) = input.split_at((self.roll(most) + self.roll(2)).min(input.len()));
            pieces.push(piece);
            input = rest;
        }
        pieces
    }
}

/// Runs an input whole, in every two pieces if it is small, byte by byte, in random pieces; always
/// with the same result.
fn run_cut(plan: &Arc<FilterPlan>, limits: Limits, input: &[u8], judge: impl Fn() -> Box<dyn Judge>) -> Ran {
    let whole = run(plan, limits, &[input], judge().as_mut());
    let same = |pieces: &[&[u8]], how: &str| {
        let cut = run(plan, limits, pieces, judge().as_mut());
        let text = String::from_utf8_lossy(input);
        let kind = |ran: &Ran| ran.as_ref().err().map(std::mem::discriminant);
        match (&whole, &cut) {
            (Err(_), Err(_)) => assert_eq!(kind(&whole), kind(&cut), "{how} of {text}: {whole:?} {cut:?}"),
            _ => assert_eq!(whole, cut, "{how} of {text}"),
        }
    };
    if input.len() <= 400 {
        for at in 0..input.len() {
            let (one, two) = input.split_at(at);
            same(&[one, two], &format!("cut at {at}"));
        }
    }
    if input.len() <= 20_000 {
        same(&input.chunks(1).collect::<Vec<_>>(), "bytes");
    }
    let mut dice = Dice(input.len() as u64);
    for most in [3, 9, 40, 300, 5000] {
        same(&dice.pieces(input, most), "random pieces");
    }
    whole
}

fn plan(rules: Vec<Rule>, strip: &[&str]) -> Arc<FilterPlan> {
    let strip = strip.iter().map(|place| Pattern::parse(place).unwrap()).collect();
    Arc::new(FilterPlan::new(rules, strip, PropertyNames::default()).unwrap())
}

fn rule(place: &str, facts: &[&str], properties: &[&str]) -> Rule {
    let facts = facts.iter().map(|fact| Pointer::parse(fact).unwrap()).collect();
    let properties = properties.iter().map(|place| Pattern::parse(place).unwrap()).collect();
    Rule { place: Pattern::parse(place).unwrap(), optional: false, kind: RuleKind::Items { facts, properties } }
}

fn optional(rule: Rule) -> Rule {
    Rule { optional: true, ..rule }
}

fn properties(place: &str) -> Rule {
    Rule { place: Pattern::parse(place).unwrap(), optional: false, kind: RuleKind::Properties }
}

/// The plan's answer to an input, alike for all cuts, and alike if every item waits once.
fn answer(input: &str, plan: &Arc<FilterPlan>, words: &[&'static str]) -> Ran {
    let judge = |waits| move || -> Box<dyn Judge> { Box::new(Deny { waits, ..deny(words) }) };
    let at_once = run_cut(plan, LIMITS, input.as_bytes(), judge(false));
    let waiting = run_cut(plan, LIMITS, input.as_bytes(), judge(true));
    assert_eq!(at_once, waiting, "waiting changes {input}");
    at_once
}

fn check(input: &str, plan: &Arc<FilterPlan>, words: &[&'static str], expected: &str) {
    match answer(input, plan, words) {
        Ok((out, _)) => assert_eq!(out, expected, "from {input}"),
        Err(error) => panic!("{error} from {input}"),
    }
}

fn refused(input: &str, plan: &Arc<FilterPlan>, words: &[&'static str]) -> FilterError {
    match answer(input, plan, words) {
        Ok((out, _)) => panic!("{input} is not refused but becomes {out}"),
        Err(error) => error,
    }
}
