//! `doorward diff`: which users gain or lose what between two snapshots.

use super::input;
use crate::api_map::ApiMap;
use crate::policy::{Context, Dates, Interval, MetadataOf, NoHeaders, OneLine, Policies, Question, RoleResource, RoleSource, ScopedId, Subject, User};
use anyhow::Result;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The snapshot as it is.
    #[arg(long)]
    from: PathBuf,
    /// The snapshot as it would be.
    #[arg(long)]
    to: PathBuf,
    /// The API map; with it, features and entities are compared by what they decide.
    #[arg(long)]
    api_map: Option<PathBuf>,
    /// The time of the comparison; the clock's by default.
    #[arg(long, value_parser = input::time)]
    now: Option<Timestamp>,
}

/// What one user may, in words that compare.
type Rights = BTreeMap<String, String>;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let from = input::read_snapshot(&arguments.from)?.policies;
    let to = input::read_snapshot(&arguments.to)?.policies;
    let map = arguments.api_map.as_deref().map(input::read_map).transpose()?;
    let now = input::time_or_clock(arguments.now);
    let users: BTreeSet<&str> = from.users().iter().chain(to.users()).map(|user| user.id.as_ref()).collect();
    let mut out = std::io::stdout().lock();
    let mut changed = 0_u64;
    for id in users {
        let before = rights(&from, id, map.as_ref(), now);
        let after = rights(&to, id, map.as_ref(), now);
        if before != after {
            changed += 1;
            print(&mut out, id, &before, &after)?;
        }
    }
    writeln!(out, "{changed} users gain or lose something")?;
    Ok(ExitCode::SUCCESS)
}

fn print(out: &mut impl Write, id: &str, before: &Rights, after: &Rights) -> std::io::Result<()> {
    let id = OneLine(id);
    for (right, detail) in after {
        match before.get(right) {
            None => writeln!(out, "{id} gains {}", OneLine(right))?,
            Some(old) if old != detail => writeln!(out, "{id} keeps {}, but not as before", OneLine(right))?,
            Some(_) => {}
        }
    }
    for right in before.keys().filter(|right| !after.contains_key(*right)) {
        writeln!(out, "{id} loses {}", OneLine(right))?;
    }
    Ok(())
}

fn rights(policies: &Policies, id: &str, map: Option<&ApiMap>, now: Timestamp) -> Rights {
    let mut rights = Rights::new();
    let Some(user) = policies.user(id).filter(|user| user.may_sign_in(now)) else { return rights };
    rights.insert("the right to sign in".to_owned(), String::new());
    let subject = |feature| {
        // Conditions on headers and claims are judged as for a call without any.
        let context = Context { now, headers: &NoHeaders, claims: None, scopes: &[], feature };
        Subject::new(policies, RoleSource::Snapshot(user), context)
    };
    rights.extend(subject(None).role_names().map(|role| (format!("the role {role}"), String::new())));
    add_policies(policies, user, &mut rights);
    let Some(map) = map else { return rights };
    for operation in map.operations() {
        let feature = (operation.application.as_ref(), operation.feature.as_ref());
        if executes(&subject(Some(feature)), feature, now) {
            rights.insert(format!("the feature {}/{}", feature.0, feature.1), String::new());
        }
    }
    add_entities(map, &subject(None), &mut rights);
    rights
}

/// Every policy of the user's roles and user-role, with its own text as the detail.
fn add_policies(policies: &Policies, user: &User, rights: &mut Rights) {
    let roles = user.roles.iter().filter_map(|id| policies.role(id)).map(|role| (role.id.to_string(), &role.resource));
    let own = policies.user_role(&user.id).map(|role| ("the user-role".to_owned(), &role.resource));
    for (role, resource) in roles.chain(own) {
        let supervised = resource.supervised.iter().filter_map(|id| policies.role(id)).map(|role| &role.resource);
        for resource in std::iter::once(resource).chain(supervised) {
            for id in policies_of(policies, resource) {
                let Some(policy) = policies.document(&id) else { continue };
                rights.insert(format!("the {:?} policy {id} of {role}", policy.grant), format!("{policy:?}"));
            }
        }
    }
}

fn policies_of(policies: &Policies, resource: &RoleResource) -> BTreeSet<ScopedId> {
    let mut found: BTreeSet<ScopedId> = resource.policies.iter().cloned().collect();
    let mut open: Vec<&ScopedId> = resource.collections.iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let Some(collection) = policies.collections().iter().find(|collection| collection.id == *id).filter(|_| seen.insert(id)) else { continue };
        found.extend(collection.policies.iter().cloned());
        open.extend(&collection.collections);
    }
    found
}

fn executes(subject: &Subject<'_>, feature: (&str, &str), now: Timestamp) -> bool {
    let dates = Dates::Between(Interval::at(now));
    let question = Question {
        application: feature.0,
        action_scope: "default",
        activity: "Execute",
        entity: "Feature",
        id: &[("scope", Some(Cow::Borrowed(feature.0))), ("code", Some(Cow::Borrowed(feature.1)))],
        metadata: MetadataOf::Unknown,
        effective: dates,
        as_at: dates,
        policy: None,
    };
    subject.decide(&question).granted
}

const ACTIVITIES: &[&str] = &["Read", "Add", "Update", "Delete"];

/// Whether an activity on an entity could be granted at all, and a digest of what it depends on.
fn add_entities(map: &ApiMap, subject: &Subject<'_>, rights: &mut Rights) {
    let application = map.operations().first().map_or("LUSID", |operation| operation.application.as_ref());
    let mut entities: BTreeSet<&str> = map.entities().iter().map(|entity| entity.asked_as.as_ref()).collect();
    entities.extend(["PropertyValue", "PropertyDefinition"]);
    for entity in entities {
        for activity in ACTIVITIES.iter().filter(|activity| subject.could_grant(application, activity, entity)) {
            let digest = subject.rights(application, &[(activity, entity)]).digest;
            rights.insert(format!("{activity} on {entity}"), format!("{digest:032x}"));
        }
    }
}
