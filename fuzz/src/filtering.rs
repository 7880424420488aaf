//! Filters with their verdicts, run in pieces; and the slow filter that the project's own tests have.

#[path = "../../src/json_filter/tests/oracle.rs"]
mod oracle;

use crate::json_filter::*;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Bounds that inputs of a few kilobytes reach.
pub const LIMITS: Limits = Limits { item_bytes: 600, depth: 40 };

/// Verdicts by hash: arbitrary, but the same for the same question.
pub struct Hashed {
    seed: u8,
    waits: bool,
    waited: HashSet<u64>,
}

impl Hashed {
    pub fn new(seed: u8, waits: bool) -> Self {
        Self { seed, waits, waited: HashSet::new() }
    }

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
        !self.hash((rule, property.name, property.key, property.date)).is_multiple_of(3)
    }
}

/// A plan as it is written in the first line of an input.
pub struct Written {
    pub rules: Vec<Rule>,
    pub strip: Vec<String>,
    pub plan: Arc<FilterPlan>,
}

impl Written {
    /// Reads words such as `/values/*`, `?/values/*,/id,>/properties`, `=/properties`, `~/known`, `-/total`: items
    /// (behind a comma their facts, behind `>` their properties), properties alone, a known place, a
    /// place to strip; `?` says that the place may be missing.
    pub fn read(line: &str) -> Option<Self> {
        let (mut rules, mut strip) = (Vec::new(), Vec::new());
        for word in line.split(' ').filter(|word| !word.is_empty()).take(6) {
            match word.strip_prefix('-') {
                Some(place) => strip.push(place.to_owned()),
                None => rules.push(rule(word)?),
            }
        }
        let places = strip.iter().map(|place| Pattern::parse(place)).collect::<Result<_, _>>().ok()?;
        let plan = Arc::new(FilterPlan::new(rules.clone(), places, PropertyNames::default()).ok()?);
        Some(Self { rules, strip, plan })
    }
}

fn rule(word: &str) -> Option<Rule> {
    let (optional, word) = word.strip_prefix('?').map_or((false, word), |word| (true, word));
    let alone = |place: &str, kind| Some(Rule { place: Pattern::parse(place).ok()?, optional, kind });
    if let Some(place) = word.strip_prefix('=') {
        return alone(place, RuleKind::Properties);
    }
    if let Some(place) = word.strip_prefix('~') {
        return alone(place, RuleKind::Pass);
    }
    let mut parts = word.split(',');
    let place = Pattern::parse(parts.next()?).ok()?;
    let (mut facts, mut properties) = (Vec::new(), Vec::new());
    for part in parts.take(4) {
        match part.strip_prefix('>') {
            Some(place) => properties.push(Pattern::parse(place).ok()?),
            None => facts.push(Pointer::parse(part).ok()?),
        }
    }
    Some(Rule { place, optional, kind: RuleKind::Items { facts, properties } })
}

/// What a run comes to: the output with its counts, or the kind of the error.
pub type Ran = Result<(Vec<u8>, Vec<RuleCounts>), FilterError>;

/// Runs a filter over pieces, answering every wait by calling again.
pub fn run<'p>(plan: &Arc<FilterPlan>, limits: Limits, pieces: impl Iterator<Item = &'p [u8]>, judge: &mut Hashed) -> Ran {
    let mut filter = Filter::new(Arc::clone(plan), limits);
    let mut out = Vec::new();
    match drive(&mut filter, pieces, judge, &mut out) {
        Ok(()) => Ok((out, filter.counts().to_vec())),
        Err(error) => {
            assert!(!crate::json::is_json(&out), "after {error} the output is whole: {}", out.escape_ascii());
            assert_eq!(filter.write(b" ", judge, &mut out), Err(FilterError::Poisoned));
            assert!(filter.end(judge, &mut out).is_err());
            Err(error)
        }
    }
}

fn drive<'p>(filter: &mut Filter, pieces: impl Iterator<Item = &'p [u8]>, judge: &mut Hashed, out: &mut Vec<u8>) -> Result<(), FilterError> {
    for piece in pieces {
        let mut rest = piece;
        while let Progress::Waiting { consumed } = filter.write(rest, judge, out)? {
            rest = &rest[consumed..];
        }
    }
    while let Progress::Waiting { .. } = filter.end(judge, out)? {}
    Ok(())
}

/// Pieces of sizes that look arbitrary, up to `most`.
pub fn pieces(input: &[u8], seed: u8, most: usize) -> Vec<&[u8]> {
    let mut state = u32::from(seed) | 1;
    let mut rest = input;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, behind) = rest.split_at((1 + (state >> 16) as usize % most).min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// What the slow filter makes of an answer: the text, the counts, and every reason to refuse it.
pub struct Slow {
    pub text: String,
    pub counts: Vec<RuleCounts>,
    pub errors: Vec<FilterError>,
}

/// Filters an answer that was read whole.
pub fn slow(written: &Written, document: &Document<'_>, answer: &[u8], seed: u8) -> Slow {
    let mut oracle = oracle::Oracle::new(&written.rules, &written.strip);
    let kept = oracle.filter(document, &mut Hashed::new(seed, false));
    let span = document.root().span();
    let text = std::str::from_utf8(answer).expect("what is JSON is text");
    Slow { text: format!("{}{kept}{}", &text[..span.start], &text[span.end..]), counts: oracle.counts, errors: oracle.errors }
}
