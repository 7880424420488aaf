//! What the configuration takes, and how it says what is wrong.

use super::reader::Reader;
use super::*;
use crate::http_client::{Authorities, HttpClient};
use crate::sources::{KeyOrigin, SnapshotOrigin, Surroundings};
use crate::token::{Algorithm, UserMatch};
use std::collections::BTreeSet;
use std::time::Duration;

const REPOSITORY_FILE: &str = include_str!("../../config/doorward.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    under(text, &[])
}

fn under(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::parse("f.toml", text, environment.iter().map(|(name, value)| (name.to_string(), value.to_string())))
}

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().problems.iter().map(ToString::to_string).collect()
}

/// The one problem of a text, without the file's name.
fn problem(text: &str) -> String {
    let problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].strip_prefix("f.toml: ").unwrap().to_owned()
}

const ISSUER: &str = "[[issuers]]\nissuer = 'https://id.example'\naudience = 'api'\njwks = 'keys.json'\n";

#[test]
fn an_empty_file_has_every_default_and_no_door_but_admin() {
    let config = parse("").unwrap();
    assert!(config.proxy.listen.is_empty() && config.envoy.is_none() && config.forward_auth.is_none());
    assert!(config.control.is_none() && config.shadow.is_none() && config.issuers.is_empty());
    assert_eq!(config.admin.listen, ["127.0.0.1:9901".parse().unwrap()]);
    assert_eq!(config.proxy.limits.response_depth, 128);
    assert_eq!(config.snapshot.max_staleness, None);
}

#[test]
fn the_file_in_the_repository_has_the_defaults_of_the_code() {
    let set = |keep: &dyn Fn(&str) -> bool| {
        let lines = REPOSITORY_FILE.lines().filter(|line| keep(line));
        lines.map(|line| line.strip_prefix('#').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    };
    let as_it_is = parse(REPOSITORY_FILE).unwrap();
    let headers_alone = parse(&set(&|line| line.starts_with('['))).unwrap();
    assert_eq!(format!("{as_it_is:?}"), format!("{headers_alone:?}"));

    let mut is_default = true;
    let mut settings = vec![(String::new(), true)];
    for line in REPOSITORY_FILE.lines() {
        if line.starts_with("# ") {
            is_default = !line.ends_with("(no default)");
        } else if !line.is_empty() {
            settings.push((line.trim_start_matches('#').to_owned(), is_default));
            is_default = true;
        }
    }
    let text = |keep: &dyn Fn(&str, bool) -> bool| {
        let lines = settings.iter().filter(|(line, is_default)| keep(line, *is_default));
        lines.map(|(line, _)| line.as_str()).collect::<Vec<_>>().join("\n")
    };
    // An issuer's keys without a default are needed.
    let is_needed = |line: &str| line.starts_with('[') || ["issuer ", "audience ", "jwks "].iter().any(|key| line.starts_with(key));
    let every_default = parse(&text(&|line, is_default| is_default || is_needed(line))).unwrap();
    let none_set = parse(&text(&|line, _| is_needed(line))).unwrap();
    assert_eq!(format!("{every_default:?}"), format!("{none_set:?}"));
    assert!(every_default.envoy.is_some() && every_default.control.is_some() && every_default.issuers.len() == 1);
}

#[test]
fn the_file_in_the_repository_has_every_key_that_the_code_knows_and_no_other() {
    let everything: Vec<_> =
        REPOSITORY_FILE.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()).map(|line| line.trim_start_matches('#')).collect();
    let environment = ["INTROSPECTION_SECRET", "OWNER_PASSWORD", "CLIENT_SECRET", "ENCRYPTION_KEY"].map(|name| (name.to_owned(), "x".repeat(16)));
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("sidecar.token");
    std::fs::write(&token, "t\n").unwrap();
    let text = everything.join("\n").replace("\"sidecar.token\"", &format!("{:?}", token.display().to_string()));
    let reader = Reader::new("f.toml", &text, environment).unwrap();
    Config::read(&reader);
    let mut written = BTreeSet::new();
    let document: toml::Table = text.parse().unwrap();
    collect("", &toml::Value::Table(document), &mut written);
    // An issuer cannot have all three origins of keys at once: that is what is wrong here, and nothing else.
    let known = reader.known();
    let error = reader.finish().unwrap_err();
    assert!(error.to_string().starts_with("f.toml: issuers[0].introspection: stands beside `jwks`"), "{error}");
    assert_eq!(error.problems.len(), 1, "{error}");
    let known: BTreeSet<_> = known.into_iter().filter(|key| !is_secret_source(key)).collect();
    assert_eq!(known, written);
}

