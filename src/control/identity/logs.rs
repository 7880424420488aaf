//! The identity log: what happened to accounts, who did it, when. It never holds a secret.

use super::log_filter::Filter;
use crate::control::caller::Caller;
use crate::control::parameters::Parameters;
use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem};
use crate::control::wire::{ResourceList, hexadecimal, random, write_time};
use crate::observe::clock;
use crate::store::{Application, EventRow, IdentityRole, Span, User};
use axum::Json;
use axum::extract::{OriginalUri, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How many events a page has unless it is asked for others.
const USUAL: u32 = 100;
/// How many it has at most.
const MOST: u32 = 1000;
/// How many events one request looks at, whatever its filter leaves of them.
const LOOKED_AT: u32 = 10_000;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(own))
}

/// Something that happened
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::control) struct SystemLog {
    /// Its id
    uuid: String,
    /// When it happened
    #[serde(serialize_with = "write_time")]
    #[schema(value_type = String, format = DateTime)]
    published: Timestamp,
    /// What happened
    event_type: String,
    /// The same in words
    display_message: String,
    /// The version of this form
    version: String,
    /// How much it matters
    severity: LogSeverity,
    /// What came of it
    outcome: LogOutcome,
    /// Who did it
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    actor: Option<LogActor>,
    /// To what
    target: Vec<Target>,
    /// By which request
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    transaction: Option<LogTransaction>,
}

/// How much an event matters
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct LogSeverity {
    /// INFO or WARN
    value: String,
}

/// What came of it
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct LogOutcome {
    /// SUCCESS or FAILURE
    result: String,
    /// Why it failed
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// Who did something
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogActor {
    /// The user's id
    id: String,
    /// User
    #[serde(rename = "type")]
    kind: String,
    /// The user's login
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    alternate_id: Option<String>,
    /// The user's name
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    display_name: Option<String>,
}

/// What something was done to
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LogTarget)]
pub(in crate::control) struct Target {
    /// Its id
    id: String,
    /// Its kind
    #[serde(rename = "type")]
    kind: String,
    /// What else it is called
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    display_name: Option<String>,
}

/// The request that something was done by
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct LogTransaction {
    /// WEB
    #[serde(rename = "type")]
    kind: String,
    /// The id of the request
    id: String,
}

/// An event to be written down.
#[derive(Clone, Debug)]
pub(in crate::control) struct Event<'a> {
    /// What happened, as `user.session.start`.
    pub(in crate::control) kind: &'a str,
    /// Who did it, if that is known.
    pub(in crate::control) actor: Option<&'a str>,
    /// To what.
    pub(in crate::control) targets: Vec<Target>,
    /// Why it failed; `None` = it did not.
    pub(in crate::control) failure: Option<String>,
    /// The id of the request.
    pub(in crate::control) request: Option<String>,
}

impl Target {
    fn new(kind: &str, id: &str, display_name: Option<String>) -> Self {
        Self { id: id.to_owned(), kind: kind.to_owned(), display_name }
    }

    /// A user.
    pub(in crate::control) fn user(user: &User) -> Vec<Self> {
        vec![Self::new("User", &user.id, Some(user.login.clone()))]
    }

    /// A user of that id.
    pub(in crate::control) fn user_id(id: &str) -> Vec<Self> {
        vec![Self::new("User", id, None)]
    }

    pub(super) fn role(role: &IdentityRole) -> Vec<Self> {
        vec![Self::new("UserGroup", &role.id, Some(role.name.clone()))]
    }

    pub(super) fn role_id(id: &str) -> Vec<Self> {
        vec![Self::new("UserGroup", id, None)]
    }

    pub(super) fn application(application: &Application) -> Vec<Self> {
        vec![Self::new("AppInstance", &application.id, Some(application.client_id.clone()))]
    }

    /// An application, by an id of its.
    pub(in crate::control) fn application_id(id: &str) -> Vec<Self> {
        vec![Self::new("AppInstance", id, None)]
    }

    pub(super) fn key(id: &str) -> Vec<Self> {
        vec![Self::new("Token", id, None)]
    }

    pub(super) fn setting(name: &str) -> Vec<Self> {
        vec![Self::new("Policy", name, None)]
    }

    pub(super) fn issuer(code: &str) -> Vec<Self> {
        vec![Self::new("IdentityProvider", code, None)]
    }

