//! The question that decided a call, kept for its record: what was asked, and by what it was answered.

use super::questions::EntityQuestion;
use crate::policy::{Cause, Dates, Question};
use std::borrow::Cow;

/// A question with the answer of the policies. What answered it is kept by its place in the
/// policies, and named by them when somebody reads the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deciding {
    pub(super) action_scope: Box<str>,
    pub(super) activity: Box<str>,
    pub(super) entity: Box<str>,
    /// The parts of the id that are known.
    pub(super) id: Box<[(Box<str>, Box<str>)]>,
    pub(super) answered: Answered,
}

/// By what a question was answered, and about which dates it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    /// None where no policy grants it.
    pub(super) by: Option<Cause>,
    pub(super) effective: Dates,
    pub(super) as_at: Dates,
}

impl Deciding {
    /// A question that was answered by `by`.
    pub(super) fn new(question: &Question<'_>, by: Option<Cause>) -> Self {
        Self {
            action_scope: question.action_scope.into(),
            activity: question.activity.into(),
            entity: question.entity.into(),
            id: known(question.id),
            answered: Answered { by, effective: question.effective, as_at: question.as_at },
        }
    }

    /// A question about an entity that was answered by `by`.
    pub(super) fn of_entity(question: &EntityQuestion<'_>, by: Option<Cause>) -> Self {
        Self {
            action_scope: "default".into(),
            activity: question.activity.into(),
            entity: question.entity.asked_as.clone(),
            id: known(&question.id),
            answered: Answered { by, effective: question.effective, as_at: question.as_at },
        }
    }
}

fn known(id: &[(&str, Option<Cow<'_, str>>)]) -> Box<[(Box<str>, Box<str>)]> {
    id.iter().filter_map(|(part, value)| Some(((*part).into(), value.as_deref()?.into()))).collect()
}
