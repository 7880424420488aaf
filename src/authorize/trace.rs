//! What the policies were asked about one call and what they said, for `doorward explain`. Doors
//! never ask for it.

use super::inputs::Inputs;
use super::questions::Asker;
use crate::policy::{Context, Dates, Explanation, MetadataOf, Question, explain};
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// Questions in the order in which they were asked, up to a bound.
#[derive(Debug, Default)]
pub struct Trace {
    asked: Mutex<Vec<Traced>>,
}

/// One question and its explanation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traced {
    /// The activity and entity, such as `Read Portfolio`.
    pub action: String,
    /// The id, part by part; an unknown part has no value.
    pub id: Vec<(String, Option<String>)>,
    /// What else was known of it, in words.
    pub known: String,
    /// Every role and policy that had a part in it.
    pub explanation: Explanation,
}

/// Long lists repeat themselves; nobody reads further.
const MOST: usize = 1000;

impl Trace {
    /// Everything that was asked.
    #[must_use]
    pub fn take(&self) -> Vec<Traced> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note(&self, asker: &Asker<'_>, question: &Question<'_>) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() < MOST {
            asked.push(traced(asker.inputs, (&asker.operation.application, &asker.operation.feature), question));
        }
    }
}

fn traced(inputs: &Inputs, feature: (&str, &str), question: &Question<'_>) -> Traced {
    let policies = &inputs.world.snapshot.policies;
    let context = Context {
        now: inputs.now,
        headers: &inputs.headers,
        claims: inputs.caller.claims(),
        scopes: inputs.caller.scopes(),
        feature: Some(feature),
    };
    Traced {
        action: format!("{} {}", question.activity, question.entity),
        id: question.id.iter().map(|(part, value)| ((*part).to_owned(), value.as_deref().map(str::to_owned))).collect(),
        known: known(question),
        explanation: explain(policies, inputs.caller.roles(policies), &context, question),
    }
}

fn known(question: &Question<'_>) -> String {
    let metadata = match question.metadata {
        MetadataOf::Unknown => "metadata unknown",
        MetadataOf::LeftToAnswer => "metadata left to the answer",
        MetadataOf::Known(_) => "metadata known",
    };
    format!("{metadata}, effective {}, asAt {}", dates(question.effective), dates(question.as_at))
}

fn dates(dates: Dates) -> String {
    match dates {
        Dates::Unknown => "unknown".to_owned(),
        Dates::LeftToRows => "left to the rows".to_owned(),
        Dates::Between(interval) if interval.from() == interval.to() => interval.from().to_string(),
        Dates::Between(interval) => format!("{} to {}", interval.from(), interval.to()),
    }
}
