//! The demo as a newcomer meets it: the real binary is started, and every line that it prints is
//! pasted into a real shell and shows what the page says it shows.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that stops is a test that fails")]

use doorward::observe::clock;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running demo; it is told to stop when dropped.
struct Demo {
    process: Child,
    page: String,
    document: Value,
}

impl Demo {
    /// Starts it in this directory and reads its page to the last line.
    fn start(directory: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        let mut process = command.arg("demo").arg("--dir").arg(directory).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut page = String::new();
        while !page.ends_with("Ctrl-C ends the demo.\n") {
            let line = lines.next().expect("the page ends before its last line").unwrap();
            page.push_str(&format!("{line}\n"));
        }
        let document = std::fs::read(directory.join("demo.json")).unwrap();
        Self { process, page, document: serde_json::from_slice(&document).unwrap() }
    }

    fn calls(&self) -> &[Value] {
        self.document["calls"].as_array().unwrap()
    }

    /// Runs the line of the call with this name.
    /// The line of this call.
    fn line(&self, what: &str) -> String {
        self.calls().iter().find(|call| call["what"] == what).unwrap()["curl"].as_str().unwrap().to_owned()
    }

    /// Ends it as Ctrl-C does; its exit code.
    fn interrupt(mut self) -> Option<i32> {
        signal("INT", &self.process);
        self.process.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After `interrupt` it is gone already.
        if matches!(self.process.try_wait(), Ok(None)) {
            signal("TERM", &self.process);
            let _ = self.process.wait();
        }
    }
}

fn signal(name: &str, process: &Child) {
    // The shell has its own `kill`; the program is not on every machine.
    Command::new("bash").arg("-c").arg(format!("kill -{name} {}", process.id())).status().unwrap();
}

/// What the line prints in bash; no proxy stands between, whatever the environment says.
fn paste(line: &str) -> String {
    let output = Command::new("bash").arg("-c").arg(line).env("no_proxy", "127.0.0.1").env("LC_ALL", "C").output().unwrap();
    assert!(output.stderr.is_empty(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the line prints once it is this, or in the end: a machine that is busy may need longer than the page says.
fn paste_until(line: &str, is_expected: impl Fn(&str) -> bool) -> String {
    let began = clock::monotonic();
    loop {
        let printed = paste(line);
        if is_expected(&printed) || began.elapsed() > PATIENCE {
            return printed;
        }
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[test]
fn every_printed_line_shows_what_the_page_says() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path());
    assert_eq!(demo.page.lines().filter(|line| line.starts_with("   curl ")).count(), demo.calls().len());
    assert_eq!(demo.calls().len(), 10);
    for call in demo.calls() {
        let line = call["curl"].as_str().unwrap();
        assert!(!line.contains('\n'));
        assert!(demo.page.contains(&format!("   {line}\n")), "not on the page: {line}");
        let expect = &call["expect"];
        let printed = paste_until(line, |printed| {
            texts(&expect["contains"]).all(|text| printed.contains(text)) && !texts(&expect["lacks"]).any(|text| printed.contains(text))
        });
        for text in texts(&expect["contains"]) {
            assert!(printed.contains(text), "{}: `{text}` is missing in:\n{printed}", call["what"]);
        }
        for text in texts(&expect["lacks"]) {
            assert!(!printed.contains(text), "{}: `{text}` is in:\n{printed}", call["what"]);
        }
        if let Some(lines) = expect["lines"].as_u64() {
            assert_eq!(printed.lines().count() as u64, lines, "{}:\n{printed}", call["what"]);
        }
    }
    assert_eq!(demo.interrupt(), Some(0));
}

#[test]
fn a_change_of_policy_takes_effect_without_a_restart_and_back_again() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path());
    let reads = |status: &str| {
        let printed = paste_until(&demo.line("refused: read"), |printed| printed.starts_with(status));
        assert!(printed.starts_with(status), "{printed}");
    };
    for _ in 0..3 {
        reads("HTTP/1.1 403 Forbidden");
        paste(&demo.line("a policy changes"));
        reads("HTTP/1.1 200 OK");
        paste(&demo.line("and back"));
    }
    reads("HTTP/1.1 403 Forbidden");
}

#[test]
fn a_refusal_is_explained_by_the_gateway_and_by_the_control_plane() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path());
    let answer = paste(&demo.line("refused: read"));
    let id = answer.lines().find_map(|line| line.strip_prefix("doorward-decision-id: ")).unwrap().trim();
    let address = |name: &str| demo.document["addresses"][name].as_str().unwrap().to_owned();
    let owner = demo.document["users"].as_array().unwrap().iter().find(|user| user["what"].as_str().unwrap().starts_with("administers users")).unwrap();
    let token = directory.path().join("owner.token");
    std::fs::write(&token, owner["token"].as_str().unwrap()).unwrap();
    let explain = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_doorward")).args(["explain", "--decision", id]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (admin, control) = (address("admin").replace("http://", ""), address("control"));
    for asked in [&["--admin", &admin][..], &["--control", &control, "--token-file", token.to_str().unwrap()]] {
        // What is recorded is posted a second later at the latest; who asks before that asks again.
        let deadline = doorward::observe::clock::monotonic() + std::time::Duration::from_secs(20);
        let told = loop {
            match explain(asked) {
                (Some(0), told, _) => break told,
                (code, _, errors) => {
                    assert!(code == Some(1) && errors.contains("knows no decision"), "{errors}");
                    assert!(doorward::observe::clock::monotonic() < deadline, "{asked:?}: {errors}");
                }
            }
        };
        for line in ["result: Denied", "refusal: AccessDenied", "question: default/Read/Portfolio", "reason: Read on the target Portfolio"] {
            assert!(told.lines().any(|candidate| candidate.starts_with(line)), "{line} is missing in\n{told}");
        }
    }
}