    pub(super) fn zone(code: &str) -> Vec<Self> {
        vec![Self::new("NetworkZone", code, None)]
    }
}

/// What happened, in words.
const MESSAGES: &[(&str, &str)] = &[
    ("app.oauth2.token.grant", "Give a token to an application"),
    ("app.oauth2.token.refresh", "Renew tokens"),
    ("app.oauth2.token.revoke", "Revoke token"),
    ("application.lifecycle.create", "Create application"),
    ("application.lifecycle.delete", "Delete application"),
    ("application.lifecycle.update", "Give application another secret"),
    ("application.secret.read", "Show secret of application"),
    ("group.lifecycle.create", "Create role"),
    ("group.lifecycle.delete", "Delete role"),
    ("group.lifecycle.update", "Update role"),
    ("group.user_membership.add", "Add user to role"),
    ("group.user_membership.remove", "Remove user from role"),
    ("policy.lifecycle.update", "Update policy of passwords or sessions"),
    ("system.api_token.create", "Create personal access token"),
    ("system.api_token.revoke", "Delete personal access token"),
    ("system.idp.lifecycle.create", "Create external token issuer"),
    ("system.idp.lifecycle.delete", "Delete external token issuer"),
    ("system.idp.lifecycle.update", "Update external token issuer"),
    ("user.account.expire_password", "Replace password by a temporary one"),
    ("user.account.reset_password", "Reset password: a set-up link was made"),
    ("user.account.unlock", "Unlock account"),
    ("user.account.update_password", "Set password"),
    ("user.account.update_profile", "Update user"),
    ("user.lifecycle.activate", "Activate user: a set-up link was made"),
    ("user.lifecycle.create", "Create user"),
    ("user.lifecycle.deactivate", "Deactivate user"),
    ("user.lifecycle.delete.completed", "Purge user"),
    ("user.lifecycle.setup_link", "Show a set-up link"),
    ("user.lifecycle.unsuspend", "Unsuspend user"),
    ("user.mfa.factor.reset_all", "Reset second factors"),
    ("user.schema.update", "Update user schema"),
    ("user.session.start", "Sign in"),
    ("user.session.end", "Sign out"),
    ("user.account.lock", "Lock account after too many attempts"),
    ("zone.create", "Create network zone"),
    ("zone.delete", "Delete network zone"),
    ("zone.update", "Update network zone"),
];

/// Writes down what a caller did.
pub(super) async fn tell(plane: &Plane, caller: &Caller, kind: &str, targets: Vec<Target>) {
    let request = Some(caller.author().request);
    write(plane, Event { kind, actor: Some(caller.user()), targets, failure: None, request }).await;
}

/// Writes an event down. What it tells of is done already, and stands in the audit log: that the
/// event cannot be written is told on standard error and keeps nobody from going on.
pub(in crate::control) async fn write(plane: &Plane, event: Event<'_>) {
    let state = plane.state().await.ok();
    let actor = event.actor.map(|id| {
        let user = state.as_ref().and_then(|state| state.users.find(id));
        let (login, name) = user.map(|user| (user.login.clone(), format!("{} {}", user.first_name, user.last_name))).unzip();
        LogActor { id: id.to_owned(), kind: "User".to_owned(), alternate_id: login, display_name: name }
    });
    let Some(row) = row(event, actor, clock::now()) else { return tracing::error!("an event of the identity log could not be made") };
    if let Err(error) = plane.store.append_events(&[row]).await {
        tracing::error!(%error, "an event of the identity log was not written");
    }
}

fn row(event: Event<'_>, actor: Option<LogActor>, now: Timestamp) -> Option<EventRow> {
    let uuid = hexadecimal(&random::<16>().ok()?);
    let message = MESSAGES.iter().find(|(kind, _)| *kind == event.kind).map_or(event.kind, |(_, message)| message);
    let (severity, result) = if event.failure.is_some() { ("WARN", "FAILURE") } else { ("INFO", "SUCCESS") };
    let published = Timestamp::from_microsecond(now.as_microsecond()).ok()?;
    let user = actor.as_ref().map(|actor| actor.id.clone());
    let log = SystemLog {
        uuid: uuid.clone(),
        published,
        event_type: event.kind.to_owned(),
        display_message: message.to_owned(),
        version: "0".to_owned(),
        severity: LogSeverity { value: severity.to_owned() },
        outcome: LogOutcome { result: result.to_owned(), reason: event.failure },
        actor,
        target: event.targets,
        transaction: event.request.map(|id| LogTransaction { kind: "WEB".to_owned(), id }),
    };
    let body = serde_json::to_string(&log).ok()?;
    Some(EventRow { id: uuid, at: published, user, kind: log.event_type, body })
}

