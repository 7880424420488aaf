//! TLS on both sides, by rustls with aws-lc-rs: TLS 1.2 and 1.3. The server's certificates can be
//! replaced while it serves; connections that stand keep theirs. It never skips a verification.

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why certificates could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file has no certificate, or none that can be read.
    #[error("the certificate is not PEM: {0}")]
    Certificate(rustls::pki_types::pem::Error),
    /// The key file has no private key, or none that can be read.
    #[error("the private key is not PEM")]
    Key,
    /// The file has no certificate at all.
    #[error("there is no certificate in it")]
    Empty,
    /// The authorities that others must be signed by cannot be used.
    #[error("the authority cannot be used: {0}")]
    Authority(String),
    /// The certificate has expired.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate is of a time to come.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// Key and certificate do not fit, or rustls does not support them.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// There is nothing to verify an upstream against.
    #[error("there is no root certificate to verify the upstream against")]
    Roots,
}

/// What the server shows to its clients; clones share it.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ArcSwap<ServerConfig>>,
}

impl ServerTls {
    /// From PEM texts: the certificate chain, its key, and the authority of client certificates;
    /// with one, a client without a certificate from it is turned away.
    ///
    /// # Errors
    /// When a text is not PEM, or the parts do not fit.
    pub fn from_pem(certificate: &[u8], key: &[u8], client_ca: Option<&[u8]>) -> Result<Self, TlsError> {
        let config = server_config(certificate, key, client_ca)?;
        Ok(Self { config: Arc::new(ArcSwap::from_pointee(config)) })
    }

    /// Shows these from the next connection on; on an error the former ones stay. A certificate that is
    /// not valid now replaces none.
    ///
    /// # Errors
    /// As `from_pem`, and when the certificate is not valid at the time `now`.
    pub fn replace(&self, certificate: &[u8], key: &[u8], client_ca: Option<&[u8]>, now: Timestamp) -> Result<(), TlsError> {
        let config = server_config(certificate, key, client_ca)?;
        require_valid(certificate, now)?;
        self.config.store(Arc::new(config));
        Ok(())
    }

    /// What the next connection is shown.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerTls")
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn server_config(certificate: &[u8], key: &[u8], client_ca: Option<&[u8]>) -> Result<ServerConfig, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>().map_err(TlsError::Certificate)?;
    if chain.is_empty() {
        return Err(TlsError::Empty);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let is_of_known_clients = client_ca.is_some();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = roots_of(authority)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| TlsError::Authority(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if is_of_known_clients {
        forget_sessions(&mut config);
    }
    Ok(config)
}

/// A session that is resumed shows no certificate again: its client would be known for ever by one that has
/// ended, or whose authority is trusted no more.
fn forget_sessions(config: &mut ServerConfig) {
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
}

/// Whether a server may show the certificate at this time, by its own dates: those of the certificates
/// behind it are its clients' concern.
///
/// # Errors
/// When it has expired or is not valid yet, or there is none.
pub fn require_valid(certificate: &[u8], now: Timestamp) -> Result<(), TlsError> {
    let first = CertificateDer::from_pem_slice(certificate).map_err(TlsError::Certificate)?;
    let parsed = ParsedCertificate::try_from(&first)?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default()));
    let algorithms = provider().signature_verification_algorithms.all;
    // Its dates are looked at before its issuer is looked for, and there is none that would be found.
    match verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], now, algorithms) {
        Err(rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => Err(TlsError::Expired),
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })) => Err(TlsError::NotYetValid),
        _ => Ok(()),
    }
}

fn roots_of(authority: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        let certificate = certificate.map_err(|error| TlsError::Authority(error.to_string()))?;
        roots.add(certificate).map_err(|error| TlsError::Authority(error.to_string()))?;
    }
    Ok(roots)
}

/// How https upstreams are spoken to: HTTP/1.1, verified against the authority given, or the
/// system's roots without one.
///
/// # Errors
/// When there is not one root to verify against.
pub fn client_tls(authority: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = match authority {
        Some(authority) => roots_of(authority)?,
        None => system_roots(),
    };
    if roots.is_empty() {
        return Err(TlsError::Roots);
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Single certificates of the system that rustls cannot read are passed over.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
