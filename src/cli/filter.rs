//! `doorward filter`: what a user would see of an answer, streamed from standard input.

use super::{input, offline};
use crate::authorize::{Answer, AnswerFilter, Call, DecisionId, Door, Need, Step, Stop, UpstreamMetadata, Verdict, authorize};
use anyhow::{Result, anyhow, bail};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::io::{Read, Write};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    offline: offline::OfflineCall,
    /// The method.
    #[arg(long, default_value = "GET")]
    method: String,
}

const CHUNK: usize = 64 * 1024;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (snapshot, map) = (("--snapshot", &*arguments.offline.snapshot), ("--api-map", &*arguments.offline.api_map));
    input::require_one_standard_input([snapshot, map, ("the answer", input::standard_input())])?;
    let world = arguments.offline.world()?;
    let now = arguments.offline.now();
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("localhost"));
    let identity = arguments.offline.identity();
    let call = Call {
        door: Door::Proxy,
        decision_id: DecisionId(0),
        method: &arguments.method,
        target: &arguments.offline.target,
        headers: &headers,
        authority: None,
        identity: &identity,
        // An answer is at hand, so the request was made: what it carried is not.
        body: Some(&[]),
        metadata: &UpstreamMetadata::default(),
    };
    let admission = match authorize(&world, &call, now) {
        Step::Done(Verdict::Admit(admission)) => admission,
        Step::Done(Verdict::Refuse(refused)) => {
            bail!("refused: {} {}: {}", refused.refusal.status().as_u16(), refused.refusal.name.as_str(), refused.refusal.reason)
        }
        Step::Need(Need::Metadata(targets)) => bail!("needs the upstream's metadata at {}, which is not at hand here", targets.join(", ")),
        Step::Need(Need::Body { .. }) => bail!("needs the request body, which is not at hand here"),
    };
    let mut answer_headers = HeaderMap::new();
    let answer = admission.answer(StatusCode::OK, &mut answer_headers).map_err(|refusal| anyhow!("unfilterable: {}", refusal.reason))?;
    stream(answer)?;
    Ok(ExitCode::SUCCESS)
}

fn stream(answer: Answer) -> Result<()> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    match answer {
        Answer::Empty => {}
        Answer::Pass => {
            std::io::copy(&mut input, &mut output)?;
        }
        Answer::Filter(filter) => filter_stream(*filter, &mut input, &mut output)?,
    }
    output.flush()?;
    Ok(())
}

fn filter_stream(mut filter: AnswerFilter, input: &mut impl Read, output: &mut impl Write) -> Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut out = Vec::with_capacity(CHUNK);
    loop {
        let count = input.read(&mut chunk)?;
        let bytes = chunk.get(..count).unwrap_or_default();
        let result = if count == 0 { filter.end_alone(&mut out) } else { filter.write_alone(bytes, &mut out) };
        match result {
            Ok(()) => output.write_all(&out)?,
            Err(Stop::Replace(body)) => return Ok(output.write_all(body)?),
            Err(Stop::Refuse(refusal)) => bail!("{}: {}", refusal.name.as_str(), refusal.reason),
        }
        out.clear();
        if count == 0 {
            return Ok(());
        }
    }
}
