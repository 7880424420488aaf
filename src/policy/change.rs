//! What becomes of a right when one set of policies takes the place of another: exact where the policies tell, by its
//! direction where they tell that, and honest where they do not.
//!
//! A decision is made by the first clause that matches, a clause being a selector with everything else that its policy
//! asks. So a list with more Allow clauses, or fewer Deny clauses, in the same order can only grant more.

use super::asked::keys_of;
use super::coverage::is_narrower;
use super::documents::{Condition, Grant};
use super::fingerprint::fingerprint;
use super::question::EntityKind;
use super::shelf::Entry;
use super::subject::Subject;
use super::wildcard::matches_anything;

/// What becomes of the right to an action, as `when` and `if` stand at the time of the two subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Every question is answered as before.
    None,
    /// It was granted on nothing, and could be granted on something now.
    Gains,
    /// It could be granted on something, and is granted on nothing now.
    Loses,
    /// Nothing that was granted is lost; something more may be granted.
    MayGain,
    /// Nothing more is granted; something that was granted may be lost.
    MayLose,
    /// Either may be, or both.
    MayGainOrLose,
}

impl Change {
    /// From one subject to another, of the same user; none = nobody, who may do nothing.
    #[must_use]
    pub fn between(before: Option<&Subject<'_>>, after: Option<&Subject<'_>>, application: &str, (activity, entity): (&str, &str)) -> Self {
        if let (Some(before), Some(after)) = (before, after)
            && before.rights(application, &[(activity, entity)]).digest == after.rights(application, &[(activity, entity)]).digest
        {
            return Self::None;
        }
        let action = (application, activity, entity);
        Self::of_clauses(&normal(before, action), &normal(after, action), entity)
    }

    fn of_clauses(before: &[Clause<'_>], after: &[Clause<'_>], entity: &str) -> Self {
        match (before.is_empty(), after.is_empty()) {
            (true, true) => Self::None,
            (true, false) => Self::Gains,
            (false, true) => Self::Loses,
            (false, false) if before == after => Self::None,
            (false, false) if can_become(before, after, Grant::Allow, entity) => Self::MayGain,
            (false, false) if can_become(before, after, Grant::Deny, entity) => Self::MayLose,
            (false, false) => Self::MayGainOrLose,
        }
    }
}

/// A selector with the `for` and `if` of its policy.
#[derive(Clone, Copy)]
struct Clause<'a> {
    grant: Grant,
    /// Of all that says whether it matches.
    fingerprint: u128,
    condition: &'a Condition,
    /// Whether its condition alone says if it matches.
    is_plain: bool,
}

impl PartialEq for Clause<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.grant, self.fingerprint) == (other.grant, other.fingerprint)
    }
}

impl Clause<'_> {
    /// Whether the other one, somewhere behind this one, can no longer change an answer.
    fn hides(&self, behind: &Clause<'_>, entity: &str) -> bool {
        if self == behind || (self.is_plain && selects_everything(self.condition)) {
            return true;
        }
        // A Deny reaches further than an Allow of the same words, never less far.
        let reaches_it = self.grant == Grant::Deny || behind.grant == Grant::Allow;
        self.is_plain && reaches_it && is_narrower(behind.condition, self.condition, entity)
    }
}

/// What stands behind the answers about one action, in the order in which it is looked at, without what never counts:
/// it is empty where nothing can be granted.
fn normal<'a>(subject: Option<&Subject<'a>>, (application, activity, entity): (&str, &str, &str)) -> Vec<Clause<'a>> {
    let Some(subject) = subject else { return Vec::new() };
    if subject.is_administrator {
        return vec![Clause { grant: Grant::Allow, fingerprint: 0, condition: &Condition::MatchAll, is_plain: true }];
    }
    let mut kept: Vec<Clause<'_>> = Vec::new();
    for clause in clauses(subject, application, (activity, entity)) {
        if kept.iter().any(|earlier| earlier.hides(&clause, entity)) {
            continue;
        }
        // Among neighbours of one grant the order is nothing: a wider one makes up for the narrower before it.
        let neighbours = kept.iter().rposition(|earlier| earlier.grant != clause.grant).map_or(0, |place| place + 1);
        let mut last = kept.split_off(neighbours);
        last.retain(|earlier| !clause.hides(earlier, entity));
        kept.append(&mut last);
        kept.push(clause);
    }
    // What no Allow follows refuses what is refused anyway.
    kept.truncate(kept.iter().rposition(|clause| clause.grant == Grant::Allow).map_or(0, |place| place + 1));
    for neighbours in kept.chunk_by_mut(|left, right| left.grant == right.grant) {
        neighbours.sort_unstable_by_key(|clause| clause.fingerprint);
    }
    kept
}

