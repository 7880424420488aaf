//! The filter of one answer: bytes in, kept bytes out.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::Limits;
use super::error::FilterError;
use super::judge::{Judge, Lenient, RuleCounts};
use super::plan::FilterPlan;
use super::scout::Scout;
use super::utf8::{Joined, Split, Whole};
use super::walk::{Company, Walked, Walker};

/// Input is checked and walked piece by piece: it stays in the cache, and a judge that waits often
/// does not make much be checked twice.
const PIECE: usize = 64 * 1024;

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All input is taken.
    Done,
    /// The judge waits. Call again with what follows the first `consumed` bytes of this call's input
    /// (it may be nothing), once the judge can decide.
    Waiting {
        /// Bytes of this call's input that are taken.
        consumed: usize,
    },
}

/// Filters one JSON answer as it streams by (interfaces §6): kept bytes are the upstream's bytes, a
/// removed item or member goes with one adjoining comma and its white space, so that what is left looks as
/// if it had never been there. Memory is bounded by the largest item.
///
/// After an error every further call is an error; what was written by then never parses as a whole
/// document, for its last byte is written by [`Filter::end`] alone.
#[derive(Debug)]
pub struct Filter {
    plan: Arc<FilterPlan>,
    limits: Limits,
    phase: Phase,
    walker: Walker,
    split: Split,
    total: u64,
    counts: Vec<RuleCounts>,
    denied: Option<Denial>,
}

/// A single item was denied. Whether the answer could have been filtered is found out all the same, for
/// what is wrong with it is said whatever the verdict (interfaces §3); nothing of it is written.
#[derive(Debug)]
struct Denial {
    rule: usize,
    counts: Vec<RuleCounts>,
    unwritten: Vec<u8>,
    judge: Lenient,
}

impl Denial {
    fn of(rule: usize, rules: usize) -> Self {
        Self { rule, counts: vec![RuleCounts::default(); rules], unwritten: Vec::new(), judge: Lenient }
    }

    /// Who judges, counts and writes from now on.
    fn instead(&mut self) -> (&mut dyn Judge, &mut [RuleCounts], &mut Vec<u8>) {
        self.unwritten.clear();
        (&mut self.judge, &mut self.counts, &mut self.unwritten)
    }
}

/// What the filter is at.
#[derive(Debug)]
enum Phase {
    /// Single items are undecided: everything is held.
    Scout,
    /// The single items can be asked about, by what was held.
    Ask(Option<Scout>, Vec<u8>),
    /// What was held runs through again from this index, then the rest.
    Walk(Vec<u8>, usize),
    Failed,
}

impl Filter {
    /// A filter for one answer.
    pub fn new(plan: Arc<FilterPlan>, limits: Limits) -> Self {
        let rules = plan.rules;
        let scouting = plan.singles.iter().any(Option::is_some);
        let scout = scouting.then(|| Scout::new(&plan.singles));
        let phase = if scouting { Phase::Scout } else { Phase::Walk(Vec::new(), 0) };
        Self {
            walker: Walker::new(limits, rules, scout),
            counts: vec![RuleCounts::default(); rules],
            split: Split::default(),
            total: 0,
            denied: None,
            plan,
            limits,
            phase,
        }
    }