#[test]
fn the_data_controller_sees_the_very_bytes_of_the_upstream() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path());
    let address = |name: &str| demo.document["addresses"][name].as_str().unwrap().to_owned();
    let token = demo.document["users"][0]["token"].as_str().unwrap();
    let get = |base: &str, path: &str| paste(&format!("curl -s -H 'Authorization: Bearer {token}' '{base}{path}'"));
    for path in [
        "/api/portfolios?limit=25",
        "/api/portfolios/EU",
        "/api/portfolios/UK/Global-Equity/properties",
        "/api/transactionportfolios/US/us-balanced-60-40/holdings",
        "/api/transactionportfolios/US/us-balanced-60-40/transactions?fromTransactionDate=2020-01-01",
        "/api/instruments",
        "/api/scopes",
    ] {
        let seen = get(&address("proxy"), path);
        assert!(seen.contains("\"links\":[]"), "{path}: {seen}");
        assert_eq!(seen, get(&address("upstream"), path), "{path}");
    }
}

#[test]
fn the_token_endpoint_takes_the_password_of_each_user() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path());
    let (control, proxy) = (&demo.document["addresses"]["control"], &demo.document["addresses"]["proxy"]);
    let client = |name: &str| demo.document["client"][name].as_str().unwrap();
    for user in demo.document["users"].as_array().unwrap() {
        let (login, password) = (user["login"].as_str().unwrap(), user["password"].as_str().unwrap());
        let signing_in = format!("grant_type=password&username={login}&password={password}&scope=openid client groups");
        let form = format!("{signing_in}&client_id={}&client_secret={}", client("id"), client("secret"));
        let url = format!("{}/oauth2/default/v1/token", control.as_str().unwrap());
        let answer: Value = serde_json::from_str(&paste(&format!("curl -s -d '{form}' {url}"))).unwrap();
        let token = answer["access_token"].as_str().unwrap();
        let list = format!("{}/api/portfolios", proxy.as_str().unwrap());
        assert!(paste(&format!("curl -s -i -H 'Authorization: Bearer {token}' {list}")).starts_with("HTTP/1.1 200"));
        let wrong: Value = serde_json::from_str(&paste(&format!("curl -s -d '{}' {url}", form.replace(password, "wrong")))).unwrap();
        assert_eq!(wrong["error"], "invalid_grant");
    }
}

#[test]
fn what_is_written_through_the_proxy_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path());
    let proxy = demo.document["addresses"]["proxy"].as_str().unwrap();
    let call = |user: usize, line: &str| {
        let token = demo.document["users"][user]["token"].as_str().unwrap();
        paste(&format!("curl -s -i -H 'Authorization: Bearer {token}' {line}"))
    };
    let body = r#"{"displayName":"UK Frontier","code":"uk-frontier","baseCurrency":"GBP","properties":{}}"#;
    let create = format!("-H 'Content-Type: application/json' -d '{body}' {proxy}/api/transactionportfolios/UK");
    let show = format!("{proxy}/api/portfolios/UK/uk-frontier");
    assert!(call(2, &create).starts_with("HTTP/1.1 403"));
    assert!(call(0, &show).starts_with("HTTP/1.1 404"));
    assert!(call(0, &create).starts_with("HTTP/1.1 201"));
    assert!(call(2, &show).contains("UK Frontier"));
    assert!(call(0, &format!("-X DELETE {show}")).starts_with("HTTP/1.1 200"));
    assert!(call(2, &show).starts_with("HTTP/1.1 404"));
}

#[test]
fn batches_of_instruments_and_quotes_are_answered_for_those_who_may_see_them() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(directory.path());
    let proxy = demo.document["addresses"]["proxy"].as_str().unwrap();
    let post = |user: usize, path: &str, body: &str| -> Value {
        let token = demo.document["users"][user]["token"].as_str().unwrap();
        let line = format!("curl -s -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' -d '{body}' '{proxy}{path}'");
        serde_json::from_str(&paste(&line)).unwrap()
    };
    let instruments = "/api/instruments/$get?identifierType=Ticker";
    let found = post(1, instruments, r#"["ARCL","NONE"]"#);
    assert_eq!(found["values"]["ARCL"]["name"], "Arclight Semiconductors");
    assert_eq!(found["failed"]["NONE"]["type"], "InstrumentNotFound");
    let uid = found["values"]["ARCL"]["lusidInstrumentId"].as_str().unwrap();
    let series = format!(r#"{{"provider":"Lusid","instrumentId":"{uid}","instrumentIdType":"LusidInstrumentId","quoteType":"Price","field":"mid"}}"#);
    let quotes = post(1, "/api/quotes/default/$get", &format!(r#"{{"one":{{"quoteSeriesId":{series}}}}}"#));
    assert_eq!(quotes["values"]["one"]["metricValue"]["unit"], "USD");
    assert_eq!(post(4, instruments, r#"["ARCL"]"#)["values"], serde_json::json!({}));
}

#[test]
fn the_directory_of_a_demo_that_was_given_none_goes_with_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    let mut process = command.arg("demo").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let files = lines.find(|line| line.trim_start().starts_with("files")).unwrap();
    let directory = Path::new(files.split_whitespace().nth(1).unwrap()).to_owned();
    assert!(lines.any(|line| line == "Ctrl-C ends the demo."));
    assert!(directory.join("demo.json").is_file());
    signal("INT", &process);
    assert_eq!(process.wait().unwrap().code(), Some(0));
    assert!(!directory.exists());
}
