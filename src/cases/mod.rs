//! Conformance cases: a file of calls with what must come of them, run through the real pipeline
//! without sockets (interfaces §8). The project's tests run the same files through its doors.

mod caller;
mod compare;
mod file;
mod reading;
mod run;

pub use compare::{Reply, mismatches};
pub use file::{Case, CaseCaller, CaseFile, CaseFileError, Expectation, RequestCase, UpstreamReply};
pub use reading::read_yaml;
pub use run::{Outcome, Ran, run, run_case};
