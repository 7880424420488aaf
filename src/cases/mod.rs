//! Conformance cases: a file of calls with what must come of them, run through the real pipeline
//! without sockets (interfaces §8). The project's tests run the same files through its doors.

mod compare;
mod file;
mod run;

pub use compare::{Reply, mismatches};
pub(crate) use file::token_without_claims;
pub use file::{Case, CaseCaller, CaseFile, CaseFileError, Expectation, RequestCase, UpstreamReply, read_yaml};
pub use run::{Outcome, Ran, run, run_case};
