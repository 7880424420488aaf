//! The one client for key sets, discovery documents, snapshots and decision records: one request per connection over
//! HTTP/1.1, with or without TLS. It never follows a redirect, never reads more than its caller
//! allows, and never waits longer.

mod connect;
mod decode;
mod userinfo;

#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;

pub use decode::decoded;
pub use userinfo::without_userinfo;

use bytes::{Bytes, BytesMut};
use connect::Connection;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue};
use http::uri::Authority;
use http::{Method, Request, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// The address cannot be asked.
    #[error("`{0}` is not an http or https URL with a host and without credentials")]
    Url(String),
    /// The certificate authorities cannot be used.
    #[error("the certificate authorities cannot be used: {0}")]
    Authorities(String),
    /// Nobody answers there, or not by our protocol.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// The connection broke, or what came is not HTTP.
    #[error("the exchange broke off: {0}")]
    Exchange(#[from] hyper::Error),
    /// The whole exchange took too long.
    #[error("no complete answer within {0:?}")]
    Timeout(Duration),
    /// The body, as sent or decoded, is over the caller's limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is not what its `Content-Encoding` says.
    #[error("the answer cannot be decoded: {0}")]
    Encoding(String),
}

/// Whom TLS connections trust.
#[derive(Clone, Copy, Debug)]
pub enum Authorities<'a> {
    /// The authorities of this machine.
    Native,
    /// Those of a PEM document alone.
    Private(&'a [u8]),
}

/// The client; a clone shares its configuration.
#[derive(Clone)]
pub struct HttpClient {
    tls: Arc<ClientConfig>,
}

/// One question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// `GET` unless said otherwise.
    pub method: Method,
    /// An absolute http or https URL.
    pub url: Uri,
    /// Beside `Host` and the framing, which are the client's own.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// For the whole exchange, connecting included.
    pub timeout: Duration,
    /// The most bytes of body that are taken.
    pub body_limit: usize,
}

/// A complete answer; its body is as it was sent, see [`decoded`].
#[derive(Debug)]
pub struct Answer {
    /// Any status but an informational one; a redirect is an answer like every other.
    pub status: StatusCode,
    /// As sent.
    pub headers: HeaderMap,
    /// As sent, within the limit.
    pub body: Bytes,
}

impl HttpError {
    /// Says that this URL cannot be asked; what may be a password in it is not shown.
    fn of_url(url: &Uri) -> Self {
        Self::Url(without_userinfo(&url.to_string()).into_owned())
    }
}

impl Ask {
    /// A `GET` without headers of its own.
    #[must_use]
    pub fn get(url: Uri, timeout: Duration, body_limit: usize) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), timeout, body_limit }
    }
}

impl HttpClient {
    /// A client that trusts `authorities`.
    ///
    /// # Errors
    /// When a PEM document has no usable certificate. A machine without authorities is no error: only
    /// https addresses fail then.
    pub fn new(authorities: Authorities<'_>) -> Result<Self, HttpError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let wrong = |error: rustls::Error| HttpError::Authorities(error.to_string());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots(authorities)?)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls) })
    }

    /// Asks once and reads the whole answer. Redirects are not followed.
    ///
    /// # Errors
    /// When no complete answer comes within the time and the size that `ask` allows.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, HttpError> {
        let timeout = ask.timeout;
        tokio::time::timeout(timeout, self.exchange(ask)).await.map_err(|_| HttpError::Timeout(timeout))?
    }

    async fn exchange(&self, ask: Ask) -> Result<Answer, HttpError> {
        let limit = ask.body_limit;
        let connection = Connection::open(&ask.url, &self.tls).await?;
        let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(connection)).await?;
        let request = request(ask)?;
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok(Answer { status: head.status, headers: head.headers, body: whole(body, limit).await? })
        };
        // The driver moves the bytes; it is polled here, so that nothing is left behind when we stop.
        let (mut answer, mut driver) = (pin!(answer), pin!(driver));
        tokio::select! {
            answer = &mut answer => answer,
            _ = &mut driver => answer.await,
        }
    }
}

fn roots(authorities: Authorities<'_>) -> Result<RootCertStore, HttpError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Authorities::Native => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Authorities::Private(document) => {
            for certificate in CertificateDer::pem_slice_iter(document) {
                let certificate = certificate.map_err(|error| HttpError::Authorities(error.to_string()))?;
                roots.add(certificate).map_err(|error| HttpError::Authorities(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(HttpError::Authorities("there is no certificate in the document".into()));
            }
        }
    }
    Ok(roots)
}

fn request(ask: Ask) -> Result<Request<Full<Bytes>>, HttpError> {
    let host = ask.url.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    let target = ask.url.path_and_query().map_or("/", |target| target.as_str());
    let unusable = || HttpError::of_url(&ask.url);
    let mut request = Request::new(Full::new(ask.body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() = target.parse().map_err(|_| unusable())?;
    *request.headers_mut() = ask.headers.clone();
    request.headers_mut().insert(HOST, HeaderValue::from_str(&host).map_err(|_| unusable())?);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// The whole body, if it is within `limit`; a length announced beyond it is not read at all.
async fn whole(body: hyper::body::Incoming, limit: usize) -> Result<Bytes, HttpError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(HttpError::TooLarge(limit));
    }
    let mut body = pin!(body);
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if read.len() + data.len() > limit {
            return Err(HttpError::TooLarge(limit));
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

/// Whether `url` is one that the client can ask: http or https, with a host, without credentials. What
/// stands behind the host is a port, and not half of a password.
#[must_use]
pub fn is_askable(url: &Uri) -> bool {
    let scheme = matches!(url.scheme_str(), Some("http" | "https"));
    let is_host = |authority: &Authority| !authority.host().is_empty() && (authority.as_str() == authority.host() || authority.port_u16().is_some());
    scheme && url.authority().is_some_and(|authority| is_host(authority) && !authority.as_str().contains('@'))
}
