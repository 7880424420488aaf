//! What users are asked about: actions on entities, for applications.

use crate::api_map::ApiMap;
use crate::policy::{Action, Policies};
use std::collections::{BTreeMap, BTreeSet};

/// Activities that are asked of every entity, whether a policy names them or only `Any`.
const USUAL: [&str; 4] = ["Read", "Add", "Update", "Delete"];
const EXECUTE: &str = "Execute";
/// Where policies name no application, and no map does.
const USUAL_APPLICATION: &str = "LUSID";

/// An application, an activity and an entity.
pub(super) type Asking<'a> = (&'a str, &'a str, &'a str);

/// Everything that is asked, with what it is called.
pub(super) struct Asked<'a>(Vec<(Asking<'a>, String)>);

impl<'a> Asked<'a> {
    /// With a map the entities of the map and properties, for its applications; without one everything that policies name.
    pub(super) fn of(sides: [&'a Policies; 2], map: Option<&'a ApiMap>) -> Self {
        let named: Vec<&Action> =
            sides.iter().flat_map(|policies| policies.policies()).flat_map(|policy| &policy.selectors).flat_map(|selector| &selector.actions).collect();
        let applications = match map {
            Some(map) => map.operations().iter().map(|operation| operation.application.as_ref()).collect(),
            None => applications_of(sides),
        };
        let applications: BTreeSet<&str> = if applications.is_empty() { [USUAL_APPLICATION].into() } else { applications };
        let mut asked = Vec::new();
        for entity in entities(&named, map) {
            for activity in activities(&named, entity) {
                for application in &applications {
                    let of = if applications.len() > 1 { format!(" of {application}") } else { String::new() };
                    asked.push(((*application, activity, entity), format!("{activity} on {entity}{of}")));
                }
            }
        }
        Self(asked)
    }

    /// Each with its name.
    pub(super) fn actions(&self) -> impl Iterator<Item = (Asking<'a>, &str)> {
        self.0.iter().map(|(asking, named)| (*asking, named.as_str()))
    }
}

fn applications_of(sides: [&Policies; 2]) -> BTreeSet<&str> {
    let policies = sides.into_iter().flat_map(Policies::policies);
    // A policy without any is for all, the usual one among them.
    policies.flat_map(|policy| policy.applications.iter().map(AsRef::as_ref).chain(policy.applications.is_empty().then_some(USUAL_APPLICATION))).collect()
}

fn entities<'a>(named: &[&'a Action], map: Option<&'a ApiMap>) -> Vec<&'a str> {
    let Some(map) = map else { return without_doubles(named.iter().map(|action| action.entity.as_ref())) };
    without_doubles(map.entities().iter().map(|entity| entity.asked_as.as_ref()).chain(["PropertyValue", "PropertyDefinition"]))
}

fn activities<'a>(named: &[&'a Action], entity: &str) -> Vec<&'a str> {
    if entity.eq_ignore_ascii_case("Feature") {
        return vec![EXECUTE];
    }
    let own = named.iter().filter(|action| action.entity.eq_ignore_ascii_case(entity)).map(|action| action.activity.as_ref());
    without_doubles(USUAL.into_iter().chain(own.filter(|activity| !activity.eq_ignore_ascii_case("Any"))))
}

/// Each name once whatever its case, as it is first written.
fn without_doubles<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: BTreeMap<String, &str> = BTreeMap::new();
    for name in names {
        found.entry(name.to_ascii_lowercase()).or_insert(name);
    }
    found.into_values().collect()
}
