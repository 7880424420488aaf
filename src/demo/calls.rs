//! The calls to try: what each shows, the line to paste, what to look for; and the same for programs.

use super::Addresses;
use super::control::OWNER;
use super::data::{Books, business_day};
use super::rows::written;
use jiff::Timestamp;
use serde::Serialize;

/// One line to paste.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Call {
    /// A word or two.
    pub(super) what: &'static str,
    /// What it shows, in a sentence.
    pub(super) shows: String,
    /// The line, for bash.
    pub(super) curl: String,
    /// What a person looks for in what it prints.
    pub(super) look: String,
    /// What a program looks for.
    pub(super) expect: Expect,
}

/// What stands in the printed text.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Expect {
    /// Texts that are there.
    contains: Vec<String>,
    /// Texts that are not there.
    lacks: Vec<String>,
    /// How many lines there are, where it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<usize>,
}

impl Expect {
    fn new(contains: &[&str], lacks: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self { contains: owned(contains), lacks: owned(lacks), lines: None }
    }
}

const STYLE: &str = "Portfolio/strategy/style";
const FEES: &str = "Portfolio/fees/";
const INCOME: &str = "/api/portfolios/UK/uk-equity-income";
const POLICY: &str = "/access/api/policies/us-portfolios";
/// What the proxy may take to come to a new revision.
const FOLLOWED: &str = "sleep 1";

/// The calls, in the order in which they make sense: the later ones build on the policy change.
pub(super) fn calls(at: &Addresses, books: &Books, now: Timestamp) -> Vec<Call> {
    vec![
        passes(at),
        without_proxy(at, books),
        rows_are_filtered(at, books),
        properties_are_filtered(at),
        dates_are_filtered(at, now),
        read_is_refused(at),
        write_is_refused(at),
        policy_changes(at),
        change_holds(at),
        policy_changes_back(at),
    ]
}

/// `curl` as this user, with further options before the address.
fn curl(at: &Addresses, user: &str, options: &str, target: &str) -> String {
    let Addresses { proxy, tokens, .. } = at;
    format!("curl -s{options} -H \"Authorization: Bearer $(curl -s {tokens}/token/{user})\" \"{proxy}{target}\"")
}

fn passes(at: &Addresses) -> Call {
    Call {
        what: "passes",
        shows: "The data controller may read everything, so the API's answer goes through byte for byte.".to_owned(),
        curl: curl(at, "controller", "i -w '\\n'", INCOME),
        look: format!("200, and the fees among the properties (`{FEES}…`)."),
        expect: Expect::new(&["HTTP/1.1 200", "uk-equity-income", STYLE, FEES], &[]),
    }
}

/// Prints the names of an answer, one a line.
const NAMES: &str = " | grep -o '\"displayName\":\"[^\"]*\"'";

fn without_proxy(at: &Addresses, books: &Books) -> Call {
    let all = books.portfolios.len();
    let mut expect = Expect::new(&["US Large Cap Growth", "UK Gilts", "US Seed Capital"], &[]);
    expect.lines = Some(all);
    Call {
        what: "without the proxy",
        shows: "This is the API itself: it lists every portfolio to everybody.".to_owned(),
        curl: format!("curl -s \"{}/api/portfolios\"{NAMES}", at.upstream),
        look: format!("{all} names."),
        expect,
    }
}

fn rows_are_filtered(at: &Addresses, books: &Books) -> Call {
    let mine = books.portfolios.iter().filter(|portfolio| portfolio.scope == "US" && !portfolio.code.starts_with("restricted-"));
    let mine = mine.count();
    let mut expect = Expect::new(&["US Large Cap Growth"], &["UK ", "US Seed Capital", "wall-crossed"]);
    expect.lines = Some(mine);
    Call {
        what: "filtered: rows",
        shows: "The US portfolio manager asks the proxy for the same list.".to_owned(),
        curl: format!("{}{NAMES}", curl(at, "pm-us", "", "/api/portfolios")),
        look: format!("{mine} names, all from the US; what is restricted or of other regions was taken out of the answer."),
        expect,
    }
}

fn properties_are_filtered(at: &Addresses) -> Call {
    Call {
        what: "filtered: properties",
        shows: "She reads the properties of one of her portfolios; those that she may not see are missing.".to_owned(),
        curl: curl(at, "pm-us", "i -w '\\n'", "/api/portfolios/US/us-technology/properties"),
        look: format!("`{STYLE}` is there and no `{FEES}…` is, nor a stray comma in its place."),
        expect: Expect::new(&["HTTP/1.1 200", STYLE, "Portfolio/risk/beta"], &[FEES]),
    }
}

