//! A page in a browser on this machine may call a name of its own that it lets point to loopback (DNS
//! rebinding). What shows users and policies is told to nobody who calls by such a name.

use super::Admin;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// Answers 421 to who calls a door on loopback by a name that somebody's DNS may have pointed there.
pub(super) async fn guard(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let is_local = admin.listening.admin.iter().all(|address| address.ip().is_loopback());
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    match is_local && !host.is_some_and(is_local_name) {
        true => (StatusCode::MISDIRECTED_REQUEST, "call the operator's door by its address or as `localhost`\n").into_response(),
        false => next.run(request).await,
    }
}

/// Whether no public name server is asked for this host: an address, `localhost`, or a name without a dot.
fn is_local_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    is_address || !name.contains('.') || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_stay_on_the_machine_are_local() {
        for host in ["127.0.0.1:9901", "[::1]:9901", "10.1.2.3", "localhost:9901", "LOCALHOST", "a.localhost:1", "sidecar:9901", "localhost."] {
            assert!(is_local_name(host), "{host}");
        }
        for host in ["evil.example", "evil.example:9901", "127.0.0.1.evil.example", "localhost.evil.example", "user@evil.example", "", "a b"] {
            assert!(!is_local_name(host), "{host}");
        }
    }
}