/// Whether the one list becomes the other by changes that all go one way: by putting in clauses of the grant `more` and
/// leaving out those of the other, and by what changes nothing, which is to put in or to leave out what is hidden.
fn can_become(before: &[Clause<'_>], after: &[Clause<'_>], more: Grant, entity: &str) -> bool {
    let hidden_from = |clause: &Clause<'_>, by: &[Clause<'_>]| by.iter().position(|other| other.hides(clause, entity)).unwrap_or(usize::MAX);
    let put_in: Vec<usize> = after.iter().map(|clause| if clause.grant == more { 0 } else { hidden_from(clause, before).saturating_add(1) }).collect();
    // For each beginning of `after`: whether it comes of the beginning of `before` that was looked at so far.
    let mut reached = vec![true];
    for first_place in &put_in {
        let so_far = reached.last().is_some_and(|so_far| *so_far);
        reached.push(so_far && *first_place == 0);
    }
    for (place, own) in (1..).zip(before) {
        let left_out = if own.grant == more { hidden_from(own, after).saturating_add(1) } else { 0 };
        let mut so_far = reached.first().is_some_and(|first| *first) && left_out == 0;
        let mut next = vec![so_far];
        let steps = (1..).zip(after).zip(&put_in).zip(reached.iter().zip(reached.iter().skip(1)));
        for (((other_place, clause), put_in), (diagonal, above)) in steps {
            so_far = (*diagonal && own == clause) || (*above && left_out <= other_place) || (so_far && *put_in <= place);
            next.push(so_far);
        }
        reached = next;
    }
    reached.last().is_some_and(|reached| *reached)
}

/// Every clause that could match the action, in the order in which it is looked at: the strongest role first, a Deny before an Allow.
fn clauses<'a>(subject: &Subject<'a>, application: &str, (activity, entity): (&str, &str)) -> Vec<Clause<'a>> {
    let compiled = &subject.policies.compiled;
    let (keys, kind) = (keys_of(activity, entity, &compiled.symbols), EntityKind::of(entity));
    let mut found = Vec::new();
    for stages in subject.stages.chunk_by(|left, right| left.role == right.role) {
        for grant in [Grant::Deny, Grant::Allow] {
            for shelf in stages.iter().filter_map(|stage| compiled.shelves.get(stage.shelf as usize)) {
                let entries = keys.into_iter().flatten().flat_map(|key| shelf.all(key, grant));
                let counted = entries.filter(|entry| subject.could_match(**entry, application, kind));
                found.extend(counted.filter_map(|entry| clause(subject, *entry, kind)));
            }
        }
    }
    found
}

fn clause<'a>(subject: &Subject<'a>, entry: Entry, kind: EntityKind) -> Option<Clause<'a>> {
    let policy = subject.policies.documents.policies.get(entry.policy as usize)?;
    let condition = &policy.selectors.get(entry.selector as usize)?.condition;
    Some(Clause {
        grant: policy.grant,
        fingerprint: fingerprint(&(condition, &policy.dates, &policy.conditions)),
        condition,
        is_plain: policy.conditions.is_empty() && (policy.dates.is_empty() || kind == EntityKind::Feature),
    })
}

fn selects_everything(condition: &Condition) -> bool {
    match condition {
        Condition::MatchAll => true,
        Condition::Identifier(identifier) => identifier.0.iter().all(|part| part.pattern.as_deref().is_none_or(matches_anything)),
        Condition::Metadata(_) | Condition::Policy(_) => false,
    }
}
