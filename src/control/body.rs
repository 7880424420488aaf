//! Request bodies: read leniently, checked strictly. A body is JSON, or, as the second reading, what
//! clients are known to send for it (single quotes, see the founding documents). It is checked
//! against the schema that the OpenAPI document shows, so that the document is true, and every
//! mistake is named by its field.

use super::problem::{Code, Problem};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The longest body of any operation, in bytes.
pub(super) const LONGEST: usize = 8 << 20;
/// How long a body may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Brackets open at once.
const DEEPEST: usize = 64;
/// Values in a body, and elements of one array: each is looked at by the schema, which takes time.
const MOST_VALUES: usize = 200_000;
const LONGEST_ARRAY: usize = 10_000;
/// Mistakes that are told; the next ones are found when these are mended.
const MOST_MISTAKES: usize = 100;

/// The body of a request, which fits its schema.
#[derive(Clone, Debug)]
pub(super) struct Body<T>(pub(super) T);

/// The same where the operation may come without one.
#[derive(Clone, Debug)]
pub(super) struct OptionalBody<T>(pub(super) Option<T>);

impl<S: Send + Sync, T: DeserializeOwned + ToSchema + 'static> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let value = received(request, state).await?;
        read(&value.ok_or_else(|| Problem::invalid().field("", "A request body is needed."))?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + ToSchema + 'static> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let value = received(request, state).await?;
        value.map(|value| read(&value)).transpose().map(Self)
    }
}

/// The body as JSON; `None` if it is empty.
async fn received<S: Send + Sync>(request: Request, state: &S) -> Result<Option<Value>, Problem> {
    let media_type = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default().to_ascii_lowercase());
    let late = |_| Problem::invalid().detail("The body did not come in time.");
    let bytes = tokio::time::timeout(PATIENCE, Bytes::from_request(request, state)).await.map_err(late)?.map_err(|rejection| {
        match rejection.into_response_status() {
            413 => Problem::of(Code::BodyTooLarge).detail(format!("The body is longer than {LONGEST} bytes.")),
            _ => Problem::invalid().detail("The body did not come whole."),
        }
    })?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if media_type.as_deref().is_some_and(|name| !is_json(name) || !is_utf8(name)) {
        return Err(Problem::of(Code::MediaType).detail("Send the body as application/json, in UTF-8."));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Problem::invalid().field("", "The body is not UTF-8."))?;
    understand(text).map(Some)
}

trait RejectionStatus {
    fn into_response_status(self) -> u16;
}

impl RejectionStatus for axum::extract::rejection::BytesRejection {
    fn into_response_status(self) -> u16 {
        use axum::response::IntoResponse;
        self.into_response().status().as_u16()
    }
}

/// `application/json`, `text/json`, `application/*+json`; and what curl sends unasked for `-d`.
fn is_json(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim();
    matches!(name, "application/json" | "text/json" | "application/x-www-form-urlencoded" | "") || (name.starts_with("application/") && name.ends_with("+json"))
}

/// Whether a media type in lower case names no other charset than UTF-8, or what is UTF-8 too.
fn is_utf8(media_type: &str) -> bool {
    let mut parameters = media_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    parameters.all(|(name, value)| name.trim() != "charset" || matches!(value.trim().trim_matches('"'), "utf-8" | "utf8" | "us-ascii"))
}

/// A text as JSON, or as JSON5 where it is not.
pub(super) fn understand(text: &str) -> Result<Value, Problem> {
    if is_too_deep(text) {
        return Err(Problem::invalid().field("", format!("More than {DEEPEST} brackets are open at once.")));
    }
    let value = serde_json::from_str::<Value>(text).or_else(|strict| {
        let wrong = |_| Problem::invalid().field("", format!("The body is not JSON: {strict}."));
        json5::from_str(text).map_err(wrong)
    })?;
    match count(&value) {
        Some(values) if values <= MOST_VALUES => Ok(value),
        Some(_) => Err(Problem::invalid().field("", format!("The body has more than {MOST_VALUES} values."))),
        None => Err(Problem::invalid().field("", format!("An array of the body has more than {LONGEST_ARRAY} elements."))),
    }
}

/// How many values there are, if no array is too long; the text was not too deep to recurse.
fn count(value: &Value) -> Option<usize> {
    match value {
        Value::Array(elements) if elements.len() > LONGEST_ARRAY => None,
        Value::Array(elements) => elements.iter().try_fold(1, |sum, element| Some(sum + count(element)?)),
        Value::Object(members) => members.values().try_fold(1, |sum, member| Some(sum + count(member)?)),
        _ => Some(1),
    }
}

