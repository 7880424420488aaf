//! What a browser must show before a form is looked at: that it speaks to us by our own name (DNS
//! rebinding), and that the form is our own (CSRF; threats §6).

use crate::control::plane::Plane;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Method, StatusCode, Uri};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses what comes by another name or from another page.
pub(super) async fn guard(State(plane): State<Plane>, request: Request, next: Next) -> Response {
    match refused(&plane.settings.public_url, request.method(), request.headers()) {
        Some(reason) => (StatusCode::FORBIDDEN, format!("{reason}\n")).into_response(),
        None => next.run(request).await,
    }
}

/// Why a request is refused, if it is.
fn refused(public_url: &str, method: &Method, headers: &HeaderMap) -> Option<&'static str> {
    let authority = public_url.parse::<Uri>().ok().and_then(|url| url.authority().map(ToString::to_string));
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(HOST) != authority.as_deref() {
        return Some("The console is served under the name of control.public_url alone.");
    }
    if method == Method::GET || method == Method::HEAD {
        return None;
    }
    // Browsers send one or both with every form; without any it is no browser's form.
    let is_ours = match (text(ORIGIN), text(FETCH_SITE)) {
        (Some(origin), site) => origin == public_url && site.is_none_or(|site| site == "same-origin"),
        (None, Some(site)) => site == "same-origin",
        (None, None) => false,
    };
    (!is_ours).then_some("The form does not come from a page of this console.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "http://127.0.0.1:9910";

    fn asked(method: &Method, pairs: &[(&'static str, &'static str)]) -> bool {
        let headers = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        refused(OURS, method, &headers).is_none()
    }

    #[test]
    fn a_page_is_read_by_our_own_name_alone() {
        assert!(asked(&Method::GET, &[("host", "127.0.0.1:9910")]));
        assert!(!asked(&Method::GET, &[("host", "evil.example:9910")]));
        assert!(!asked(&Method::GET, &[]));
    }

    #[test]
    fn a_form_from_elsewhere_is_refused() {
        let host = ("host", "127.0.0.1:9910");
        assert!(asked(&Method::POST, &[host, ("origin", OURS)]));
        assert!(asked(&Method::POST, &[host, ("sec-fetch-site", "same-origin")]));
        assert!(!asked(&Method::POST, &[host]));
        assert!(!asked(&Method::POST, &[host, ("origin", "null")]));
        assert!(!asked(&Method::POST, &[host, ("origin", "http://evil.example")]));
        assert!(!asked(&Method::POST, &[host, ("origin", OURS), ("sec-fetch-site", "cross-site")]));
        assert!(!asked(&Method::POST, &[host, ("sec-fetch-site", "same-site")]));
    }
}