#[test]
fn tokens_are_signed_by_two_algorithms_alone_and_keys_live_a_day_at_least() {
    let control = |line: &str| format!("[control]\n{line}\n");
    assert_eq!(parse(&control("")).unwrap().control.unwrap().token_algorithm, Algorithm::EdDsa);
    assert_eq!(parse(&control("token_algorithm = 'RS256'")).unwrap().control.unwrap().token_algorithm, Algorithm::Rs256);
    for line in ["token_algorithm = 'ES256'", "token_algorithm = 'HS256'", "key_rotation = '23h'", "encryption_key = 'too short'"] {
        assert!(problem(&control(line)).starts_with("control."), "{line}");
    }
    assert!(!problem(&control("encryption_key = 'too short'")).contains("too short\'"));
}

#[test]
fn the_bearer_is_not_shown_to_a_candidates_other_server() {
    let surroundings = Surroundings {
        client: HttpClient::new(Authorities::Native).unwrap(),
        observer: std::sync::Arc::new(()),
        clock: || jiff::Timestamp::UNIX_EPOCH,
    };
    for (candidate, is_shown) in [
        ("http://plane:9910/other", true),
        ("http://plane:9911/snapshot", false),
        ("https://plane:9910/snapshot", false),
        ("http://elsewhere/snapshot", false),
        ("file:candidate.json", false),
    ] {
        let text = format!("[snapshot]\nsource = 'http://plane:9910/snapshot'\ntoken = 't'\ncache = 'c'\n[shadow]\nsnapshot = '{candidate}'\n");
        let source = parse(&text).unwrap().candidate(&surroundings).unwrap();
        assert_eq!(source.authorization.is_some(), is_shown, "{candidate}");
        // What was kept on disk is the snapshot in force.
        assert_eq!(source.cache, None);
    }
}

fn is_secret_source(key: &str) -> bool {
    [".file", ".env"].iter().any(|end| key.ends_with(end))
}

fn collect(path: &str, value: &toml::Value, into: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if !is_secret_source(&path) {
                    into.insert(path.clone());
                }
                collect(&path, value, into);
            }
        }
        toml::Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| collect(&format!("{path}[{index}]"), value, into));
        }
        _ => {}
    }
}

#[test]
fn every_mistake_is_found_in_one_go() {
    let text = "extra = 1\n[proxy]\nlisten = ['nowhere', '127.0.0.1:0']\nupstreams = 'x'\nupstream = 'http://h/path'\n\
                [proxy.limits]\ntarget_bytes = '8k'\nheader_read_timeout = 10\n[api]\ndenied_status = 405\n\
                [snapshot]\nsource = '/snapshot.json'\npoll = '0s'\n[nothing]\n";
    let found = problems(text);
    for (start, remedy) in [
        ("f.toml: proxy.listen: `nowhere` is not understood", "127.0.0.1:8080"),
        ("f.toml: proxy.upstream: `http://h/path` is not understood", "without a path"),
        ("f.toml: proxy.upstreams: unknown key", "`upstream`"),
        ("f.toml: proxy.limits.target_bytes: `8k` is no whole number", "8192"),
        ("f.toml: proxy.limits.header_read_timeout: `10` is not understood", "\"10s\""),
        ("f.toml: api.denied_status: `405` is not possible", "403 or 404"),
        ("f.toml: snapshot.source: `/snapshot.json` is not understood", "\"file:\""),
        ("f.toml: snapshot.poll: must be longer", "30s"),
        ("f.toml: extra: unknown key", "`proxy`"),
        ("f.toml: nothing: unknown key", "`shadow`"),
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(start) && problem.contains(remedy)), "{start}: {found:#?}");
    }
    assert_eq!(found.len(), 10, "{found:#?}");
}