/// What a request asks of the log.
struct Asked {
    span: Span,
    is_ascending: bool,
    filter: Filter,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self, Problem> {
        let is_ascending = match parameters.text("oktaSortOrder")? {
            None => true,
            Some(order) if order.eq_ignore_ascii_case("ascending") || order.eq_ignore_ascii_case("asc") => true,
            Some(order) if order.eq_ignore_ascii_case("descending") || order.eq_ignore_ascii_case("desc") => false,
            Some(_) => return Err(Problem::invalid().field("oktaSortOrder", "The order is neither ASCENDING nor DESCENDING.")),
        };
        let span = Span {
            from: parameters.instant("oktaSince")?,
            to: parameters.instant("oktaUntil")?,
            before: parameters.text("oktaAfter")?.map(place).transpose()?,
            limit: parameters.number("oktaLimit", 1..=MOST)?.unwrap_or(USUAL),
        };
        let filter = Filter::read(parameters.text("oktaFilter")?, parameters.text("oktaQuery")?)?;
        Ok(Self { span, is_ascending, filter })
    }
}

/// The token of the page behind an event.
fn token(row: &EventRow) -> String {
    STANDARD.encode(format!("{} {}", row.at.as_microsecond(), row.id))
}

fn place(token: &str) -> Result<(Timestamp, String), Problem> {
    let read = || {
        let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
        let (at, id) = text.split_once(' ')?;
        Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, id.to_owned()))
    };
    read().ok_or_else(|| Problem::of(Code::PageToken).detail("This is no token of a page of this log."))
}

/// The events of one page, of one user or of all.
async fn page(plane: &Plane, parameters: &Parameters, user: Option<&str>, href: String) -> Result<ResourceList<SystemLog>, Problem> {
    let Asked { mut span, is_ascending, filter } = Asked::read(parameters)?;
    let limit = span.limit as usize;
    let mut answer = ResourceList::whole(Vec::new(), href);
    for _ in 0..LOOKED_AT / MOST {
        span.limit = if filter.is_none() { u32::try_from(limit - answer.values.len()).unwrap_or(MOST) } else { MOST };
        let rows = plane.store.events(&span, user, is_ascending).await.map_err(|error| {
            tracing::error!(%error, "the identity log could not be read");
            Problem::of(Code::Unavailable)
        })?;
        let was_full = rows.len() == span.limit as usize;
        for row in rows {
            span.before = Some((row.at, row.id.clone()));
            answer.next_page = Some(token(&row));
            let Ok(value) = serde_json::from_str(&row.body) else { continue };
            if !filter.admits(&value) {
                continue;
            }
            answer.values.extend(serde_json::from_value::<SystemLog>(value).ok());
            if answer.values.len() == limit {
                return Ok(answer);
            }
        }
        if !was_full {
            answer.next_page = None;
            return Ok(answer);
        }
    }
    Ok(answer)
}

/// Lists system logs for a domain
///
/// What happened to accounts. `nextPage` is the `oktaAfter` of the events behind; a filter may leave a page empty that has one.
#[utoipa::path(get, path = "/identity/api/logs", operation_id = "ListLogs", tag = "IdentityLogs",
    params(("oktaSince" = Option<String>, Query, format = DateTime, description = "From then on"),
        ("oktaUntil" = Option<String>, Query, format = DateTime, description = "Until then, exclusively"),
        ("oktaFilter" = Option<String>, Query, max_length = 2048, description = "Such as: eventType eq \"user.session.start\" and actor.id eq \"00u…\""),
        ("oktaQuery" = Option<String>, Query, max_length = 1024, description = "Words that all occur in the event, in any case"),
        ("oktaLimit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many; 100 if absent"),
        ("oktaSortOrder" = Option<String>, Query, description = "ASCENDING (if absent) or DESCENDING"),
        ("oktaAfter" = Option<String>, Query, description = "The `nextPage` of the page before")),
    responses((status = 200, body = ResourceList<SystemLog>)))]
