//! Dates on the wire: RFC 3339 or a plain date, from the year 0001 to 9999, and `when`.

use super::super::problem::Problem;
use super::super::wire::END_OF_TIME;
use crate::policy::{Instant, parse_instant};
use crate::store::When;
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A date, as it came.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Moment(pub(super) String);

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let text = |format| ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)));
        AnyOfBuilder::new()
            .description(Some("A date and time by RFC 3339, or a date, which means its midnight in UTC."))
            .item(text(KnownFormat::DateTime))
            .item(text(KnownFormat::Date))
            .into()
    }
}

impl ToSchema for Moment {}

impl Moment {
    /// What it means; none if it is no date after all.
    pub(super) fn instant(&self) -> Option<Instant> {
        parse_instant(&self.0)
    }
}

/// When a policy or role is in force.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub(super) struct WhenSpec {
    /// From then on. A new policy or role without it is in force at once; a change without it leaves it as it was.
    pub(super) activate: Option<Moment>,
    /// Until then; without it for ever, which is the end of the year 9999.
    pub(super) deactivate: Option<Moment>,
}

/// `when` as it is kept: both ends are there, in the form in which .NET writes dates.
///
/// # Errors
/// Both ends, where they are no dates.
pub(super) fn settled(when: Option<WhenSpec>, activate: String) -> Result<When, Problem> {
    let when = when.unwrap_or_default();
    let mut problem = Problem::invalid();
    let mut end = |name: &str, moment: Option<Moment>, usual: String| match moment {
        None => usual,
        Some(moment) => moment.instant().map(written).unwrap_or_else(|| {
            problem.report(format!("when.{name}"), format!("`{}` is no date; write it like 2026-01-31T12:00:00Z.", moment.0));
            usual
        }),
    };
    let when = When {
        activate: end("activate", when.activate, activate),
        deactivate: end("deactivate", when.deactivate, END_OF_TIME.to_owned()),
    };
    problem.or_ok(when)
}

/// `2026-11-21T12:00:00.0000000+00:00`.
pub(super) fn written(instant: Instant) -> String {
    let text = instant.to_string();
    let text = text.trim_end_matches('Z');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seven: String = fraction.chars().chain(std::iter::repeat('0')).take(7).collect();
    format!("{whole}.{seven}+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(activate: Option<&str>, deactivate: Option<&str>) -> Result<When, Problem> {
        let moment = |text: Option<&str>| text.map(|text| Moment(text.to_owned()));
        settled(Some(WhenSpec { activate: moment(activate), deactivate: moment(deactivate) }), "2026-11-21T12:00:00.0000000+00:00".to_owned())
    }

    #[test]
    fn dates_of_the_net_form_stay_as_they_came() {
        for text in
            ["0001-01-01T00:00:00.0000000+00:00", "2021-02-01T23:00:00.0000000+00:00", "9999-12-31T23:59:59.9999999+00:00", "9999-12-31T23:59:59.9999990+00:00"]
        {
            assert_eq!(when(Some(text), Some(text)).unwrap(), When { activate: text.to_owned(), deactivate: text.to_owned() });
        }
    }

    #[test]
    fn other_forms_become_it() {
        let both = when(Some("2024-01-01T01:00:00+01:00"), Some("2024-01-31")).unwrap();
        assert_eq!(both.activate, "2024-01-01T00:00:00.0000000+00:00");
        assert_eq!(both.deactivate, "2024-01-31T00:00:00.0000000+00:00");
        assert_eq!(when(Some("2024-01-01T00:00:00.123456789Z"), None).unwrap().activate, "2024-01-01T00:00:00.1234567+00:00");
    }

    #[test]
    fn an_absent_end_is_now_or_never() {
        assert_eq!(when(None, None).unwrap(), When { activate: "2026-11-21T12:00:00.0000000+00:00".to_owned(), deactivate: END_OF_TIME.to_owned() });
    }

    #[test]
    fn what_is_no_date_is_named() {
        let problem = when(Some("yesterday"), Some("2024-02-30")).unwrap_err();
        assert_eq!(problem.errors().keys().collect::<Vec<_>>(), ["when.activate", "when.deactivate"]);
    }
}