#[test]
fn a_file_that_is_no_toml_says_in_which_line() {
    assert!(problems("a = 1\nb = = 2\n")[0].starts_with("f.toml: line 2: "));
    assert!(problems("[proxy]\nlisten = []\nlisten = []\n")[0].starts_with("f.toml: line 3: "));
    let missing = Config::load(Path::new("/nowhere/f.toml"), []).unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/f.toml: cannot be read: "), "{missing}");
}

#[test]
fn listen_takes_a_text_or_an_array_and_no_address_twice() {
    let config = parse("[proxy]\nlisten = '[::1]:0'\n[admin]\nlisten = []\n[envoy]\nlisten = ['127.0.0.1:1', '127.0.0.1:2']").unwrap();
    assert_eq!((config.proxy.listen.len(), config.admin.listen.len(), config.envoy.unwrap().listen.len()), (1, 0, 2));
    assert!(problem("[proxy]\nlisten = '127.0.0.1:9901'").contains("admin.listen: `127.0.0.1:9901` is taken by proxy.listen"));
    assert!(problem("[proxy]\nlisten = ['127.0.0.2:1', '0.0.0.0:1']").contains("`0.0.0.0:1` is taken by proxy.listen with `127.0.0.2:1`"));
    assert!(problem("[proxy]\nlisten = '[::]:1'\n[envoy]\nlisten = '[::1]:1'").contains("envoy.listen: `[::1]:1` is taken by proxy.listen with `[::]:1`"));
    assert!(problem("[proxy]\nlisten = '127.0.0.1:1'\n[control]\nlisten = '[::]:1'").contains("control.listen: `[::]:1` is taken by proxy.listen"));
    // Doors take all addresses of one family alone, and port 0 is another one each time.
    for both in ["['0.0.0.0:1', '[::]:1']", "['0.0.0.0:1', '[::1]:1']", "['0.0.0.0:0', '127.0.0.1:0']", "['127.0.0.1:1', '127.0.0.2:1']"] {
        parse(&format!("[proxy]\nlisten = {both}")).unwrap();
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let text = format!("[proxy]\nlisten = []\n{ISSUER}");
    let config = under(
        &text,
        &[
            ("DOORWARD_PROXY__LIMITS__TARGET_BYTES", "4096"),
            ("DOORWARD_PROXY__LISTEN", "127.0.0.1:1, 127.0.0.1:2"),
            ("DOORWARD_PROXY__FORWARD_AUTHORIZATION", "false"),
            ("DOORWARD_PROXY__TLS__CERTIFICATE", "c"),
            ("DOORWARD_PROXY__TLS__KEY", "k"),
            ("DOORWARD_API__MAPS", "[\"a,b.yaml\"]"),
            ("DOORWARD_API__STRIP_PREFIX", "/7"),
            ("DOORWARD_FORWARD_AUTH__TRUSTED_PEERS", "10.0.0.0/8"),
            ("DOORWARD_ISSUERS__0__AUDIENCE", "x,y"),
            ("DOORWARD_ISSUERS__1__ISSUER", "https://two.example"),
            ("DOORWARD_ISSUERS__1__AUDIENCE", "two"),
            ("DOORWARD_ISSUERS__1__DISCOVERY", "true"),
            ("DOORWARD_SNAPSHOT__TOKEN", "secret"),
            ("DOORWARD_TEST_DIRECTORY", "not a key"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!((config.proxy.limits.target_bytes, config.proxy.listen.len()), (4096, 2));
    assert!(!config.proxy.forward_authorization && config.proxy.tls.is_some());
    assert_eq!((&config.api.maps[0], &*config.api.strip_prefix), (&"a,b.yaml".into(), "/7"));
    assert_eq!(config.forward_auth.unwrap().trusted_peers, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(config.issuers[0].issuer.audience.len(), 2);
    assert!(matches!(&config.issuers[1].verified_by, VerifiedBy::Keys(KeyOrigin::Discovery { issuer }) if **issuer == *"https://two.example"));
    assert_eq!(config.snapshot.token.unwrap().expose(), "secret");
}

#[test]
fn mistakes_in_the_environment_name_the_variable() {
    let error = under("", &[("DOORWARD_PROXY__LIMITS__HEADER_COUNT", "many"), ("DOORWARD_PROXY__LISTENS", "x"), ("DOORWARD_NOTHING__AT_ALL", "")]).unwrap_err();
    let texts: Vec<_> = error.problems.iter().map(ToString::to_string).collect();
    assert!(texts[0].starts_with("DOORWARD_PROXY__LIMITS__HEADER_COUNT: proxy.limits.header_count: `many` is no whole number"));
    assert!(texts[1..].iter().all(|text| text.contains(": names no key of the configuration")));
    assert_eq!(texts.len(), 3);
}

#[test]
fn secrets_come_from_files_and_variables_and_are_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "canary-file\n").unwrap();
    let text = format!(
        "[snapshot]\ntoken = {{ file = {file:?} }}\n[control]\nstore = 'postgres://u:canary-url@h/d'\n\
         sidecar_tokens = [{{ env = 'DOORWARD_TOKEN__ONE' }}, 'canary-plain']\n\
         bootstrap = {{ login = 'o', password = {{ env = 'P' }}, client_id = 'c', client_secret = 'canary-client' }}\n"
    );
    let config = under(&text, &[("DOORWARD_TOKEN__ONE", "canary-variable"), ("P", "canary-password")]).unwrap();
    assert!(!format!("{config:?}").contains("canary"), "{config:?}");
    assert_eq!(config.snapshot.token.unwrap().expose(), "canary-file");
    let control = config.control.unwrap();
    assert_eq!(control.sidecar_tokens.iter().map(Secret::expose).collect::<Vec<_>>(), ["canary-variable", "canary-plain"]);
    assert_eq!(control.bootstrap.unwrap().client.unwrap().1.need().unwrap().expose(), "canary-client");
}

#[test]
fn secrets_of_the_first_start_are_missed_only_by_who_needs_them() {
    let text = "[control]\nbootstrap = { login = 'o', password = { env = 'UNSET' }, client_id = 'c', client_secret = { file = '/nowhere/s' } }";
    let bootstrap = under(text, &[]).unwrap().control.unwrap().bootstrap.unwrap();
    let told = bootstrap.password.need().unwrap_err().to_string();
    assert!(told.ends_with("control.bootstrap.password.env: the variable `UNSET` is not set, set it"), "{told}");
    let told = bootstrap.client.unwrap().1.need().unwrap_err().to_string();
    assert!(told.contains("control.bootstrap.client_secret.file: `/nowhere/s` cannot be read"), "{told}");
    assert!(problems("[control]\nbootstrap = { login = 'o', password = { file = 'a', env = 'b' } }")[0].contains("either `file` or `env`"));
    assert!(problem("[control]\nbootstrap = { login = 'o' }").starts_with("control.bootstrap.password: is needed for the first account"));
}

#[test]
fn a_secret_that_is_not_there_is_a_problem_without_the_secret() {
    assert!(problem("[snapshot]\ntoken = { env = 'UNSET' }").starts_with("snapshot.token.env: the variable `UNSET` is not set"));
    assert!(problem("[snapshot]\ntoken = { file = '/nowhere/t' }").starts_with("snapshot.token.file: `/nowhere/t` cannot be read"));
    assert!(problem("[snapshot]\ntoken = { file = 'a', env = 'b' }").contains("either `file` or `env`"));
    assert_eq!(problems("[snapshot]\ntoken = { path = 'a' }").len(), 2, "neither, and an unknown key");
    assert!(problem("[snapshot]\ntoken = 12345").starts_with("snapshot.token: is no secret"));
    assert!(problem("[snapshot]\ntoken = ''").starts_with("snapshot.token: is no secret"));
}

#[test]
fn an_issuer_has_its_defaults() {
    let config = parse(ISSUER).unwrap();
    let issuer = &config.issuers[0];
    assert!(matches!(&issuer.verified_by, VerifiedBy::Keys(KeyOrigin::File(path)) if path.as_os_str() == "keys.json"));
    assert_eq!(issuer.issuer.algorithms, Algorithm::DEFAULT);
    assert_eq!((&*issuer.issuer.rules.user_claim, issuer.issuer.rules.user_match), ("sub", UserMatch::Id));
    assert_eq!((issuer.issuer.max_lifetime, issuer.refresh), (Duration::from_secs(86_400), Duration::from_secs(300)));
    assert_eq!(issuer.refresh_cooldown, Duration::from_secs(10));
}

#[test]
fn an_issuer_that_is_not_whole_is_refused() {
    assert_eq!(problems("[[issuers]]").len(), 3, "issuer, audience, jwks");
    for name in ["none", "HS256", "ES512", "rs256", ""] {
        let found = problem(&format!("{ISSUER}algorithms = ['RS256', '{name}']"));
        assert!(found.starts_with(&format!("issuers[0].algorithms: `{name}` is not understood, write one of RS256")), "{found}");
    }
    assert!(problem(&format!("{ISSUER}algorithms = []")).starts_with("issuers[0].algorithms: is empty"));
    assert!(problem(&format!("{ISSUER}discovery = true")).contains("stands beside `jwks`"));
    assert!(problem(&format!("{ISSUER}{ISSUER}")).starts_with("issuers[1].issuer: `https://id.example` stands twice"));
    let with_password = format!("{ISSUER}{ISSUER}").replace("https://", "https://user:canary@");
    let told = problems(&with_password);
    assert!(told.iter().any(|problem| problem.contains("`https://…@id.example` stands twice")) && !told.concat().contains("canary"), "{told:?}");
    assert!(problem(&format!("{ISSUER}unknown_users = 'allow'")).contains("needs a `roles_claim`"));
    for host in ["https://api.example", "api.example/a", "x@api.example", "", ":443"] {
        assert!(problem(&format!("{ISSUER}proof_hosts = ['{host}']")).contains("write a host"), "{host}");
    }
    assert!(problem("[[issuers]]\nissuer = 'id'\naudience = 'a'\ndiscovery = true").starts_with("issuers[0].discovery: needs an issuer"));
    assert!(problem("issuers = 1").starts_with("issuers: is not an array of tables"));
}

#[test]
fn an_issuer_that_is_asked_about_its_tokens_needs_an_endpoint_and_a_credential() {
    let asked = "[[issuers]]\nissuer = 'https://id.example'\naudience = 'api'\nintrospection = ";
    let whole = "endpoint = 'https://id.example/i', client_id = 'me', client_secret = 'canary'";
    let config = parse(&format!("{asked}{{ {whole} }}")).unwrap();
    assert!(matches!(config.issuers[0].verified_by, VerifiedBy::Asking(_)));
    assert!(!format!("{config:?}").contains("canary") && !format!("{config:?}").contains("bWU6Y2FuYXJ5"), "{config:?}");
    assert_eq!(problems(&format!("{asked}{{}}")).len(), 3, "endpoint, client_id, client_secret");
    for (changed, expected) in [
        ("endpoint = 'ftp://id.example/i', client_id = 'me', client_secret = 's'", "introspection.endpoint: `ftp://id.example/i` is not understood"),
        ("endpoint = 'https://id.example/i', client_id = '', client_secret = 's'", "introspection.client_id: `` is not understood"),
        ("endpoint = 'https://id.example/i', client_id = 'me', client_secret = ''", "introspection.client_secret: is no secret"),
        ("endpoint = 'https://id.example/i', client_id = 'me', client_secret = 's', cache = '0s'", "introspection.cache: must be longer"),
        ("endpoint = 'https://id.example/i', client_id = 'me', client_secret = 's', hint = 'x'", "introspection.hint: unknown key"),
    ] {
        let found = problem(&format!("{asked}{{ {changed} }}"));
        assert!(found.starts_with(&format!("issuers[0].{expected}")), "{found}");
    }
    assert!(problem(&format!("{ISSUER}introspection = {{ {whole} }}")).contains("stands beside `jwks`"));
}

#[test]
fn an_issuer_of_a_case_file_needs_nothing() {
    let rules = |text: &str| case_rules("case.yaml", &serde_json::from_str(text).unwrap());
    let read = rules(r#"{"issuer": "https://id.example", "roles_claim": "groups", "unknown_users": "allow"}"#).unwrap();
    assert_eq!((&*read.issuer, read.roles_claim.as_deref(), read.allow_unknown_users), ("https://id.example", Some("groups"), true));
    assert!(rules(r#"{"jwks": "x", "audience": ["a"], "clock_skew": "1s", "user_match": "login"}"#).is_ok());
    let hosts = rules(r#"{"proof_hosts": ["API.example:8443", "[::1]"]}"#).unwrap().proof_hosts;
    assert_eq!(hosts.iter().map(|host| &**host).collect::<Vec<_>>(), ["api.example:8443", "[::1]"]);
    assert!(rules(r#"{"issuers": 1}"#).unwrap_err().to_string().starts_with("case.yaml: issuers[0].issuers: unknown key"));
    assert!(rules("[]").is_err());
}

#[test]
fn durations_have_a_unit() {
    for (text, milliseconds) in [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("24h", 86_400_000), ("7d", 604_800_000), ("0s", 0)] {
        assert_eq!(values::duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in ["", "10", "s", "-1s", "+1s", "1.5s", "10 s", "10S", "1w", "99999999999999999999s", "400000000000000000h"] {
        assert_eq!(values::duration(text), None, "{text}");
    }
}

#[test]
fn words_and_shares_are_understood() {
    let config = parse("[decisions]\nsink = ['file:/tmp/d', 'otlp']\nwhen = 'sampled(0.25)'\non_full = 'block'\n[shadow]\nmode = 'observe'").unwrap();
    assert_eq!((config.decisions.sinks.len(), config.decisions.when, config.decisions.on_full), (2, When::Sampled(0.25), OnFull::Block));
    assert_eq!(config.shadow.unwrap().mode, ShadowMode::Observe);
    assert!(parse("[decisions]\nsink = 'none'").unwrap().decisions.sinks.is_empty());
    // What this version cannot do is not offered.
    assert!(!problem("[decisions]\nsink = 'kafka'").contains("otlp"));
    for wrong in ["sink = 'kafka'", "sink = ['none', 'stdout']", "when = 'sampled(2)'", "when = 'never'", "on_full = 'panic'"] {
        assert!(parse(&format!("[decisions]\n{wrong}")).is_err(), "{wrong}");
    }
    let file = parse("[snapshot]\nsource = 'file:///var/s.json'\nmax_staleness = '1h'").unwrap().snapshot;
    assert_eq!((file.source, file.max_staleness), (SnapshotOrigin::File("/var/s.json".into()), Some(Duration::from_secs(3600))));
}

#[test]
fn records_for_the_control_plane_have_a_place_to_go_to() {
    let url = |text: &str| parse(text).unwrap().decisions_url().map(|url| url.to_string());
    for (text, expected) in [
        ("", "http://127.0.0.1:9910/decisions"),
        ("[decisions]\nsink = 'control'\n[snapshot]\nsource = 'https://access.example/a/snapshot'", "https://access.example/a/decisions"),
        ("[decisions]\ncontrol_url = 'https://c.example'\n[snapshot]\nsource = 'file:s.json'", "https://c.example/decisions"),
        ("[decisions]\ncontrol_url = 'https://c.example/x/'", "https://c.example/x/decisions"),
    ] {
        assert_eq!(url(text).as_deref(), Some(expected), "{text}");
    }
    for source in ["file:s.json", "https://access.example/snapshot.json", "https://access.example/snapshot?a=b", "https://access.example/mysnapshot"] {
        let found = problem(&format!("[decisions]\nsink = ['stdout', 'control']\n[snapshot]\nsource = '{source}'"));
        assert!(found.starts_with("decisions.control_url: is needed"), "{found}");
        assert_eq!(url(&format!("[snapshot]\nsource = '{source}'")), None);
    }
    for wrong in ["c.example", "ftp://c.example", "https://c.example?a", "https://user@c.example"] {
        assert!(problem(&format!("[decisions]\ncontrol_url = '{wrong}'")).starts_with("decisions.control_url: "), "{wrong}");
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_a_problem_and_is_not_shown() {
    let found = problem("[snapshot]\ntoken = \"canary\\n\"");
    assert!(found.starts_with("snapshot.token: has characters") && !found.contains("canary"), "{found}");
}

#[test]
fn sources_are_made_of_their_sections() {
    let surroundings = Surroundings {
        client: HttpClient::new(Authorities::Native).unwrap(),
        observer: std::sync::Arc::new(()),
        clock: || jiff::Timestamp::UNIX_EPOCH,
    };
    let config = parse(&format!("[snapshot]\ntoken = 'canary'\npublic_keys = 'k.json'\n{ISSUER}")).unwrap();
    let source = config.snapshot.as_source(&surroundings);
    assert_eq!((source.keys.is_some(), source.poll), (true, Duration::from_secs(30)));
    assert!(!format!("{:?}", source.authorization).contains("canary"));
    assert_eq!(source.authorization.unwrap(), "Bearer canary");
    assert_eq!(config.issuers[0].with_keys(&surroundings).unwrap().keys.name(), "https://id.example");
}

#[test]
fn the_defaults_of_the_settings_are_those_of_the_configuration() {
    let settings = parse("").unwrap().settings("");
    assert_eq!(format!("{settings:?}"), format!("{:?}", crate::snapshot::Settings::default()));
    let settings = parse("[proxy]\nforward_authorization = false\n[api]\ndenied_status = 404\n[shadow]\nmode = 'observe'").unwrap().settings("p");
    assert!(settings.drop_authorization && settings.observe_only && settings.instance_prefix == "p");
    assert_eq!(settings.denied_status, crate::snapshot::DeniedStatus::NotFound);
}

#[test]
fn files_that_are_not_there_are_named_with_their_keys() {
    let text = format!(
        "[proxy]\ntls = {{ certificate = '/no/c', key = '/no/k', client_ca = '/no/a' }}\n[api]\nmaps = ['/no/map.yaml']\n\
         [snapshot]\nsource = 'file:/no/s.json'\npublic_keys = '/no/p'\ncache = '/no/cache'\n{ISSUER}"
    );
    let missing: Vec<_> = parse(&text).unwrap().missing_files().iter().map(|problem| problem.path.clone()).collect();
    let expected = [
        "api.maps[0]",
        "proxy.tls.certificate",
        "proxy.tls.key",
        "proxy.tls.client_ca",
        "issuers[0].jwks",
        "snapshot.public_keys",
        "snapshot.source",
        "snapshot.cache",
    ];
    assert_eq!(missing, expected);
    assert!(parse("[snapshot]\nsource = 'file:snapshot.json'").unwrap().missing_files().iter().all(|problem| problem.path.starts_with("api")));
}
