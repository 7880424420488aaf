//! Encoded answers: undone within bounds, or not at all (threats §5).

use super::ask;
use crate::support::client::request;
use crate::support::door::Doorward;
use crate::support::http2;
use crate::support::upstream::{Reply, Upstream, said};
use crate::support::within;
use crate::support::world::{portfolios, visible_portfolios};
use std::io::Write;

const CODINGS: [&str; 4] = ["gzip", "deflate", "br", "zstd"];

fn encode(coding: &str, plain: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        "br" => {
            let mut encoded = Vec::new();
            brotli::CompressorWriter::new(&mut encoded, 4096, 5, 20).write_all(plain).unwrap();
            encoded
        }
        _ => zstd::encode_all(plain, 3).unwrap(),
    }
}

/// A door in front of an upstream that answers with this `Content-Encoding` and these bytes.
async fn door(coding: &str, body: Vec<u8>) -> (Upstream, Doorward) {
    let reply = said(&format!("content-type: application/json\r\ncontent-encoding: {coding}\r\n"), &body);
    let upstream = Upstream::start(move |_| Reply::Bytes(reply.clone())).await;
    let door = Doorward::before(&upstream);
    (upstream, door)
}

/// 502 if nothing was sent yet, otherwise a body that breaks off and does not parse.
async fn assert_unfilterable(coding: &str, body: Vec<u8>, what: &str) {
    let (_upstream, door) = door(coding, body).await;
    let answer = ask(&door, request("GET", "/api/portfolios", "")).await;
    if answer.status == 200 {
        assert!(!answer.is_whole, "{coding}, {what}: {} bytes look whole", answer.body.len());
        assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err(), "{coding}, {what}");
    } else {
        assert_eq!((answer.status, answer.problem().as_str()), (502, "UnfilterableResponse"), "{coding}, {what}");
    }
}

#[tokio::test]
async fn a_known_coding_is_undone() {
    for coding in CODINGS {
        let (_upstream, door) = door(coding, encode(coding, portfolios(200).as_bytes())).await;
        let answer = ask(&door, request("GET", "/api/portfolios", "accept-encoding: gzip\r\n")).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, None), "{coding}");
        assert_eq!(answer.text(), visible_portfolios(200), "{coding}");
    }
}

#[tokio::test]
async fn a_bomb_is_cut() {
    let plain = [b"{\"values\":[".as_slice(), &vec![b' '; 32 << 20], b"]}"].concat();
    for coding in CODINGS {
        assert_unfilterable(coding, encode(coding, &plain), "a bomb").await;
    }
}

#[tokio::test]
async fn an_encoded_answer_cut_short_is_never_whole() {
    for coding in CODINGS {
        let encoded = encode(coding, portfolios(50).as_bytes());
        for length in [1, encoded.len() / 2, encoded.len() - 1] {
            assert_unfilterable(coding, encoded[..length].to_vec(), "cut short").await;
        }
    }
}

#[tokio::test]
async fn a_large_encoded_answer_that_turns_bad_at_its_end_is_seen_to_be_cut() {
    for coding in CODINGS {
        let encoded = encode(coding, portfolios(1500).as_bytes());
        for bad in [encoded[..encoded.len() - 1].to_vec(), [encoded.clone(), b"x".to_vec()].concat()] {
            let (_upstream, door) = door(coding, bad).await;
            let answer = ask(&door, request("GET", "/api/portfolios", "")).await;
            assert!(answer.status == 502 || answer.status == 200 && !answer.is_whole, "{coding}: {}", answer.status);
            let mut client = http2::connect(door.address).await;
            let response = within(client.send_request(http2::get("/api/portfolios"))).await.unwrap();
            assert!(response.status() == 502 || http2::whole(response).await.is_err(), "{coding}");
        }
    }
}

#[tokio::test]
async fn what_is_not_of_its_coding_or_goes_on_behind_it_is_unfilterable() {
    for coding in CODINGS {
        assert_unfilterable(coding, portfolios(50).into_bytes(), "mislabelled").await;
        let other = if coding == "gzip" { "zstd" } else { "gzip" };
        assert_unfilterable(coding, encode(other, portfolios(50).as_bytes()), "of another coding").await;
        let trailing = [encode(coding, portfolios(50).as_bytes()), b"{\"values\":[]}".to_vec()].concat();
        assert_unfilterable(coding, trailing, "with something behind it").await;
    }
}

#[tokio::test]
async fn several_codings_and_unknown_ones_are_unfilterable() {
    let twice = encode("gzip", &encode("gzip", portfolios(4).as_bytes()));
    for coding in ["gzip, gzip", "gzip\r\ncontent-encoding: gzip", "identity, gzip", "x-unheard", "aes128gcm", "gzip;q=1", "\"gzip\""] {
        assert_unfilterable(coding, twice.clone(), "several or unknown").await;
        assert_unfilterable(coding, portfolios(4).into_bytes(), "said of what is not encoded").await;
    }
    assert_unfilterable("gzip", twice, "doubly encoded").await;
    // What is refused above passes where no other coding is named.
    let (_upstream, door) = door("identity", portfolios(4).into_bytes()).await;
    assert_eq!(ask(&door, request("GET", "/api/portfolios", "")).await.text(), visible_portfolios(4));
}
