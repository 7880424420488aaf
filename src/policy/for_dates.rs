//! Whether the entries of `for` hold for a question's dates (semantics §5).

use super::dates::{Dates, Instant, Interval, quality_holds, span};
use super::documents::{AsAtEnd, DateQuality, ForSpec, Grant};
use super::question::Question;
use super::truth::Truth;

/// Whether all entries hold.
pub(super) fn dates_hold(entries: &[ForSpec], grant: Grant, question: &Question<'_>, now: Instant) -> Truth {
    Truth::all(entries.iter().map(|entry| {
        let asked = if entry.is_effective() { question.effective } else { question.as_at };
        match asked {
            Dates::Unknown => Truth::Unknown,
            Dates::LeftToRows => (grant == Grant::Allow).into(),
            Dates::Between(asked) => entry_holds(entry, grant, asked, now),
        }
    }))
}

fn entry_holds(entry: &ForSpec, grant: Grant, asked: Interval, now: Instant) -> Truth {
    match set_of(entry, now) {
        Ok(set) => set.is_some_and(|set| lies_in(asked, set, grant)).into(),
        Err(quality) => quality_holds(quality, grant, asked, now),
    }
}

/// An Allow needs the whole interval, a Deny is met by one instant of it.
fn lies_in(asked: Interval, set: Interval, grant: Grant) -> bool {
    match grant {
        Grant::Allow => asked.is_within(set),
        Grant::Deny => asked.touches(set),
    }
}

/// The instants that the entry describes, none if there is none; or the quality they must have.
fn set_of(entry: &ForSpec, now: Instant) -> Result<Option<Interval>, DateQuality> {
    let end = |end: &AsAtEnd| match end {
        AsAtEnd::Latest => now,
        AsAtEnd::At(instant) => *instant,
    };
    Ok(match entry {
        ForSpec::EffectiveRange { from, to } => Interval::between(from.unwrap_or(Instant::MIN), to.unwrap_or(Instant::MAX)),
        ForSpec::AsAtRange { from, to } => Interval::between(end(from), end(to)),
        ForSpec::EffectiveRelative(date) | ForSpec::AsAtRelative(date) => span(date, now),
        ForSpec::EffectiveQuality(quality) => return Err(*quality),
    })
}

impl ForSpec {
    /// Whether it looks at the effective dates; otherwise at the asAt dates.
    pub(super) const fn is_effective(&self) -> bool {
        matches!(self, Self::EffectiveRange { .. } | Self::EffectiveRelative(_) | Self::EffectiveQuality(_))
    }

    /// Whether it describes other instants at another time.
    pub(super) fn depends_on_now(&self) -> bool {
        match self {
            Self::EffectiveRange { .. } => false,
            Self::AsAtRange { from, to } => [from, to].contains(&&AsAtEnd::Latest),
            Self::EffectiveRelative(_) | Self::AsAtRelative(_) => true,
            Self::EffectiveQuality(quality) => quality.is_of_the_current_month(),
        }
    }
}