/// Whether more brackets are open at once than anything here needs, in texts or out of them: the
/// lenient reader recurses.
fn is_too_deep(text: &str) -> bool {
    let (mut open, mut deepest) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' | b'(' => open += 1,
            b']' | b'}' | b')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest > DEEPEST
}

/// A value as `T`, if it fits the schema of `T`.
///
/// # Errors
/// Every mistake by its field.
pub(super) fn read<T: DeserializeOwned + ToSchema + 'static>(value: &Value) -> Result<T, Problem> {
    let validator = validator::<T>()?;
    let mut problem = Problem::invalid();
    validator.iter_errors(value).take(MOST_MISTAKES).for_each(|error| report(&mut problem, &error));
    problem.or_ok(())?;
    T::deserialize(value).map_err(|error| Problem::invalid().field("", format!("{error}.")))
}

/// Names a mistake by its field; of a value that fits none of several schemas, the mistakes under the one it is meant for.
fn report(problem: &mut Problem, error: &ValidationError<'_>) {
    let place = field(error.instance_path().as_str());
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let path = if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
            problem.report(path, format!("The {name} field is required."));
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => match meant(error, context) {
            Some(errors) => errors.iter().take(MOST_MISTAKES).for_each(|error| report(problem, error)),
            None => problem.report(place, shortened(&error.masked().to_string())),
        },
        _ => problem.report(place, shortened(&error.masked().to_string())),
    }
}

/// The mistakes under the only schema whose type the value has.
fn meant<'e>(error: &ValidationError<'_>, context: &'e [Vec<ValidationError<'static>>]) -> Option<&'e [ValidationError<'static>]> {
    let is_of_another_type =
        |inner: &ValidationError<'_>| matches!(inner.kind(), ValidationErrorKind::Type { .. }) && inner.instance_path() == error.instance_path();
    let mut candidates = context.iter().filter(|errors| !errors.iter().any(is_of_another_type));
    candidates.next().filter(|_| candidates.next().is_none()).map(Vec::as_slice)
}

fn shortened(message: &str) -> String {
    message.chars().take(500).collect()
}

/// `/selectors/0/actions` → `selectors[0].actions`.
fn field(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{part}]"));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part);
        }
    }
    path
}

/// The validator of `T`'s schema, compiled once.
fn validator<T: ToSchema + 'static>() -> Result<Arc<Validator>, Problem> {
    static COMPILED: OnceLock<RwLock<HashMap<TypeId, Arc<Validator>>>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(RwLock::default);
    let known = compiled.read().ok().and_then(|validators| validators.get(&TypeId::of::<T>()).cloned());
    if let Some(known) = known {
        return Ok(known);
    }
    let made = compile::<T>().map(Arc::new).ok_or_else(|| Problem::of(Code::Internal))?;
    if let Ok(mut validators) = compiled.write() {
        validators.insert(TypeId::of::<T>(), Arc::clone(&made));
    }
    Ok(made)
}

/// The schema of `T` with everything it refers to, as one JSON Schema document.
fn compile<T: ToSchema>() -> Option<Validator> {
    let mut named: Vec<(String, RefOr<Schema>)> = vec![(T::name().into_owned(), <T as PartialSchema>::schema())];
    T::schemas(&mut named);
    let mut schemas: serde_json::Map<String, Value> = named.into_iter().filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?))).collect();
    schemas.values_mut().for_each(bound_integers);
    let document = json!({ "$ref": format!("#/components/schemas/{}", T::name()), "components": { "schemas": schemas } });
    jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true).build(&document).ok()
}