    /// Takes a piece of the answer and appends what stays to `out`.
    ///
    /// # Errors
    /// When the answer cannot be filtered; the filter is then done for. Also when a single item is denied and
    /// more than [`Limits::item_bytes`] of its answer came.
    pub fn write(&mut self, input: &[u8], judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<Progress, FilterError> {
        let progress = self.take(input, judge, out);
        self.poison(progress)
    }

    /// Ends the answer. An answer without a single byte is no error. After `Waiting`, call again.
    ///
    /// # Errors
    /// As for [`Filter::write`], when the answer is not complete, and when a single item was denied.
    pub fn end(&mut self, judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<Progress, FilterError> {
        let progress = self.complete(judge, out);
        self.poison(progress)
    }

    /// Per rule of the plan, the verdicts so far; an item that waited counts once.
    pub fn counts(&self) -> &[RuleCounts] {
        &self.counts
    }

    /// The denial of a single item, once there is one: the rest of the answer is then waited for only to find out
    /// whether it could have been filtered.
    pub fn denial(&self) -> Option<FilterError> {
        self.denied.as_ref().map(|denial| FilterError::Denied { rule: denial.rule })
    }

    fn poison(&mut self, progress: Result<Progress, FilterError>) -> Result<Progress, FilterError> {
        if progress.is_err() {
            self.phase = Phase::Failed;
        }
        progress
    }

    fn take(&mut self, input: &[u8], judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<Progress, FilterError> {
        if input.is_empty() {
            return Ok(self.waiting(judge, out)?.unwrap_or(Progress::Done));
        }
        let mut taken = 0;
        for piece in input.chunks(PIECE) {
            if let Progress::Waiting { consumed } = self.take_piece(piece, judge, out)? {
                return Ok(Progress::Waiting { consumed: taken + consumed });
            }
            taken += piece.len();
        }
        Ok(Progress::Done)
    }

    fn take_piece(&mut self, input: &[u8], judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<Progress, FilterError> {
        let joined = match self.take_split(input, judge, out)? {
            ControlFlow::Continue(joined) => joined,
            ControlFlow::Break(progress) => return Ok(progress),
        };
        let rest = input.get(joined..).unwrap_or_default();
        let whole = Whole::of(rest, &mut self.split);
        let letters = rest.get(..whole.len).unwrap_or_default();
        if let Some(fed) = self.feed(letters, self.total, judge, out)? {
            self.split.clear();
            self.total += fed as u64;
            return Ok(Progress::Waiting { consumed: joined + fed });
        }
        if whole.invalid {
            return Err(FilterError::InvalidUtf8 { offset: self.total + whole.len as u64 });
        }
        self.total += rest.len() as u64;
        Ok(Progress::Done)
    }

    /// Completes a character that the last cut split, and says how many bytes that took.
    fn take_split(&mut self, input: &[u8], judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<ControlFlow<Progress, usize>, FilterError> {
        if self.split.is_empty() {
            return Ok(ControlFlow::Continue(0));
        }
        if let Some(waiting) = self.waiting(judge, out)? {
            return Ok(ControlFlow::Break(waiting));
        }
        let taken = match self.split.join(input) {
            Joined::Split => {
                self.total += input.len() as u64;
                return Ok(ControlFlow::Break(Progress::Done));
            }
            Joined::Invalid => return Err(self.split_is_invalid()),
            Joined::Whole(letter, taken) => {
                let letter = letter.get(..self.split.len() + taken).unwrap_or_default();
                // A judge waits before a character of several bytes or not at all.
                let at = self.total - self.split.len() as u64;
                if self.feed(letter, at, judge, out)?.is_some() {
                    return Ok(ControlFlow::Break(Progress::Waiting { consumed: 0 }));
                }
                taken
            }
        };
        self.split.clear();
        self.total += taken as u64;
        Ok(ControlFlow::Continue(taken))
    }

    fn split_is_invalid(&self) -> FilterError {
        FilterError::InvalidUtf8 { offset: self.total - self.split.len() as u64 }
    }

    /// Asks again what waits; nothing new is taken.
    fn waiting(&mut self, judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<Option<Progress>, FilterError> {
        Ok(self.feed(&[], self.total, judge, out)?.map(|_| Progress::Waiting { consumed: 0 }))
    }

    fn complete(&mut self, judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<Progress, FilterError> {
        if self.total == 0 && !matches!(self.phase, Phase::Failed) {
            return Ok(Progress::Done);
        }
        if let Some(waiting) = self.waiting(judge, out)? {
            return Ok(waiting);
        }
        if !self.split.is_empty() {
            return Err(self.split_is_invalid());
        }
        let plan = Arc::clone(&self.plan);
        if matches!(self.phase, Phase::Scout) {
            let mut company = Company { spots: &plan.scout, judge, counts: &mut self.counts };
            self.walker.finish(&mut company, out)?;
            self.scouted();
            if let Some(waiting) = self.waiting(judge, out)? {
                return Ok(waiting);
            }
        }
        let (judge, counts, out): (&mut dyn Judge, &mut [RuleCounts], &mut Vec<u8>) = match &mut self.denied {
            Some(denial) => denial.instead(),
            None => (judge, self.counts.as_mut_slice(), out),
        };
        let walked = self.walker.finish(&mut Company { spots: &plan.spots, judge, counts }, out)?;
        match (walked, &self.denied) {
            (Walked::Waiting(_), _) => Ok(Progress::Waiting { consumed: 0 }),
            (_, Some(denial)) => Err(FilterError::Denied { rule: denial.rule }),
            (_, None) => Ok(Progress::Done),
        }
    }

    /// Feeds whole characters, which begin `at` so many bytes, through the phases. `Some`: the judge waits, and so
    /// many bytes are taken.
    fn feed(&mut self, bytes: &[u8], at: u64, judge: &mut dyn Judge, out: &mut Vec<u8>) -> Result<Option<usize>, FilterError> {
        let plan = Arc::clone(&self.plan);
        let mut taken = 0;
        if let Phase::Scout = self.phase {
            let mut company = Company { spots: &plan.scout, judge, counts: &mut self.counts };
            match self.walker.run(bytes, &mut company, out)? {
                Walked::Decided(at) => taken = at,
                Walked::All | Walked::Waiting(_) => return Ok(None),
            }
            self.scouted();
        }
        if let Phase::Ask(scout, held) = &mut self.phase {
            match scout.as_ref().map_or(Ok(true), |scout| scout.ask(held, judge, &mut self.counts)) {
                Ok(true) => {}
                Ok(false) => return Ok(Some(taken)),
                Err(FilterError::Denied { rule }) => self.denied = Some(Denial::of(rule, plan.rules)),
                Err(error) => return Err(error),
            }
            self.phase = Phase::Walk(std::mem::take(held), 0);
        }
        let Phase::Walk(held, again) = &mut self.phase else {
            return Err(FilterError::Poisoned);
        };
        // Whether a denied answer could have been filtered is found out up to a limit, however it is cut.
        let looked_at = (self.limits.item_bytes as u64).saturating_sub(at + taken as u64);
        let rest = bytes.get(taken..).unwrap_or_default();
        let over = self.denied.as_ref().filter(|_| at + bytes.len() as u64 > self.limits.item_bytes as u64).map(|denial| denial.rule);
        let (judge, counts, out): (&mut dyn Judge, &mut [RuleCounts], &mut Vec<u8>) = match &mut self.denied {
            Some(denial) => denial.instead(),
            None => (judge, self.counts.as_mut_slice(), out),
        };
        let mut company = Company { spots: &plan.spots, judge, counts };
        if !held.is_empty() {
            let rest = held.get(*again..).unwrap_or_default();
            if let Walked::Waiting(at) = self.walker.run(rest, &mut company, out)? {
                *again += at;
                return Ok(Some(taken));
            }
            *held = Vec::new();
        }
        if let Some(rule) = over {
            let looked_at = usize::try_from(looked_at).unwrap_or(rest.len());
            self.walker.run(rest.get(..looked_at).unwrap_or(rest), &mut company, out)?;
            return Err(FilterError::Denied { rule });
        }
        match self.walker.run(rest, &mut company, out)? {
            Walked::Waiting(at) => Ok(Some(taken + at)),
            Walked::All | Walked::Decided(_) => Ok(None),
        }
    }

    fn scouted(&mut self) {
        let walker = Walker::new(self.limits, self.plan.rules, None);
        let (scout, held) = std::mem::replace(&mut self.walker, walker).into_scouted();
        self.phase = Phase::Ask(scout, held);
    }
}
