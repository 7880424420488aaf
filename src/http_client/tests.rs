//! The client against real sockets.

use super::*;
use http::header::CONTENT_ENCODING;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

/// A server that answers every connection with these bytes, and returns its address.
async fn server(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            let head = String::from_utf8_lossy(&request[..read]).to_ascii_lowercase();
            assert!(head.contains("\r\nconnection: close\r\n") && head.contains("\r\nhost: 127.0.0.1:"), "{head}");
            let _ = stream.write_all(&answer).await;
        }
    });
    format!("http://{address}/keys?a=b")
}

fn body(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{head}\r\n", body.len()).as_bytes(), body].concat()
}

async fn asked(url: &str, limit: usize) -> Result<Answer, HttpError> {
    asked_for(Duration::from_secs(20), url, limit).await
}

async fn asked_for(time: Duration, url: &str, limit: usize) -> Result<Answer, HttpError> {
    let client = HttpClient::new(Authorities::Native).unwrap();
    client.ask(Ask::get(url.parse().unwrap(), time, limit)).await
}

#[tokio::test]
async fn an_answer_is_read_whole() {
    let answer = asked(&server(body("x-a: b\r\n", b"hello")).await, 5).await.unwrap();
    assert_eq!((answer.status.as_u16(), &*answer.body, &answer.headers["x-a"]), (200, &b"hello"[..], &HeaderValue::from_static("b")));
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n".to_vec();
    assert_eq!(&*asked(&server(chunked).await, 5).await.unwrap().body, b"hello");
    let until_close = b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec();
    assert_eq!(&*asked(&server(until_close).await, 5).await.unwrap().body, b"hello");
}

#[tokio::test]
async fn a_body_over_the_limit_is_an_error_however_it_is_framed() {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n".to_vec();
    for answer in [body("", b"hello"), chunked, b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(), b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_vec()] {
        assert!(matches!(asked(&server(answer).await, 4).await.unwrap_err(), HttpError::TooLarge(4)));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = server(body("", b"elsewhere")).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(asked(&server(redirect.into_bytes()).await, 100).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_broken_or_silent_server_is_an_error() {
    for answer in ["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", "nonsense", ""] {
        assert!(matches!(asked(&server(answer.into()).await, 100).await.unwrap_err(), HttpError::Exchange(_)), "{answer}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    assert!(matches!(asked_for(Duration::from_millis(500), &url, 100).await.unwrap_err(), HttpError::Timeout(_)));
    // Its port is nobody else's while it is bound, and nobody listens there.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    assert!(matches!(asked(&url, 100).await.unwrap_err(), HttpError::Connect(_)));
}

#[tokio::test]
async fn only_http_urls_without_credentials_are_asked() {
    for url in ["/keys", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/", "127.0.0.1:80"] {
        assert!(matches!(asked(url, 100).await.unwrap_err(), HttpError::Url(_)), "{url}");
    }
}

#[tokio::test]
async fn gzip_and_zstd_are_decoded_within_a_bound() {
    let plain = vec![b'a'; 100_000];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &plain).unwrap();
    let zstd = zstd::stream::encode_all(&*plain, 1).unwrap();
    for (coding, encoded) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd), ("identity", plain.clone())] {
        let answer = asked(&server(body(&format!("content-encoding: {coding}\r\n"), &encoded)).await, 200_000).await.unwrap();
        assert_eq!(decoded(&answer, 100_000).unwrap(), plain);
        assert!(matches!(decoded(&answer, 99_999).unwrap_err(), HttpError::TooLarge(_)), "{coding}");
        let mut cut = answer;
        cut.body = cut.body.slice(..encoded.len() - 1);
        assert!(coding == "identity" || decoded(&cut, 100_000).is_err(), "{coding}");
    }
}

#[test]
fn an_unknown_or_doubled_coding_is_an_error() {
    for codings in [vec!["br"], vec!["gzip, zstd"], vec!["gzip", "gzip"], vec!["identity", "gzip"]] {
        let mut headers = HeaderMap::new();
        for coding in codings {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        let answer = Answer { status: StatusCode::OK, headers, body: Bytes::from_static(b"x") };
        assert!(matches!(decoded(&answer, 10).unwrap_err(), HttpError::Encoding(_)));
    }
}

#[tokio::test]
async fn tls_is_verified_against_the_private_authority() {
    let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], private)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Uri = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&body("", b"secret")).await;
            let _ = stream.shutdown().await;
        }
    });
    let ask = Ask::get(url, Duration::from_secs(5), 100);
    let trusting = HttpClient::new(Authorities::Private(signed.cert.pem().as_bytes())).unwrap();
    assert_eq!(&*trusting.ask(ask.clone()).await.unwrap().body, b"secret");
    let stranger = HttpClient::new(Authorities::Native).unwrap();
    assert!(matches!(stranger.ask(ask).await.unwrap_err(), HttpError::Connect(_)));
    assert!(HttpClient::new(Authorities::Private(b"no certificate")).is_err());
}

#[test]
fn only_a_host_and_a_port_are_asked() {
    for url in ["http://a", "https://a:1/x?y=z@", "http://[::1]:1/"] {
        assert!(is_askable(&url.parse().unwrap()), "{url}");
    }
    for url in ["http://user:pa/ss@a", "http://user:secret@a:1/", "http://a:99999/", "http://user@a/", "ftp://a/", "/a"] {
        assert!(!url.parse().is_ok_and(|url| is_askable(&url)), "{url}");
    }
}
