//! TLS with ALPN, client certificates, and certificates that change.

use crate::support::client::Client;
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::http2;
use crate::support::issuer::{AUDIENCE, Key, measured, trusting};
use crate::support::upstream::{Upstream, ok};
use crate::support::within;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::observe::clock;
use doorward::proxy::ServerTls;
use doorward::token::IssuerRules;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this name and its key, as PEM.
fn issue(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

async fn connect(address: SocketAddr, root: &Authority, alpn: &[&[u8]], own: Option<(String, String)>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    within(TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("door.example").unwrap(), stream)).await
}

fn door(upstream: &Upstream, tls: &ServerTls) -> Doorward {
    Doorward::planned(&[upstream.address], |plan| plan.settings.tls = Some(tls.clone()))
}

#[tokio::test]
async fn the_protocol_is_agreed_by_alpn() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let root = authority();
    let (certificate, key) = issue(&root, "door.example");
    let door = door(&upstream, &ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), None).unwrap());
    let stream = connect(door.address, &root, &[b"h2", b"http/1.1"], None).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let mut sender = http2::speak(stream).await;
    assert_eq!(within(sender.send_request(http2::get("/free"))).await.unwrap().status(), 200);
    for alpn in [vec![b"http/1.1".as_slice()], vec![]] {
        let stream = connect(door.address, &root, &alpn, None).await.unwrap();
        assert_eq!(Client::over(stream).get("/free").await.status, 200);
    }
    assert_eq!(upstream.seen()[0].header("x-forwarded-proto"), ["https"]);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_turned_away_where_one_is_asked_for() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (root, clients, strangers) = (authority(), authority(), authority());
    let (certificate, key) = issue(&root, "door.example");
    let tls = ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), Some(clients.pem().as_bytes())).unwrap();
    let door = door(&upstream, &tls);
    let known = connect(door.address, &root, &[b"http/1.1"], Some(issue(&clients, "client"))).await.unwrap();
    assert_eq!(Client::over(known).get("/free").await.status, 200);
    for own in [None, Some(issue(&strangers, "client"))] {
        // With TLS 1.3 the refusal may come only after the client's side of the handshake.
        if let Ok(stream) = connect(door.address, &root, &[b"http/1.1"], own).await {
            assert!(Client::over(stream).is_closed().await);
        }
    }
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_token_bound_to_a_client_certificate_passes_on_its_connection_alone() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (root, clients, issuer) = (authority(), authority(), Key::new("one"));
    let (certificate, key) = issue(&root, "door.example");
    let tls = ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), Some(clients.pem().as_bytes())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, issuer.set()).unwrap();
    let keys = trusting(vec![measured(IssuerRules::named("https://id.example"), vec![AUDIENCE.into()], Duration::from_secs(86_400))], &path).await;
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.settings.tls = Some(tls);
        plan.keys = keys;
    });
    let (own, other) = (issue(&clients, "client"), issue(&clients, "client"));
    let shown = CertificateDer::from_pem_slice(own.0.as_bytes()).unwrap();
    let token = issuer.token(
        &json!({
            "iss": "https://id.example", "aud": AUDIENCE, "sub": "00u1", "exp": clock::now().as_second() + 600,
            "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode(Sha256::digest(&shown)) },
        })
        .to_string(),
    );
    // Pingora does not hand the certificate on: there every such token is refused.
    let good = if IS_PINGORA { 401 } else { 200 };
    for (certificate, expected) in [(own.clone(), good), (other, 401), (own, good)] {
        let stream = connect(door.address, &root, &[b"http/1.1"], Some(certificate)).await.unwrap();
        let mut client = Client::over(stream);
        client.send(format!("GET /free HTTP/1.1\r\nhost: door.example\r\nauthorization: Bearer {token}\r\n\r\n")).await;
        assert_eq!(client.answer().await.status, expected);
    }
}

#[tokio::test]
async fn certificates_change_while_the_door_is_open() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (old, new) = (authority(), authority());
    let (certificate, key) = issue(&old, "door.example");
    let tls = ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), None).unwrap();
    let door = door(&upstream, &tls);
    let mut before = Client::over(connect(door.address, &old, &[], None).await.unwrap());
    assert_eq!(before.get("/free").await.status, 200);
    assert!(tls.replace(b"nonsense", b"nonsense", None).is_err());
    connect(door.address, &old, &[], None).await.unwrap();
    let (certificate, key) = issue(&new, "door.example");
    tls.replace(certificate.as_bytes(), key.as_bytes(), None).unwrap();
    assert!(connect(door.address, &old, &[], None).await.is_err());
    connect(door.address, &new, &[], None).await.unwrap();
    assert_eq!(before.get("/free").await.status, 200);
}
