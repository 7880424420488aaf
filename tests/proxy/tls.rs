//! TLS with ALPN, client certificates, and certificates that change.

use crate::support::certificates::{Authority, authority, issue, issue_expired};
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::engine::IS_PINGORA;
use crate::support::http2;
use crate::support::issuer::{AUDIENCE, Key, measured, trusting};
use crate::support::upstream::{Reply, Upstream, ok};
use crate::support::within;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::observe::clock;
use doorward::proxy::ServerTls;
use doorward::token::IssuerRules;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

async fn connect(address: SocketAddr, root: &Authority, alpn: &[&[u8]], own: Option<(String, String)>) -> std::io::Result<TlsStream<TcpStream>> {
    connect_by(&[&TLS12, &TLS13], address, root, alpn, own).await
}

type Versions<'a> = &'a [&'static SupportedProtocolVersion];

async fn connect_by(
    versions: Versions<'_>,
    address: SocketAddr,
    root: &Authority,
    alpn: &[&[u8]],
    own: Option<(String, String)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut config = config(versions, root, own);
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    connect_again(address, &Arc::new(config)).await
}

fn config(versions: Versions<'_>, root: &Authority, own: Option<(String, String)>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap().with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
        }
    }
}

/// The same client, which may remember its sessions.
async fn connect_again(address: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    within(TlsConnector::from(Arc::clone(config)).connect(ServerName::try_from("door.example").unwrap(), stream)).await
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
    for own in [None, Some(issue(&strangers, "client")), Some(issue_expired(&clients, "client"))] {
        // With TLS 1.3 the refusal may come only after the client's side of the handshake.
        if let Ok(stream) = connect(door.address, &root, &[b"http/1.1"], own).await {
            let mut client = Client::over(stream);
            client.try_send(request("GET", "/free", "")).await;
            assert!(client.answer_or_end().await.is_none());
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
    assert!(tls.replace(b"nonsense", b"nonsense", None, clock::now()).is_err());
    connect(door.address, &old, &[], None).await.unwrap();
    let (certificate, key) = issue(&new, "door.example");
    tls.replace(certificate.as_bytes(), key.as_bytes(), None, clock::now()).unwrap();
    assert!(connect(door.address, &old, &[], None).await.is_err());
    connect(door.address, &new, &[], None).await.unwrap();
    assert_eq!(before.get("/free").await.status, 200);
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let root = authority();
    let (certificate, key) = issue(&root, "door.example");
    let door = door(&upstream, &ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), None).unwrap());
    for version in [&TLS12, &TLS13] {
        let stream = connect_by(&[version], door.address, &root, &[], None).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(Client::over(stream).get("/free").await.status, 200);
    }
}

/// A ClientHello that offers no more than this version, with suites that it has.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let suites = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x09, 0xc0, 0x13, 0xc0, 0x0a, 0xc0, 0x14, 0x00, 0x2f, 0x00, 0x35];
    let groups = [0x00, 0x0a, 0, 6, 0, 4, 0, 23, 0, 24];
    let points = [0x00, 0x0b, 0, 2, 1, 0];
    let schemes = [0x00, 0x0d, 0, 8, 0, 6, 4, 3, 8, 4, 4, 1];
    let extensions = [&groups[..], &points, &schemes].concat();
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let body = [&version[..], &[7; 32], &[0], &sized(&suites), &[1, 0], &sized(&extensions)].concat();
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&message)].concat()
}

#[tokio::test]
async fn nothing_older_than_tls_1_2_is_spoken() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let root = authority();
    let (certificate, key) = issue(&root, "door.example");
    let door = door(&upstream, &ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), None).unwrap());
    // Alert and handshake records begin with their type; a ServerHello is a handshake message of type 2.
    for (version, is_spoken) in [([3, 0], false), ([3, 1], false), ([3, 2], false), ([3, 3], true)] {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(&hello(version)).await.unwrap();
        let mut start = [0; 6];
        let count = within(stream.read_exact(&mut start)).await.map_or(0, |count| count);
        assert_eq!(count == 6 && start[0] == 22 && start[5] == 2, is_spoken, "{version:?}: {start:?}");
        assert!(is_spoken || count == 0 || start[0] == 21, "{version:?}: {start:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_stands_still_is_cut() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (certificate, key) = issue(&authority(), "door.example");
    let tls = ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), None).unwrap();
    let door = Doorward::planned(&[upstream.address], |plan| {
        plan.settings.tls = Some(tls);
        plan.settings.limits.header_read_timeout = Duration::from_millis(100);
    });
    let hello = hello([3, 3]);
    for start in [&[][..], &hello[..1], &hello[..hello.len() - 1]] {
        let mut client = Client::connect(door.address).await;
        client.send(start).await;
        assert!(client.answer_or_end().await.is_none(), "after {} bytes", start.len());
    }
}

#[tokio::test]
async fn bytes_sent_over_tls_before_the_101_are_not_forwarded_either() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let upstream = Upstream::start(move |_| Reply::Echo(switching.into())).await;
    let root = authority();
    let (certificate, key) = issue(&root, "door.example");
    let door = door(&upstream, &ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), None).unwrap());
    let wish = request("GET", "/socket", "connection: upgrade\r\nupgrade: websocket\r\n");
    let mut client = Client::over(connect(door.address, &root, &[], None).await.unwrap());
    client.send(wish.clone() + "GET /smuggled HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.head().await.status, if IS_PINGORA { 400 } else { 101 });
    client.try_send("later").await;
    let came = client.bytes(usize::MAX).await;
    let came = String::from_utf8_lossy(&came);
    assert!(!came.contains("smuggled") && !came.contains("later"), "{came}");
    // What is sent once the protocol has changed comes back.
    let mut client = Client::over(connect(door.address, &root, &[], None).await.unwrap());
    client.send(wish).await;
    assert_eq!(client.head().await.status, 101);
    client.send("echo").await;
    assert_eq!(client.bytes(4).await, b"echo");
}

#[tokio::test]
async fn who_must_show_a_certificate_shows_it_every_time() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (root, clients) = (authority(), authority());
    let (certificate, key) = issue(&root, "door.example");
    for (client_ca, kind) in [(Some(clients.pem()), HandshakeKind::Full), (None, HandshakeKind::Resumed)] {
        let client_ca = client_ca.as_ref().map(String::as_bytes);
        let door = door(&upstream, &ServerTls::from_pem(certificate.as_bytes(), key.as_bytes(), client_ca).unwrap());
        for version in [&TLS12, &TLS13] {
            let config = Arc::new(config(&[version], &root, client_ca.map(|_| issue(&clients, "client"))));
            for kind in [HandshakeKind::Full, kind] {
                let mut client = Client::over(connect_again(door.address, &config).await.unwrap());
                // With the answer come the tickets.
                assert_eq!(client.get("/free").await.status, 200);
                assert_eq!(client.stream().get_ref().1.handshake_kind(), Some(kind), "{version:?}");
            }
        }
    }
}
