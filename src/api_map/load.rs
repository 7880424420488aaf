//! From documents to a compiled map: entities first, then operations, then the routes.

use super::entity::{DatePointers, Entity, MetadataSource};
use super::operation::{Answering, DateSource, DateSources, Operation};
use super::reading::{Object, Problems};
use super::router::{Router, is_template, segments};
use super::{ApiMap, Binding, MapProblem, Source};
use crate::json_filter::{Pattern, Pointer};
use serde_json::Value;
use std::hash::{Hash, Hasher};

mod metadata_routes;
mod rules;

const MAP_KEYS: &[&str] = &["application", "entities", "operations", "property_definition", "query_guard"];
const ENTITY_KEYS: &[&str] = &["id", "metadata", "properties", "dates", "determined_by"];
const OPERATION_KEYS: &[&str] = &[
    "feature",
    "match",
    "activity",
    "targets",
    "body",
    "response",
    "dates",
    "strip",
    "query_guard",
    "unfiltered",
    "anonymous",
    "refused",
    "encoded_slash",
    "upgrade",
];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub(super) fn load(documents: &[(String, Value)]) -> Result<ApiMap, Vec<MapProblem>> {
    let mut map = ApiMap::default();
    let mut found = Vec::new();
    let mut hasher = std::hash::DefaultHasher::new();
    for (name, value) in documents {
        value.to_string().hash(&mut hasher);
        let mut problems = Problems::new(name);
        read_document(&mut map, value, name, &mut problems);
        found.append(&mut problems.found);
    }
    map.fingerprint = hasher.finish();
    if found.is_empty() { Ok(map) } else { Err(found) }
}

/// What an operation takes from its document.
struct Frame<'a> {
    document: &'a str,
    application: &'a str,
    query_guard: Vec<Box<str>>,
    property_definition: bool,
    first_entity: usize,
}

fn read_document(map: &mut ApiMap, value: &Value, name: &str, problems: &mut Problems<'_>) {
    let Some(root) = problems.object(value, "", MAP_KEYS) else { return };
    let application = problems.required_text(root, "application").unwrap_or_default();
    if application.is_empty() {
        problems.add("application", "must name the application, such as `LUSID`");
    }
    let frame = Frame {
        document: name,
        application,
        query_guard: read_query_guard(root, problems).unwrap_or_else(|| vec!["filter".into(), "sortby".into()]),
        property_definition: problems.flag(root, "property_definition"),
        first_entity: map.entities.len(),
    };
    let first_operation = map.operations.len();
    read_entities(map, root, problems);
    for (index, operation) in problems.list(root, "operations").iter().enumerate() {
        let path = format!("operations[{index}]");
        if let Some(operation) = read_operation(map, &frame, operation, &path, problems) {
            add_operation(map, operation, &path, problems);
        }
    }
    // A rule that could not be read may be the one that binds a part.
    if problems.found.is_empty() {
        metadata_routes::check(map, (frame.first_entity, first_operation), problems);
    }
}

fn add_operation(map: &mut ApiMap, operation: Operation, path: &str, problems: &mut Problems<'_>) {
    let index = map.operations.len();
    if let Some(other) = Router::insert(&mut map.router, &operation, index) {
        let other = map.operations.get(other).map_or("", |other| other.place.as_str());
        let message = format!("`{} {}` cannot be told from {other} by any request; remove one", operation.method, operation.template);
        problems.add(&format!("{path}.match"), message);
    }
    map.operations.push(operation);
}

fn read_query_guard(object: Object<'_>, problems: &mut Problems<'_>) -> Option<Vec<Box<str>>> {
    let texts = problems.texts(object, "query_guard")?;
    Some(texts.into_iter().map(|(_, text)| text.to_ascii_lowercase().into()).collect())
}

fn read_entities(map: &mut ApiMap, root: Object<'_>, problems: &mut Problems<'_>) {
    let Some(value) = root.value("entities") else { return };
    let Value::Object(members) = value else {
        problems.add("entities", "must be a map from entity names to what they are");
        return;
    };
    let first = map.entities.len();
    let mut determined = Vec::new();
    for (name, value) in members {
        let path = format!("entities.{name}");
        let (entity, by) = read_entity(name, value, &path, problems);
        determined.push((map.entities.len(), path, by));
        map.entities.push(entity);
    }
    for (index, path, by) in determined {
        if let Some(by) = by {
            determine(&mut map.entities, first, index, &by, &path, problems);
        }
    }
}