async fn list(State(plane): State<Plane>, parameters: Parameters, uri: OriginalUri) -> Result<Json<ResourceList<SystemLog>>, Problem> {
    let href = plane.settings.href(&uri.to_string());
    page(&plane, &parameters, None, href).await.map(Json)
}

/// Lists user logs
///
/// What the caller did.
#[utoipa::path(get, path = "/identity/api/logs/me", operation_id = "ListUserLogs", tag = "IdentityLogs",
    params(("oktaSince" = Option<String>, Query, format = DateTime, description = "From then on"),
        ("oktaUntil" = Option<String>, Query, format = DateTime, description = "Until then, exclusively"),
        ("oktaLimit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "How many; 100 if absent"),
        ("oktaSortOrder" = Option<String>, Query, description = "ASCENDING (if absent) or DESCENDING"),
        ("oktaAfter" = Option<String>, Query, description = "The `nextPage` of the page before")),
    responses((status = 200, body = ResourceList<SystemLog>)))]
async fn own(State(plane): State<Plane>, caller: Caller, parameters: Parameters, uri: OriginalUri) -> Result<Json<ResourceList<SystemLog>>, Problem> {
    let href = plane.settings.href(&uri.to_string());
    page(&plane, &parameters, Some(caller.user()), href).await.map(Json)
}

#[cfg(test)]
mod tests {
    use super::super::accounts::tests::at;
    use super::*;

    #[test]
    fn an_event_says_who_did_what_to_whom_and_by_which_request() {
        let actor = LogActor { id: "00u0".to_owned(), kind: "User".to_owned(), alternate_id: Some("o@acme.com".to_owned()), display_name: None };
        let event = Event {
            kind: "group.user_membership.add",
            actor: Some("00u0"),
            targets: [Target::user_id("00u1"), Target::role_id("00g1")].concat(),
            failure: None,
            request: Some("r".to_owned()),
        };
        let row = row(event, Some(actor), at("2026-11-21T12:00:00.123456789Z")).unwrap();
        assert_eq!((row.user.as_deref(), row.kind.as_str(), row.at), (Some("00u0"), "group.user_membership.add", at("2026-11-21T12:00:00.123456Z")));
        let mut log: serde_json::Value = serde_json::from_str(&row.body).unwrap();
        assert_eq!(log["uuid"].take(), row.id.as_str());
        let expected = serde_json::json!({
            "uuid": null, "published": "2026-11-21T12:00:00.1234560+00:00", "eventType": "group.user_membership.add", "displayMessage": "Add user to role",
            "version": "0", "severity": {"value": "INFO"}, "outcome": {"result": "SUCCESS"},
            "actor": {"id": "00u0", "type": "User", "alternateId": "o@acme.com"},
            "target": [{"id": "00u1", "type": "User"}, {"id": "00g1", "type": "UserGroup"}], "transaction": {"type": "WEB", "id": "r"}
        });
        assert_eq!(log, expected);
    }

    #[test]
    fn a_page_goes_on_behind_its_last_event() {
        let event = Event { kind: "user.session.start", actor: None, targets: Vec::new(), failure: Some("wrong password".to_owned()), request: None };
        let row = row(event, None, at("2026-11-21T12:00:00Z")).unwrap();
        assert_eq!(place(&token(&row)).unwrap(), (row.at, row.id.clone()));
        assert!(row.body.contains("FAILURE"));
        for token in ["", "x", "eA==", "MTIzNA=="] {
            assert_eq!(place(token).unwrap_err().code(), Code::PageToken, "{token:?}");
        }
    }

    #[test]
    fn what_is_asked_is_read_or_named() {
        let asked = |query: &str| Asked::read(&Parameters::parse(query).unwrap());
        let usual = asked("").unwrap();
        assert_eq!((usual.span.limit, usual.is_ascending), (100, true));
        assert!(!asked("oktaSortOrder=DESCENDING&oktaLimit=5&oktaSince=2026-01-01T00:00:00.000000Z").unwrap().is_ascending);
        for query in ["oktaSortOrder=up", "oktaLimit=0", "oktaLimit=1001", "oktaSince=yesterday", "oktaAfter=x", "oktaFilter=x"] {
            assert_eq!(asked(query).err().map(|problem| problem.status().as_u16()), Some(400), "{query}");
        }
    }
}
