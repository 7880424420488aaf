//! Where the `instance` of every problem leads, for somebody who follows it in a browser: how a decision
//! is looked up. It shows nothing of the decision, for a browser brings no credential.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, Method};

const PATH: &str = "/app/insights/logs/";

const PAGE: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>Look a decision up</title>
<h1>Look a decision up</h1>
<p>The last part of this address is the id of a decision. What was decided, and why, is shown to users whose policies
grant them the feature <code>Insights/api-accesslogs-getaccessevaluationlog</code>:</p>
<pre>curl -H \"Authorization: Bearer $TOKEN\" this-address</pre>
<p>Whoever was refused cannot see it, and gives the id to an administrator.</p>
</html>
";

/// The layer in front of the judge: a browser gets the page, everybody else goes on to be judged.
pub(in crate::control) async fn for_browsers(request: Request, next: Next) -> Response {
    let is_here = request.method() == Method::GET && request.uri().path().starts_with(PATH);
    if is_here && !request.headers().contains_key(AUTHORIZATION) && wants_html(request.headers()) {
        return page();
    }
    next.run(request).await
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(','));
    accepted.map(|range| range.split(';').next().unwrap_or_default().trim()).any(|range| range.eq_ignore_ascii_case("text/html"))
}

fn page() -> Response {
    let headers = [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(PAGE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use http::StatusCode;

    async fn ask(path: &str, headers: &[(&str, &str)]) -> (StatusCode, String) {
        let router = Router::new().route("/{*path}", get(|| async { (StatusCode::UNAUTHORIZED, "judged") })).layer(from_fn(for_browsers));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = crate::http_client::HttpClient::new(crate::http_client::Authorities::Native).unwrap();
        let mut ask = crate::http_client::Ask::get(format!("http://{address}{path}").parse().unwrap(), std::time::Duration::from_secs(10), 1 << 20);
        for (name, value) in headers {
            ask.headers.insert(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        let answer = client.ask(ask).await.unwrap();
        (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
    }

    const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");

    #[tokio::test]
    async fn a_browser_is_told_how_a_decision_is_looked_up() {
        let (status, page) = ask("/app/insights/logs/0a1b%3Cscript", &[BROWSER]).await;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains("Look a decision up") && !page.contains("0a1b"), "{page}");
    }

    #[tokio::test]
    async fn everybody_else_is_judged() {
        for (path, headers) in [
            ("/app/insights/logs/0a1b", &[("accept", "application/json")][..]),
            ("/app/insights/logs/0a1b", &[]),
            ("/app/insights/logs/0a1b", &[BROWSER, ("authorization", "Bearer x")]),
            ("/insights/api/access/0a1b", &[BROWSER]),
        ] {
            assert_eq!(ask(path, headers).await, (StatusCode::UNAUTHORIZED, "judged".to_owned()), "{path} {headers:?}");
        }
    }
}