fn read_entity(name: &str, value: &Value, path: &str, problems: &mut Problems<'_>) -> (Entity, Option<String>) {
    let mut entity = Entity {
        name: name.into(),
        asked_as: name.into(),
        is_determined: false,
        id: Vec::new(),
        id_texts: Vec::new(),
        parts: Vec::new(),
        metadata: MetadataSource::None,
        properties: Vec::new(),
        dates: DatePointers::default(),
    };
    let Some(object) = problems.object(value, path, ENTITY_KEYS) else { return (entity, None) };
    entity.id_texts = problems.text_map(object, "id").into_iter().map(|(_, part, text)| (part.into(), text.into())).collect();
    for (part, text) in &entity.id_texts {
        if let Err(message) = Binding::check(part, text) {
            problems.add(&format!("{path}.id.{part}"), message);
        }
    }
    entity.parts = entity.id_texts.iter().map(|(part, _)| part.clone()).collect();
    if let Some(text) = problems.text(object, "metadata") {
        entity.metadata = problems.keep(&object.at("metadata"), MetadataSource::parse(text)).unwrap_or(MetadataSource::None);
    }
    entity.properties = read_patterns(object, "properties", problems);
    entity.dates = read_date_pointers(object, problems);
    (entity, problems.text(object, "determined_by").map(str::to_owned))
}

/// A determined entity is asked as the one that determines it, with that one's metadata source
/// unless it names its own (semantics §9).
fn determine(entities: &mut [Entity], first: usize, index: usize, by: &str, path: &str, problems: &mut Problems<'_>) {
    let Some(determining) = entities.get(first..).and_then(|own| own.iter().find(|entity| *entity.name == *by)).cloned() else {
        problems.add(&format!("{path}.determined_by"), format!("`{by}` is no entity of this map"));
        return;
    };
    if entities.get(index).is_some_and(|entity| entity.name == determining.name) || determining.is_determined {
        problems.add(&format!("{path}.determined_by"), format!("`{by}` is itself determined by another entity; name that one"));
        return;
    }
    if let Some(entity) = entities.get_mut(index) {
        entity.asked_as = determining.asked_as;
        entity.parts = determining.parts;
        entity.is_determined = true;
        if entity.metadata == MetadataSource::None {
            // A pointer into the determining entity's own body says nothing about this item.
            entity.metadata = match determining.metadata {
                MetadataSource::Body(_) => MetadataSource::None,
                source => source,
            };
        }
    }
}

fn read_patterns(object: Object<'_>, key: &str, problems: &mut Problems<'_>) -> Vec<Pattern> {
    let texts = problems.texts(object, key).unwrap_or_default();
    texts.into_iter().filter_map(|(path, text)| problems.keep(&path, Pattern::parse(text).map_err(|error| error.to_string()))).collect()
}

fn read_date_pointers(object: Object<'_>, problems: &mut Problems<'_>) -> DatePointers {
    let mut dates = DatePointers::default();
    for (path, name, text) in problems.text_map(object, "dates") {
        let pointer = problems.keep(&path, Pointer::parse(text).map_err(|error| error.to_string()));
        match name {
            "effective" => dates.effective = pointer,
            "asAt" => dates.as_at = pointer,
            _ => problems.add(&path, "unknown key; known here are effective, asAt"),
        }
    }
    dates
}

fn read_operation(map: &ApiMap, frame: &Frame<'_>, value: &Value, path: &str, problems: &mut Problems<'_>) -> Option<Operation> {
    let object = problems.object(value, path, OPERATION_KEYS)?;
    let feature = problems.required_text(object, "feature");
    if feature == Some("") {
        problems.add(&object.at("feature"), "must name the feature, such as `api-portfolios-listportfolios`");
    }
    let feature = feature.unwrap_or_default();
    let (method, template) = read_match(object, problems)?;
    let captures: Vec<Box<str>> = segments(template).filter(|segment| is_template(segment)).map(|segment| segment.trim_matches(['{', '}']).into()).collect();
    let activity: Box<str> = problems.text(object, "activity").unwrap_or_else(|| default_activity(method)).into();
    let scope = rules::Scope { map, first_entity: frame.first_entity, captures: &captures, activity: &activity };
    let mut operation = Operation {
        place: format!("{}: {path}", frame.document),
        application: frame.application.into(),
        feature: feature.into(),
        method: method.into(),
        template: template.into(),
        answering: read_answering(object, method, problems),
        targets: rules::read_targets(&scope, object, problems),
        body: rules::read_body(&scope, object, problems),
        response: rules::read_response(&scope, object, problems),
        strip: read_patterns(object, "strip", problems),
        filter: None,
        dates: read_dates(object, &captures, problems),
        query_guard: read_query_guard(object, problems).unwrap_or_else(|| frame.query_guard.clone()),
        property_definition: frame.property_definition,
        encoded_slash: problems.flag(object, "encoded_slash"),
        upgrade: problems.flag(object, "upgrade"),
        activity: activity.clone(),
        captures: captures.clone(),
    };
    rules::compile_filter(&mut operation, object, problems);
    Some(operation)
}

