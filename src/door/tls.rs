//! TLS on both sides, by rustls with aws-lc-rs: TLS 1.2 and 1.3. The server's certificates can be
//! replaced while it serves; connections that stand keep theirs. It never skips a verification.

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::sync::Arc;

/// Why certificates could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file has no certificate, or none that can be read.
    #[error("the certificate is not PEM: {0}")]
    Certificate(rustls::pki_types::pem::Error),
    /// The key file has no private key, or none that can be read.
    #[error("the private key is not PEM")]
    Key,
    /// The authority for client certificates cannot be used.
    #[error("the client authority cannot be used: {0}")]
    ClientAuthority(String),
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

    /// Shows these from the next connection on; on an error the former ones stay.
    ///
    /// # Errors
    /// As `from_pem`.
    pub fn replace(&self, certificate: &[u8], key: &[u8], client_ca: Option<&[u8]>) -> Result<(), TlsError> {
        self.config.store(Arc::new(server_config(certificate, key, client_ca)?));
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
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let roots = roots_of(authority)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| TlsError::ClientAuthority(error.to_string()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots_of(authority: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        let certificate = certificate.map_err(|error| TlsError::ClientAuthority(error.to_string()))?;
        roots.add(certificate).map_err(|error| TlsError::ClientAuthority(error.to_string()))?;
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
