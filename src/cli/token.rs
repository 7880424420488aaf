//! `doorward token`: what becomes of tokens, one a line.

use super::input;
use crate::authorize::Identity;
use crate::config::{Config, key_sets, process_environment};
use crate::http_client::{Authorities, HttpClient};
use crate::observe::clock;
use crate::policy::OneLine;
use crate::sources::{KeySets, Presented, Surroundings, Tokens};
use crate::token::{Algorithm, Checks, Issuer, IssuerRules, KeySet, Unverified, VerifiedToken, verify, verify_signature};
use anyhow::{Context, Result, bail};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration whose issuers are accepted; their keys are read or fetched once.
    #[arg(long, required_unless_present = "jwks", conflicts_with = "jwks")]
    config: Option<PathBuf>,
    /// A key set.
    #[arg(long)]
    jwks: Option<PathBuf>,
    /// The algorithms that are accepted, comma-separated.
    #[arg(long, value_delimiter = ',', requires = "jwks", value_parser = algorithm)]
    algorithms: Vec<Algorithm>,
    /// The issuer that tokens must name.
    #[arg(long, requires = "jwks")]
    issuer: Option<String>,
    /// An audience that tokens must name; may be given several times.
    #[arg(long, requires = "jwks")]
    audience: Vec<String>,
    /// Asks for form and signature alone; the payload need not be a claim set.
    #[arg(long, requires = "jwks")]
    signature_only: bool,
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    let known = || Algorithm::ALL.map(Algorithm::name).join(", ");
    text.parse().map_err(|()| format!("`{text}` is no algorithm that can be accepted; known are {}", known()))
}

/// How one token is judged.
type Judge = Box<dyn Fn(&str) -> Result<String, String>>;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let files = [("--config", &arguments.config), ("--jwks", &arguments.jwks)].into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)));
    input::require_one_standard_input(files.chain([("the tokens", input::standard_input())]))?;
    let judge = match (&arguments.config, &arguments.jwks) {
        (Some(config), _) => of_config(config)?,
        (None, Some(jwks)) => of_key_set(arguments, &input::read(jwks)?)?,
        (None, None) => bail!("give --config or --jwks"),
    };
    let mut out = std::io::stdout().lock();
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let token = std::str::from_utf8(&line).map(|text| text.trim_end_matches(['\n', '\r']));
        let verdict = token.map_err(|_| "not text".to_owned()).and_then(&judge);
        match verdict {
            Ok(user) => writeln!(out, "{}", format!("accepted {}", OneLine(&user)).trim_end())?,
            Err(reason) => writeln!(out, "refused {}", OneLine(&reason))?,
        }
        line.clear();
    }
    Ok(ExitCode::SUCCESS)
}

fn of_key_set(arguments: &Arguments, bytes: &[u8]) -> Result<Judge> {
    let keys = KeySet::parse_own(bytes).context("--jwks")?;
    let mut errors = std::io::stderr().lock();
    for warning in keys.warnings() {
        writeln!(errors, "warning: {warning}")?;
    }
    let algorithms = if arguments.algorithms.is_empty() { Algorithm::DEFAULT.to_vec() } else { arguments.algorithms.clone() };
    if arguments.signature_only {
        return Ok(Box::new(move |token| verify_signature(token, &algorithms, &keys).map(|_| String::new()).map_err(|error| error.to_string())));
    }
    let rules = IssuerRules { issuer: arguments.issuer.clone().unwrap_or_default().into(), ..IssuerRules::default() };
    let issuer = Issuer {
        rules: Arc::new(rules),
        audience: arguments.audience.iter().map(|audience| audience.as_str().into()).collect(),
        algorithms,
        clock_skew: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(24 * 60 * 60),
    };
    let checks = Checks { issuer: arguments.issuer.is_some(), audience: !arguments.audience.is_empty() };
    Ok(Box::new(move |token| judge(token, &issuer, &keys, checks)))
}

/// Judges by the configured issuers as a running gateway would, with their keys read or fetched once and
/// those that are asked about tokens asked.
fn of_config(path: &std::path::Path) -> Result<Judge> {
    let config = Config::load(path, process_environment())?;
    if config.issuers.is_empty() {
        bail!("{}: has no issuers", path.display());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let surroundings = Surroundings { client: HttpClient::new(Authorities::Native)?, observer: Arc::new(()), clock: clock::now };
    let keys = Arc::new(key_sets(&config.issuers, &surroundings));
    runtime.spawn({
        let keys = Arc::clone(&keys);
        async move { keys.run().await }
    });
    runtime.block_on(until_tried(&keys))?;
    let tokens = Tokens::new(keys, Arc::new(()));
    Ok(Box::new(move |token| {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| error.to_string())?);
        match runtime.block_on(tokens.identify(&Presented::by(&headers, clock::now()))) {
            Identity::Token(verified) => Ok(verified.user.to_string()),
            Identity::Refused(reason) | Identity::Unproven { reason, .. } => Err(reason.into()),
            Identity::Opaque(_) => Err("it is opaque; whether the snapshot has it is not known here".to_owned()),
            Identity::Missing => Err("there is no token".to_owned()),
        }
    }))
}

/// Key servers that do not answer in this time leave their issuers without keys.
const PATIENCE: Duration = Duration::from_secs(15);

async fn until_tried(keys: &KeySets) -> Result<()> {
    let tried = async {
        while !keys.tried_once() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, tried).await.context("the key servers do not answer")
}

fn judge(token: &str, issuer: &Issuer, keys: &KeySet, checks: Checks) -> Result<String, String> {
    let unverified = Unverified::parse(token).map_err(|error| error.to_string())?;
    let verified = verify(unverified, issuer, keys, clock::now(), checks);
    verified.map(|VerifiedToken { user, .. }| user.into()).map_err(|error| error.to_string())
}
