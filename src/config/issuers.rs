//! `[[issuers]]`: whose tokens are accepted, and what they are measured by (interfaces §4).

use super::environment::Environment;
use super::reader::{Reader, Section};
use super::sections::key_origin;
use super::values::{duration_or, some_duration_or, some_text, url};
use super::{ConfigError, Problem};
use crate::http_client::without_userinfo;
use crate::sources::{IntrospectionSettings, Introspector, IssuerKeys, KeyHolder, KeyOrigin, KeySets, Surroundings};
use crate::token::{self, Algorithm, IssuerRules, UserMatch};
use http::uri::Authority;
use http::{HeaderValue, Uri};
use std::sync::Arc;
use std::time::Duration;
use toml::{Table, Value};

/// One issuer.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// What its tokens are measured by.
    pub issuer: token::Issuer,
    /// What its tokens are verified by.
    pub verified_by: VerifiedBy,
    /// How often its keys are refreshed.
    pub refresh: Duration,
    /// How often at most they are refreshed for an unknown key, or it is asked again about a refused token.
    pub refresh_cooldown: Duration,
}

/// What the tokens of an issuer are verified by.
#[derive(Clone, Debug)]
pub enum VerifiedBy {
    /// Its keys, which come from here.
    Keys(KeyOrigin),
    /// The issuer itself, which is asked about each (RFC 7662).
    Asking(Introspection),
}

/// How an issuer is asked about its tokens. The credential is never shown.
#[derive(Clone, Debug)]
pub struct Introspection {
    endpoint: Uri,
    authorization: HeaderValue,
    cache: Duration,
}

impl Issuer {
    /// The issuer with a holder of its keys, which holds none until it runs; nothing for one that is asked.
    #[must_use]
    pub fn with_keys(&self, surroundings: &Surroundings) -> Option<IssuerKeys> {
        let VerifiedBy::Keys(origin) = &self.verified_by else { return None };
        let name = &self.issuer.rules.issuer;
        let keys = KeyHolder::new(name, origin.clone(), self.refresh, self.refresh_cooldown, surroundings.clone());
        Some(IssuerKeys { issuer: self.issuer.clone(), keys: Arc::new(keys) })
    }

    /// The issuer as one that is asked; nothing for one with keys.
    #[must_use]
    pub fn asked(&self, surroundings: &Surroundings) -> Option<Introspector> {
        let VerifiedBy::Asking(Introspection { endpoint, authorization, cache }) = &self.verified_by else { return None };
        let settings =
            IntrospectionSettings { endpoint: endpoint.clone(), authorization: authorization.clone(), cache: *cache, cooldown: self.refresh_cooldown };
        Some(Introspector::new(self.issuer.clone(), settings, surroundings.clone()))
    }
}

/// All issuers, in their order.
#[must_use]
pub fn key_sets(issuers: &[Issuer], surroundings: &Surroundings) -> KeySets {
    let keys = issuers.iter().filter_map(|issuer| issuer.with_keys(surroundings)).collect();
    KeySets::new(keys).asking(issuers.iter().filter_map(|issuer| issuer.asked(surroundings)).collect())
}

pub(super) fn read(root: &Section<'_>) -> Vec<Issuer> {
    let sections = root.sections("issuers");
    let mut issuers: Vec<Issuer> = Vec::new();
    for section in sections {
        let rules = rules(&section);
        if has_credentials(&rules.issuer) {
            section.problem("issuer", "has credentials in it, write the name of the issuer as its tokens have it");
        }
        if issuers.iter().any(|other| other.issuer.rules.issuer == rules.issuer) {
            section.problem("issuer", format!("`{}` stands twice, remove one", without_userinfo(&rules.issuer)));
        }
        issuers.extend(measured(&section, rules));
        section.finish();
    }
    issuers
}

/// Whether the name is a URL with credentials: names of issuers stand in logs, metrics and the status.
fn has_credentials(issuer: &str) -> bool {
    let authority = issuer.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    authority.is_some_and(|authority| authority.contains('@'))
}

/// A host, perhaps with a port, in lower case.
fn host(text: &str) -> Option<Box<str>> {
    let host = text.parse::<Authority>().ok().filter(|host| !host.as_str().contains('@') && !host.host().is_empty());
    host.map(|host| host.as_str().to_ascii_lowercase().into())
}

/// The rules of an issuer of a case file: its keys are those of `[[issuers]]`, none of them required
/// (interfaces §8).
///
/// # Errors
/// With every mistake in it.
pub fn case_rules(file: &str, issuer: &serde_json::Value) -> Result<IssuerRules, ConfigError> {
    let table = match Value::try_from(issuer) {
        Ok(Value::Table(table)) => table,
        _ => {
            let message = "an issuer is no table, write its keys".to_owned();
            return Err(ConfigError { problems: vec![Problem { origin: file.into(), path: "issuers".into(), message }] });
        }
    };
    let root = Table::from_iter([("issuers".to_owned(), Value::Array(vec![Value::Table(table)]))]);
    let reader = Reader::of(file, root, Environment::default());
    let mut read = IssuerRules::default();
    let document = reader.root();
    for section in document.sections("issuers") {
        read = rules(&section);
        let _ = settings(&section);
        let _ = origins(&section);
        section.finish();
    }
    document.finish();
    reader.finish()?;
    Ok(read)
}

