//! What the demo tells: a page for the person at the terminal, and `demo.json` for programs.

use super::Running;
use super::calls::Call;
use super::tokens::CLIENT_ID;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Prints the page.
///
/// # Errors
/// When nobody reads it any more.
pub(super) fn print(demo: &Running, out: &mut impl Write) -> io::Result<()> {
    let at = &demo.addresses;
    writeln!(out, "Doorward demo: an investment company, its portfolio API, and the proxy between them.\n")?;
    let places = [
        ("proxy", &at.proxy, "what people call".to_owned()),
        ("upstream", &at.upstream, format!("the API behind it, which hides nothing: {}", demo.extent)),
        ("tokens", &at.tokens, "signs people in; /token/ID gives the token of one".to_owned()),
        ("control", &at.control, "the Identity and Access APIs; the proxy follows its /snapshot".to_owned()),
        ("admin", &at.admin, "/status, /metrics, /healthz, /readyz".to_owned()),
    ];
    for (name, address, what) in places {
        writeln!(out, "  {name:<9} {address}  {what}")?;
    }
    let directory = demo.directory.display();
    writeln!(out, "  files     {directory}  demo.json, doorward.toml, lusid.yaml, decisions.log\n")?;
    writeln!(out, "People")?;
    for person in &demo.people {
        writeln!(out, "  {:<11} {}, {}", person.account.id, person.name, person.what)?;
    }
    writeln!(out, "\nTry it: paste the lines into another terminal, in this order.")?;
    for (place, call) in demo.calls.iter().enumerate() {
        print_call(place + 1, call, out)?;
    }
    writeln!(out, "\nEvery decision so far: cat {directory}/decisions.log")?;
    writeln!(out, "Ctrl-C ends the demo.")?;
    out.flush()
}

fn print_call(number: usize, call: &Call, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{number}. {}. {}", capitalized(call.what), call.shows)?;
    writeln!(out, "   {}", call.curl)?;
    writeln!(out, "   Look for: {}", call.look)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// `demo.json` (interfaces §1).
pub(super) fn document(demo: &Running) -> Value {
    let at = &demo.addresses;
    let users = demo.people.iter().map(|person| {
        let account = &person.account;
        json!({
            "id": account.id,
            "login": account.login,
            "name": person.name,
            "what": person.what,
            "password": account.password,
            "token": person.token,
        })
    });
    json!({
        "addresses": {
            "proxy": at.proxy,
            "upstream": at.upstream,
            "admin": at.admin,
            "tokens": at.tokens,
            "control": at.control,
            "snapshot": format!("{}/snapshot", at.control),
        },
        "issuer": format!("{}/oauth2/default", at.control),
        "client": {"id": CLIENT_ID, "secret": demo.client_secret},
        "users": users.collect::<Vec<_>>(),
        "calls": demo.calls,
    })
}
