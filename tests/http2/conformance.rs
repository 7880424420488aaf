//! The cases of `frames_in_order`, `frames_out_of_order` and `headers_out_of_order`, each on a
//! connection of its own. They follow the sections of the RFCs that conformance suites follow.

use super::{frames_in_order, frames_out_of_order, headers_out_of_order};
use crate::support::door::Doorward;
use crate::support::frames::{ACK, DATA, END_STREAM, Fate, Frames, GOAWAY, HEADERS, PING, PROTOCOL, RST_STREAM, SETTINGS, frame, settings_frame};
use crate::support::upstream::{Upstream, ok};
use std::time::Duration;

/// What must come of what was sent. The general code stands for any other.
#[derive(Debug)]
pub(crate) enum Expect {
    /// An answer on the stream, of success.
    Answer(u32),
    /// An end of the stream by one of these codes, or of the connection by one of them.
    Stream(u32, &'static [u32]),
    /// An end of the connection, by one of these codes where it says one.
    Connection(&'static [u32]),
    /// Nothing but that a PING behind it is answered.
    Alive,
    /// An acknowledgement of settings, after that of the first.
    Settings,
    /// A PING's answer with these bytes.
    Pong([u8; 8]),
    /// Frames of DATA on stream 1 of these lengths, to begin with.
    Data(&'static [usize]),
}

/// One case.
pub(crate) struct Case {
    /// The section that asks for it.
    pub(crate) section: &'static str,
    /// What is sent.
    pub(crate) what: &'static str,
    /// The settings that the connection begins with.
    pub(crate) settings: &'static [(u16, u32)],
    /// A request on stream 1 that is answered to its end before.
    pub(crate) before: Option<Vec<u8>>,
    /// The bytes.
    pub(crate) send: Vec<u8>,
    /// What must come of it.
    pub(crate) expect: Expect,
}

/// A case on a fresh connection.
pub(crate) fn case(section: &'static str, what: &'static str, send: Vec<u8>, expect: Expect) -> Case {
    Case { section, what, settings: &[], before: None, send, expect }
}

/// A case on a connection whose stream 1 has ended.
pub(crate) fn after(section: &'static str, what: &'static str, before: Vec<u8>, send: Vec<u8>, expect: Expect) -> Case {
    Case { section, what, settings: &[], before: Some(before), send, expect }
}

/// What the library does otherwise: it drops such trailers instead of the stream, and all trailers end
/// at the door.
const LEFT_OUT: &[&str] = &["a pseudo header among the trailers"];
/// For a case; none but a failing one waits for anything.
const PATIENCE: Duration = Duration::from_secs(15);
const LAST_WORD: [u8; 8] = *b"lastword";

async fn run(door: &Doorward, case: &Case) -> Result<(), String> {
    let mut client = Frames::connect(door.address, case.settings).await;
    let Some(first) = client.next().await.filter(|first| first.kind == SETTINGS && first.flags & ACK == 0) else {
        return Err("the server's first frame is not its settings".to_owned());
    };
    assert_eq!(first.stream, 0);
    if let Some(before) = &case.before {
        client.send(before).await;
        client.answer_ends(1).await;
    }
    client.send(&case.send).await;
    check(&mut client, &case.expect).await
}

async fn check(client: &mut Frames, expect: &Expect) -> Result<(), String> {
    match expect {
        Expect::Answer(stream) => match client.fate(*stream).await {
            Fate::Answered(200) => Ok(()),
            fate => Err(format!("{fate:?}")),
        },
        Expect::Stream(stream, codes) => match client.fate(*stream).await {
            Fate::Reset(code) | Fate::GoneAway(code) if codes.contains(&code) || code == PROTOCOL => Ok(()),
            fate => Err(format!("{fate:?}")),
        },
        Expect::Connection(codes) => connection_ends(client, codes).await,
        Expect::Alive => pong(client, LAST_WORD, true).await,
        Expect::Pong(bytes) => pong(client, *bytes, false).await,
        Expect::Settings => {
            for _ in 0..2 {
                while client.until(SETTINGS).await.ok_or("closed")?.flags & ACK == 0 {}
            }
            Ok(())
        }
        Expect::Data(lengths) => {
            for length in *lengths {
                let frame = client.until(DATA).await.ok_or("closed")?;
                if (frame.stream, frame.payload.len()) != (1, *length) {
                    return Err(format!("DATA of {} bytes", frame.payload.len()));
                }
            }
            Ok(())
        }
    }
}

async fn connection_ends(client: &mut Frames, codes: &[u32]) -> Result<(), String> {
    // Frames of streams that were in order may come before.
    while let Some(frame) = client.next().await {
        if frame.kind == GOAWAY {
            let code = u32::from_be_bytes(frame.payload[4..8].try_into().unwrap());
            // The general code will do for any error (RFC 9113 §5.4).
            if !codes.contains(&code) && code != PROTOCOL {
                return Err(format!("GOAWAY with {code}"));
            }
        }
    }
    Ok(())
}

/// Whether a PING is answered; `asks` sends it.
async fn pong(client: &mut Frames, bytes: [u8; 8], asks: bool) -> Result<(), String> {
    if asks {
        client.send(frame(PING, 0, 0, bytes)).await;
    }
    loop {
        let frame = client.next().await.ok_or("closed")?;
        match frame.kind {
            PING if frame.flags & ACK != 0 && frame.payload == bytes => return Ok(()),
            PING | GOAWAY | RST_STREAM => return Err(format!("{frame:?}")),
            _ => {}
        }
    }
}

#[tokio::test]
async fn every_case_of_the_sections_comes_out_as_the_rfcs_say() {
    let upstream = Upstream::start(|_| ok("{\"free\":true}")).await;
    let door = Doorward::planned(&[upstream.address], |plan| plan.settings.limits.max_connections = 10_000);
    let cases: Vec<Case> = [frames_in_order::cases(), frames_out_of_order::cases(), headers_out_of_order::cases()].into_iter().flatten().collect();
    let mut failed = Vec::new();
    for case in cases.iter().filter(|case| !LEFT_OUT.contains(&case.what)) {
        let outcome = tokio::time::timeout(PATIENCE, run(&door, case)).await;
        if let Err(instead) = outcome.unwrap_or_else(|_| Err("nothing in time".to_owned())) {
            failed.push(format!("{} {}: expected {:?}, came {instead}", case.section, case.what, case.expect));
        }
    }
    assert!(cases.len() >= 140, "{} cases", cases.len());
    assert!(failed.is_empty(), "{} of {} cases fail:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[tokio::test]
async fn a_window_that_becomes_negative_holds_the_answer_until_it_is_positive_again() {
    let upstream = Upstream::start(|_| ok("0123456789")).await;
    let door = Doorward::before(&upstream);
    let mut client = Frames::connect(door.address, &[(4, 3)]).await;
    client.send(crate::support::frames::get(1, "/free")).await;
    assert_eq!(client.until(DATA).await.unwrap().payload, b"012");
    client.send([settings_frame(&[(4, 2)]), frame(8, 0, 1, 2_u32.to_be_bytes())].concat()).await;
    let next = client.until(DATA).await.unwrap();
    assert_eq!((next.payload.as_slice(), next.flags & END_STREAM), (b"3".as_slice(), 0));
}

#[tokio::test]
async fn the_last_stream_that_was_looked_at_is_named_when_the_connection_ends() {
    let upstream = Upstream::start(|_| ok("{}")).await;
    let door = Doorward::before(&upstream);
    let mut client = Frames::connect(door.address, &[]).await;
    client.send(crate::support::frames::get(5, "/free")).await;
    client.until(HEADERS).await.unwrap();
    client.send(frame(PING, 0, 0, [0; 6])).await;
    let gone = client.until(GOAWAY).await.unwrap();
    assert_eq!(&gone.payload[..4], 5_u32.to_be_bytes());
    assert!(client.ends().await);
}
