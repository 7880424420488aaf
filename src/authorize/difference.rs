//! What a candidate snapshot would change: two verdicts on the same call, one by the policies in force and
//! one by the candidate's, and in what they differ.

use super::admission::Admission;
use super::plan::{self, Plan};
use super::{Step, Verdict};

/// In what the candidate's verdict on a call differs; also the closed label set of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// In nothing that can be told at the request.
    None,
    /// It admits what is refused.
    Gained,
    /// It refuses what is admitted.
    Lost,
    /// Both admit, and other policies speak of the items and properties of the answer.
    Filter,
    /// Both refuse, for another reason.
    Refusal,
    /// It asks for what was not at hand, or there was no time for it.
    Undecided,
}

impl Difference {
    /// Every difference, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::None, Self::Gained, Self::Lost, Self::Filter, Self::Refusal, Self::Undecided];

    /// The label's value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gained => "gained",
            Self::Lost => "lost",
            Self::Filter => "filter",
            Self::Refusal => "refusal",
            Self::Undecided => "undecided",
        }
    }

    /// Between what comes of one call, with the same facts, under two worlds that enforce.
    #[must_use]
    pub fn between(live: &Step, candidate: &Step) -> Self {
        match (live, candidate) {
            (Step::Done(Verdict::Admit(live)), Step::Done(Verdict::Admit(candidate))) => match is_answered_alike(live, candidate) {
                true => Self::None,
                false => Self::Filter,
            },
            (Step::Done(Verdict::Refuse(live)), Step::Done(Verdict::Refuse(candidate))) => match live.refusal.name == candidate.refusal.name {
                true => Self::None,
                false => Self::Refusal,
            },
            (Step::Done(Verdict::Refuse(_)), Step::Done(Verdict::Admit(_))) => Self::Gained,
            (Step::Done(Verdict::Admit(_)), Step::Done(Verdict::Refuse(_))) => Self::Lost,
            (Step::Need(_), _) | (_, Step::Need(_)) => Self::Undecided,
        }
    }
}

/// Whether the same is done with the answer, as far as the policies of the callers say it. Access metadata
/// of single items is not compared.
fn is_answered_alike(live: &Admission, candidate: &Admission) -> bool {
    let digest = |admission: &Admission| admission.inputs.as_deref().and_then(plan::digest);
    live.plan == candidate.plan && (live.plan == Plan::Pass || digest(live) == digest(candidate))
}