fn dates_are_filtered(at: &Addresses, now: Timestamp) -> Call {
    let day = |days: u32| written(business_day(now, days)).chars().take(10).collect::<String>();
    // Days at the edge are left out: midnight may pass between the start of the demo and the call.
    let recent: Vec<String> = (0..=4).map(day).collect();
    let recent: Vec<&str> = recent.iter().map(String::as_str).collect();
    Call {
        what: "filtered: dates",
        shows: "The risk manager may see everything as it was a week ago: the latest transactions are missing.".to_owned(),
        curl: format!("{} | grep -o '\"transactionDate\":\"[0-9-]*'", curl(at, "risk", "", "/api/transactionportfolios/US/us-technology/transactions")),
        look: format!(
            "No date after {}.",
            written(now.saturating_sub(jiff::SignedDuration::from_hours(7 * 24)).unwrap_or(now)).chars().take(10).collect::<String>()
        ),
        expect: Expect::new(&["\"transactionDate\":\"20"], &recent),
    }
}

fn read_is_refused(at: &Addresses) -> Call {
    Call {
        what: "refused: read",
        shows: "The US manager asks for a UK portfolio. The path tells enough: the API is not even called.".to_owned(),
        curl: curl(at, "pm-us", "i -w '\\n'", INCOME),
        look: "403 AccessDenied. The body does not say why; its decision id finds the reason in decisions.log.".to_owned(),
        expect: Expect::new(&["HTTP/1.1 403", "AccessDenied", "doorward-decision-id"], &["uk-equity-income\"", STYLE]),
    }
}

fn write_is_refused(at: &Addresses) -> Call {
    Call {
        what: "refused: write",
        shows: "The UK manager may read this portfolio, but no policy grants him the operation that deletes it.".to_owned(),
        curl: curl(at, "pm-uk", "i -w '\\n' -X DELETE", INCOME),
        look: "403 again, and the portfolio is still there.".to_owned(),
        expect: Expect::new(&["HTTP/1.1 403", "AccessDenied"], &["entityType"]),
    }
}

/// The line that makes the policy `us-portfolios` cover the portfolios of these scopes.
fn covering(at: &Addresses, scope: &str) -> String {
    let actions = r#"[{"scope":"default","activity":"Any","entity":"Portfolio"}]"#;
    let selector = format!(r#"{{"idSelectorDefinition":{{"identifier":{{"scope":"{scope}"}},"actions":{actions}}}}}"#);
    let policy = format!(r#"{{"grant":"Allow","applications":["LUSID"],"selectors":[{selector}],"when":{{"activate":"2020-01-01T00:00:00Z"}}}}"#);
    let Addresses { control, tokens, .. } = at;
    let bearer = format!("-H \"Authorization: Bearer $(curl -s {tokens}/token/{OWNER})\"");
    format!("curl -s -i -w '\\n' -X PUT {bearer} -H 'Content-Type: application/json' -d '{policy}' \"{control}{POLICY}\"; {FOLLOWED}")
}

fn policy_changes(at: &Addresses) -> Call {
    Call {
        what: "a policy changes",
        shows: "By the Access API the domain owner makes the policy `us-portfolios` cover the scopes `U*`: US and UK. Nothing is restarted.".to_owned(),
        curl: covering(at, "U*"),
        look: "200 and the policy, with the scope `U*`. A second later the proxy judges by it.".to_owned(),
        expect: Expect::new(&["HTTP/1.1 200", "us-portfolios", "\"U*\""], &["errors"]),
    }
}

fn change_holds(at: &Addresses) -> Call {
    Call {
        what: "after the change",
        shows: "The US manager asks for the UK portfolio again.".to_owned(),
        curl: curl(at, "pm-us", "i -w '\\n'", INCOME),
        look: "200. The fees are still missing: that is another policy.".to_owned(),
        expect: Expect::new(&["HTTP/1.1 200", "uk-equity-income", STYLE], &[FEES]),
    }
}

fn policy_changes_back(at: &Addresses) -> Call {
    Call {
        what: "and back",
        shows: "The policy covers the scope `US` again, and the call before this one is refused again.".to_owned(),
        curl: covering(at, "US"),
        look: "200 and the policy, with the scope `US`.".to_owned(),
        expect: Expect::new(&["HTTP/1.1 200", "us-portfolios", "\"US\""], &["errors"]),
    }
}