fn default_activity(method: &str) -> &'static str {
    match method {
        "POST" => "Add",
        "PUT" | "PATCH" => "Update",
        "DELETE" => "Delete",
        _ => "Read",
    }
}

fn read_match<'v>(object: Object<'v>, problems: &mut Problems<'_>) -> Option<(&'v str, &'v str)> {
    let text = problems.required_text(object, "match")?;
    let path = object.at("match");
    let Some((method, template)) = text.split_once(' ') else {
        problems.add(&path, format!("`{text}` must be a method and a path, such as `GET /api/portfolios/{{scope}}`"));
        return None;
    };
    if !METHODS.contains(&method) {
        problems.add(&path, format!("`{method}` is no method that can be mapped; known are {}", METHODS.join(", ")));
    }
    check_template(template, &path, problems);
    Some((method, template))
}

fn check_template(template: &str, path: &str, problems: &mut Problems<'_>) {
    if !template.starts_with('/') || template.contains(['?', '#', ' ']) {
        problems.add(path, format!("the path `{template}` must begin with `/` and hold no `?`, `#` or blank"));
    }
    let mut names = Vec::new();
    for segment in segments(template) {
        if is_template(segment) {
            let name = segment.trim_matches(['{', '}']);
            if name.is_empty() || names.contains(&name) {
                problems.add(path, format!("the template segment `{segment}` needs a name of its own"));
            }
            names.push(name);
        } else if segment.contains(['{', '}']) {
            problems.add(path, format!("the segment `{segment}` must be a literal or a whole `{{name}}`"));
        }
    }
}

/// Exactly one of response, unfiltered, anonymous, refused; nothing for HEAD and DELETE alone.
fn read_answering(object: Object<'_>, method: &str, problems: &mut Problems<'_>) -> Answering {
    let said = [
        (object.has("response"), "response", Answering::Filtered),
        (problems.flag(object, "unfiltered"), "unfiltered", Answering::Unfiltered),
        (problems.flag(object, "anonymous"), "anonymous", Answering::Anonymous),
        (problems.flag(object, "refused"), "refused", Answering::Refused),
    ];
    let mut chosen = said.iter().filter(|(is_said, ..)| *is_said);
    match (chosen.next(), chosen.next()) {
        (Some((_, _, answering)), None) => *answering,
        (Some((_, first, _)), Some((_, second, _))) => {
            problems.add(object.path, format!("says both `{first}` and `{second}`; keep one"));
            Answering::Refused
        }
        (None, _) if matches!(method, "HEAD" | "DELETE") => Answering::Undeclared,
        (None, _) => {
            problems.add(object.path, "must say `response`, `unfiltered: true`, `anonymous: true` or `refused: true`; nothing may be left unsaid");
            Answering::Refused
        }
    }
}

fn read_dates(object: Object<'_>, captures: &[Box<str>], problems: &mut Problems<'_>) -> DateSources {
    let mut dates = DateSources {
        effective: DateSource::Single(Source::Query("effectiveat".into())),
        as_at: DateSource::Single(Source::Query("asat".into())),
    };
    let Some(value) = object.value("dates") else { return dates };
    let path = object.at("dates");
    let Some(members) = problems.object(value, &path, &["effective", "asAt"]) else { return dates };
    if let Some(value) = members.value("effective") {
        dates.effective = read_date_source(value, &members.at("effective"), captures, problems).unwrap_or(dates.effective);
    }
    if let Some(value) = members.value("asAt") {
        dates.as_at = read_date_source(value, &members.at("asAt"), captures, problems).unwrap_or(dates.as_at);
    }
    dates
}

fn read_date_source(value: &Value, path: &str, captures: &[Box<str>], problems: &mut Problems<'_>) -> Option<DateSource> {
    let source = |text: &str, problems: &mut Problems<'_>| {
        let source = problems.keep(path, Source::parse(text, captures))?;
        if source.is_of_item() {
            problems.add(path, "the dates of a request cannot come from an item; bind them at the entity");
            return None;
        }
        Some(source)
    };
    match value {
        Value::String(text) if text == "none" => Some(DateSource::Now),
        Value::String(text) => source(text, problems).map(DateSource::Single),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(from), Value::String(to)] => Some(DateSource::Pair(source(from, problems)?, source(to, problems)?)),
            _ => {
                problems.add(path, "must be one source or a pair of two, such as `[query.from, query.to]`");
                None
            }
        },
        _ => {
            problems.add(path, "must be a source such as `query.effectiveAt`, or a pair of two");
            None
        }
    }
}

/// Reads id bindings against the captures of one operation.
fn read_bindings(texts: &[(String, &str, &str)], captures: &[Box<str>], problems: &mut Problems<'_>) -> Vec<Binding> {
    texts.iter().filter_map(|(path, part, text)| problems.keep(path, Binding::parse(part, text, captures))).collect()
}
