//! What the console's pages look like: plain HTML, without scripts and without anything from elsewhere.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, StatusCode};
use maud::{DOCTYPE, Markup, html};

/// The style sheet, served at `/console/style.css`.
pub(super) const STYLE: &str = include_str!("style.css");

/// Nothing is loaded but our own style, nothing is framed, forms lead nowhere else.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A page of the console.
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    /// What went wrong, above everything else.
    pub(super) complaint: Option<String>,
    pub(super) content: Markup,
}

impl Page {
    /// A page where nothing went wrong.
    pub(super) fn new(title: &'static str, content: Markup) -> Self {
        Self { status: StatusCode::OK, title, complaint: None, content }
    }

    /// The same after something went wrong.
    pub(super) fn complaining(self, status: StatusCode, complaint: impl Into<String>) -> Self {
        Self { status, complaint: Some(complaint.into()), ..self }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let text = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) " · Doorward" }
                    link rel="stylesheet" href="/console/style.css";
                }
                body {
                    header { a href="/console" { "Doorward" } }
                    main {
                        h1 { (self.title) }
                        @if let Some(complaint) = &self.complaint { p.complaint role="alert" { (complaint) } }
                        (self.content)
                    }
                }
            }
        };
        let mut response = (self.status, text.into_string()).into_response();
        protect(response.headers_mut());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        response
    }
}

/// The headers of everything that the console answers.
pub(super) fn protect(headers: &mut HeaderMap) {
    const PAIRS: [(HeaderName, &str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in PAIRS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// A labelled field of a form.
pub(super) fn field(label: &str, name: &str, kind: &str, autocomplete: &str) -> Markup {
    html! {
        label {
            span { (label) }
            input type=(kind) name=(name) autocomplete=(autocomplete) required;
        }
    }
}