/// Who the issuer's users are.
fn rules(section: &Section<'_>) -> IssuerRules {
    let matches = |text: &str| match text {
        "id" => Some(UserMatch::Id),
        "login" => Some(UserMatch::Login),
        _ => None,
    };
    let unknown = |text: &str| match text {
        "deny" => Some(false),
        "allow" => Some(true),
        _ => None,
    };
    let rules = IssuerRules {
        issuer: section.text_or("issuer", "").into(),
        user_claim: section.parsed("user_claim", "write the name of a claim", some_text).unwrap_or_else(|| "sub".into()),
        user_match: section.parsed("user_match", "write \"id\" or \"login\"", matches).unwrap_or(UserMatch::Id),
        roles_claim: some_text(&section.text_or("roles_claim", "")),
        allow_unknown_users: section.parsed("unknown_users", "write \"deny\" or \"allow\"", unknown).unwrap_or(false),
        allow_administrator: section.boolean_or("allow_administrator", false),
        proof_hosts: section.list("proof_hosts", "write a host, with its port where it is not the usual one", host).unwrap_or_default().into(),
    };
    if rules.allow_unknown_users && rules.roles_claim.is_none() {
        section.problem("unknown_users", "`allow` needs a `roles_claim`, for nobody else says what they may do");
    }
    rules
}

/// What its tokens are measured by.
struct Measures {
    audience: Vec<Box<str>>,
    algorithms: Vec<Algorithm>,
    clock_skew: Duration,
    max_lifetime: Duration,
    refresh: Duration,
    refresh_cooldown: Duration,
}

fn settings(section: &Section<'_>) -> Measures {
    let names = Algorithm::ALL.map(Algorithm::name).join(", ");
    let algorithms = section.list("algorithms", &format!("write one of {names}"), |name| name.parse().ok());
    if algorithms.as_ref().is_some_and(Vec::is_empty) {
        section.problem("algorithms", format!("is empty, write some of {names}"));
    }
    Measures {
        audience: section.list("audience", "write the name of an audience", some_text).unwrap_or_default(),
        algorithms: algorithms.unwrap_or_else(|| Algorithm::DEFAULT.to_vec()),
        clock_skew: duration_or(section, "clock_skew", "30s"),
        max_lifetime: some_duration_or(section, "max_lifetime", "24h"),
        refresh: some_duration_or(section, "refresh", "5m"),
        refresh_cooldown: some_duration_or(section, "refresh_cooldown", "10s"),
    }
}

/// What the tokens may be verified by, as it is written.
struct Origins {
    jwks: Option<KeyOrigin>,
    discovery: bool,
    /// The section, and what it says where that is whole.
    introspection: Option<Option<Introspection>>,
}

fn origins(section: &Section<'_>) -> Origins {
    Origins {
        jwks: section.parsed("jwks", "write the URL or the path of a key set", key_origin),
        discovery: section.boolean_or("discovery", false),
        introspection: section.section("introspection").map(|section| introspection(section)),
    }
}

fn introspection(section: Section<'_>) -> Option<Introspection> {
    let endpoint = section.parsed("endpoint", "write an http or https URL", url);
    let (client_id, client_secret) = (section.parsed("client_id", "write the name of a client", some_text), section.secret("client_secret"));
    let cache = some_duration_or(&section, "cache", "60s");
    let absent = [("endpoint", endpoint.is_none()), ("client_id", client_id.is_none()), ("client_secret", client_secret.is_none())];
    for (key, _) in absent.into_iter().filter(|(key, is_absent)| *is_absent && !section.has(key)) {
        section.problem(key, "is missing, write it");
    }
    section.finish();
    let authorization = IntrospectionSettings::basic(&client_id?, client_secret?.expose())?;
    Some(Introspection { endpoint: endpoint?, authorization, cache })
}

fn measured(section: &Section<'_>, rules: IssuerRules) -> Option<Issuer> {
    let (measures, origins) = (settings(section), origins(section));
    if rules.issuer.is_empty() {
        section.problem("issuer", "is missing, write the `iss` of its tokens");
    }
    if measures.audience.is_empty() {
        section.problem("audience", "is missing, write the `aud` that its tokens must have");
    }
    let verified_by = one_origin(section, origins, &rules.issuer)?;
    let issuer = token::Issuer {
        rules: Arc::new(rules),
        audience: measures.audience,
        algorithms: measures.algorithms,
        clock_skew: measures.clock_skew,
        max_lifetime: measures.max_lifetime,
    };
    Some(Issuer { issuer, verified_by, refresh: measures.refresh, refresh_cooldown: measures.refresh_cooldown })
}

fn one_origin(section: &Section<'_>, origins: Origins, issuer: &str) -> Option<VerifiedBy> {
    if let Some(introspection) = origins.introspection {
        if origins.jwks.is_some() || origins.discovery {
            section.problem("introspection", "stands beside `jwks` or `discovery`, remove one");
        }
        return introspection.map(VerifiedBy::Asking);
    }
    match (origins.jwks, origins.discovery) {
        (Some(keys), false) => Some(VerifiedBy::Keys(keys)),
        (None, true) if url(issuer).is_some() => Some(VerifiedBy::Keys(KeyOrigin::Discovery { issuer: issuer.into() })),
        (None, true) => {
            section.problem("discovery", "needs an issuer that is an http or https URL, write `jwks` instead");
            None
        }
        (Some(_), true) => {
            section.problem("discovery", "stands beside `jwks`, remove one");
            None
        }
        (None, false) => {
            section.problem("jwks", "is missing, write the URL or the path of its keys, `discovery = true` or `introspection`");
            None
        }
    }
}
