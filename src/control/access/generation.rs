//! What a policy can be made of: the selectors of templates, by their tags.

use super::super::problem::{Code, Problem};
use super::ids::id_in;
use super::moment::{self, Moment};
use super::policies::{TemplateMetadata, TemplateSelection};
use super::policy_check;
use super::selectors::{SelectorDefinition, all_kept, kept};
use crate::policy::Instant;
use crate::store::PolicyTemplate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;

/// Templates, and what else the policy is to be about.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeneratePolicyFromTemplateRequest {
    /// The templates.
    #[schema(max_items = 100)]
    template_selection: Vec<TemplateSelection>,
    /// Selectors beside theirs.
    #[schema(max_items = 100)]
    selectors: Option<Vec<SelectorDefinition>>,
}

impl GeneratePolicyFromTemplateRequest {
    /// The keys of the templates, in their order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.template_selection.iter().map(|selection| id_in(Some(&selection.scope), &selection.code).key()).collect()
    }
}

/// What a policy can be made of.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GeneratedPolicyComponents {
    /// The applications of the selectors.
    applications: Vec<String>,
    /// What was asked for, and when.
    #[schema(value_type = TemplateMetadata)]
    template_metadata: Value,
    /// The selectors of the templates in the order of the request, then those that it brought.
    #[schema(value_type = Vec<SelectorDefinition>)]
    selectors: Vec<Value>,
}

/// The selectors of the templates that have one of the tags asked for; the templates are those of the request's keys.
///
/// # Errors
/// Templates that are not there, selectors that no policy may have.
pub(super) fn generated(
    templates: &[Option<Arc<PolicyTemplate>>],
    as_at: Instant,
    request: GeneratePolicyFromTemplateRequest,
) -> Result<GeneratedPolicyComponents, Problem> {
    let more = all_kept(&request.selectors.unwrap_or_default());
    policy_check::check_templated(&more.iter().collect::<Vec<_>>(), |index| format!("selectors[{index}]"))?;
    let templated = selected(templates, &request.template_selection)?;
    let applications = texts(&templated, "application");
    let selectors = templated.into_iter().filter_map(|templated| templated.get("selector").cloned()).chain(more).collect();
    let metadata = TemplateMetadata { template_selection: Some(request.template_selection), build_as_at: Some(Moment(moment::written(as_at))) };
    Ok(GeneratedPolicyComponents { applications, template_metadata: kept(&metadata).unwrap_or_default(), selectors })
}

fn selected(templates: &[Option<Arc<PolicyTemplate>>], selection: &[TemplateSelection]) -> Result<Vec<Value>, Problem> {
    let mut problem = Problem::of(Code::TemplateUnknown);
    let mut found = Vec::new();
    for (index, (selection, template)) in selection.iter().zip(templates).enumerate() {
        let Some(template) = template else {
            let id = id_in(Some(&selection.scope), &selection.code);
            problem.report(format!("templateSelection[{index}]"), format!("There is no policy template `{id}`."));
            continue;
        };
        let tags = selection.selector_tags.as_deref().unwrap_or_default();
        let is_wanted = |templated: &&Value| tags.is_empty() || text(templated, "tag").is_some_and(|own| tags.iter().any(|tag| tag.eq_ignore_ascii_case(own)));
        found.extend(template.templated_selectors.iter().filter(is_wanted).cloned());
    }
    problem.or_ok(found)
}

/// The texts of one member of templated selectors, each once, in their order.
pub(super) fn texts(templated: &[Value], member: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in templated.iter().filter_map(|templated| text(templated, member)) {
        if !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
    }
    found
}

fn text<'v>(templated: &'v Value, member: &str) -> Option<&'v str> {
    templated.get(member).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{denied_fields, request};
    use super::*;
    use crate::policy::parse_instant;
    use crate::store::{Draft, State};
    use serde_json::json;

    fn selector(entity: &str) -> Value {
        json!({ "matchAllSelectorDefinition": { "actions": [{ "scope": "default", "activity": "Any", "entity": entity }] } })
    }

    fn draft() -> Draft {
        let mut draft = Draft::new(&State::default(), "2026-11-21T12:00:00Z".parse().unwrap());
        let templated = |application: &str, tag: &str, entity: &str| json!({ "application": application, "tag": tag, "selector": selector(entity) });
        let template = |code: &str, templated_selectors| PolicyTemplate {
            id: id_in(None, code),
            display_name: code.to_owned(),
            description: String::new(),
            templated_selectors,
        };
        draft.put(template("one", vec![templated("LUSID", "Data", "Portfolio"), templated("LUSID", "Feature", "Feature")]));
        draft.put(template("two", vec![templated("Drive", "Data", "File")]));
        draft
    }

    fn generate(body: Value) -> Result<GeneratedPolicyComponents, Problem> {
        let (draft, request): (_, GeneratePolicyFromTemplateRequest) = (draft(), request(body));
        let templates: Vec<_> = request.keys().iter().map(|key| draft.templates.find(key).cloned()).collect();
        generated(&templates, parse_instant("2026-11-21").unwrap(), request)
    }

    #[test]
    fn selectors_are_joined_by_the_tags_asked_for() {
        let made = generate(json!({
            "templateSelection": [{ "scope": "default", "code": "two" }, { "scope": "default", "code": "one", "selectorTags": ["data"] }],
            "selectors": [selector("Instrument")]
        }));
        let expected = json!({
            "applications": ["Drive", "LUSID"],
            "templateMetadata": {
                "templateSelection": [{ "scope": "default", "code": "two" }, { "scope": "default", "code": "one", "selectorTags": ["data"] }],
                "buildAsAt": "2026-11-21T00:00:00.0000000+00:00"
            },
            "selectors": [selector("File"), selector("Portfolio"), selector("Instrument")]
        });
        assert_eq!(serde_json::to_value(made.unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_template_that_is_not_there_is_named() {
        let made = generate(json!({ "templateSelection": [{ "scope": "default", "code": "one" }, { "scope": "default", "code": "three" }] }));
        assert_eq!(denied_fields(made), ["templateSelection[1]"]);
    }
}
