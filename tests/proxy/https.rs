//! https upstreams: verified by their authority and name, or sent nothing.

use crate::support::certificates::{Authority, authority, issue, issue_expired};
use crate::support::client::{Client, request};
use crate::support::door::Doorward;
use crate::support::upstream::{Upstream, ok};
use crate::support::world::{portfolios, visible_portfolios};
use doorward::door::client_tls;
use doorward::proxy::{UpstreamTls, UpstreamUrl};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// TLS with this certificate in front of a plain upstream; it ends with the test's runtime. As a server of many
/// names it serves nobody who does not say which of them is meant.
async fn behind_tls(upstream: &Upstream, (certificate, key): (String, String)) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, behind) = (listener.local_addr().unwrap(), upstream.address);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut secure) = acceptor.accept(stream).await else { return };
                if secure.get_ref().1.server_name() != Some("localhost") {
                    return;
                }
                let mut plain = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut secure, &mut plain).await;
            });
        }
    });
    address
}

fn door(address: SocketAddr, trusted: &Authority, folder: &Path) -> Doorward {
    let path = folder.join("authority.pem");
    std::fs::write(&path, trusted.pem()).unwrap();
    Doorward::planned(&[address], |plan| {
        let config = client_tls(Some(trusted.pem().as_bytes())).unwrap();
        let tls = UpstreamTls { config, name: ServerName::try_from("localhost").unwrap() };
        plan.settings.upstreams = vec![UpstreamUrl { host: "localhost".into(), port: address.port(), tls: Some(tls) }];
        plan.upstream_ca = Some(path);
    })
}

#[tokio::test]
async fn an_https_upstream_is_verified_and_asked_by_both_ways() {
    let upstream = Upstream::start(|seen| if seen.line().contains("/api/") { ok(&portfolios(5)) } else { ok("{}") }).await;
    let (authority, folder) = (authority(), tempfile::tempdir().unwrap());
    let address = behind_tls(&upstream, issue(&authority, "localhost")).await;
    let door = door(address, &authority, folder.path());
    let mut client = Client::connect(door.address).await;
    assert_eq!(client.get("/free").await.text(), "{}");
    assert_eq!(client.get("/api/portfolios").await.text(), visible_portfolios(5));
    assert_eq!(upstream.seen().iter().flat_map(|seen| seen.header("host")).collect::<Vec<_>>(), vec![format!("localhost:{}", address.port()); 2]);
}

#[tokio::test]
async fn an_upstream_that_cannot_show_who_it_is_is_sent_nothing() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let (known, stranger) = (authority(), authority());
    for (what, shown) in [
        ("an unknown authority", issue(&stranger, "localhost")),
        ("another name", issue(&known, "elsewhere.example")),
        ("expired", issue_expired(&known, "localhost")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let address = behind_tls(&upstream, shown).await;
        let door = door(address, &known, folder.path());
        for head in [request("GET", "/free", ""), request("GET", "/api/portfolios", ""), request("POST", "/free", "content-length: 2\r\n") + "{}"] {
            let mut client = Client::connect(door.address).await;
            client.send(&head).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.problem().as_str()), (502, "UpstreamUnavailable"), "{what}");
        }
    }
    assert!(upstream.seen().is_empty());
}