/// Says of every integer in a schema how large it may be: by their formats the validator does not ask.
fn bound_integers(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(bound_integers),
        Value::Object(members) => {
            members.values_mut().for_each(bound_integers);
            let format = members.get("format").and_then(Value::as_str);
            let bounds = match format {
                Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
                Some("int64") => Some((i64::MIN, i64::MAX)),
                _ => None,
            };
            if let Some((least, most)) = bounds {
                members.entry("minimum").or_insert(least.into());
                members.entry("maximum").or_insert(most.into());
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq, ToSchema)]
    #[serde(rename_all = "camelCase")]
    struct Request {
        #[schema(min_length = 3, max_length = 10, pattern = "^(?=.*[a-zA-Z])[\\w][\\w +-]{2,100}$")]
        code: String,
        display_name: Option<String>,
        #[serde(default)]
        parts: Vec<Part>,
        first: Option<Part>,
    }

    #[derive(Debug, Deserialize, PartialEq, ToSchema)]
    struct Part {
        #[schema(minimum = 1)]
        index: i64,
    }

    fn errors(text: &str) -> Vec<String> {
        let value = understand(text).unwrap();
        read::<Request>(&value).unwrap_err().errors().keys().cloned().collect()
    }

    #[test]
    fn every_mistake_is_named_by_its_field() {
        assert_eq!(errors("{'code': '12', 'displayName': 5, 'parts': [{'index': 0}, {}]}"), ["code", "displayName", "parts[0].index", "parts[1].index"]);
        assert_eq!(errors("{}"), ["code"]);
        assert_eq!(errors("[]"), [""]);
    }

    #[test]
    fn a_mistake_inside_of_what_may_be_absent_is_named_by_its_own_field() {
        assert_eq!(errors("{'code': 'abc', 'first': {'index': 0}}"), ["first.index"]);
        assert_eq!(errors("{'code': 'abc', 'first': {}}"), ["first.index"]);
        assert_eq!(errors("{'code': 'abc', 'first': 5}"), ["first"]);
    }

    #[test]
    fn a_number_that_is_too_large_is_named_by_its_field() {
        #[derive(Debug, Deserialize, ToSchema)]
        #[expect(dead_code, reason = "it is read, not looked at")]
        struct Numbers {
            small: Option<i32>,
            large: Vec<i64>,
            revision: Option<u64>,
        }
        let fields = |text: &str| -> Vec<String> {
            let problem = read::<Numbers>(&understand(text).unwrap()).unwrap_err();
            problem.errors().keys().cloned().collect()
        };
        assert_eq!(fields("{'small': 2147483648, 'large': [9223372036854775808, 1]}"), ["large[0]", "small"]);
        assert_eq!(fields("{'small': 1e30, 'large': [-1e30], 'revision': -1}"), ["large[0]", "revision", "small"]);
        assert!(read::<Numbers>(&json!({ "small": i32::MIN, "large": [i64::MAX, i64::MIN], "revision": 0 })).is_ok());
    }

    #[test]
    fn another_charset_is_not_read_as_utf_8() {
        for (media_type, expected) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/json; version=1", true),
            ("application/json; charset=utf-16", false),
            ("text/json; x=y; charset=iso-8859-1", false),
        ] {
            assert_eq!(is_utf8(media_type), expected, "{media_type}");
        }
    }

    #[test]
    fn a_mistake_is_told_once() {
        let problem = read::<Flattened>(&json!([])).unwrap_err();
        assert_eq!(problem.errors().values().map(Vec::len).collect::<Vec<_>>(), [1], "{problem:?}");
    }

    #[derive(Debug, Deserialize, ToSchema)]
    #[expect(dead_code, reason = "it is read, not looked at")]
    struct Flattened {
        code: String,
        #[serde(flatten)]
        part: Part,
    }

    #[test]
    fn unknown_members_are_ignored_and_null_is_absent() {
        let value = understand(r#"{"code":"abc","displayName":null,"other":[1],"parts":[]}"#).unwrap();
        assert_eq!(read::<Request>(&value).unwrap(), Request { code: "abc".to_owned(), display_name: None, parts: Vec::new(), first: None });
    }

    #[test]
    fn single_quotes_are_read_as_json5() {
        assert_eq!(understand("{'code':'portfolio-manager-role','when':{}}").unwrap(), json!({"code": "portfolio-manager-role", "when": {}}));
        assert_eq!(understand("{'code'").unwrap_err().status(), 400);
    }

    #[test]
    fn a_body_of_a_million_mistakes_is_refused_before_they_are_looked_for() {
        for text in [format!("[{}1]", "1,".repeat(LONGEST_ARRAY)), format!("[{}[]]", format!("[{}1],", "1,".repeat(9_000)).repeat(50))] {
            assert_eq!(understand(&text).unwrap_err().status(), 400);
        }
        let many = format!(r#"{{"code":"abc","parts":[{}{{}}]}}"#, "{},".repeat(9_000));
        assert!(errors(&many).len() <= MOST_MISTAKES);
    }

    #[test]
    fn a_text_of_brackets_is_refused_before_it_is_read() {
        assert_eq!(understand(&"[".repeat(100_000)).unwrap_err().status(), 400);
    }
}
