//! What the rooms cost, one by one, each beside its baseline: `cargo bench --bench engine [-- FILTER]`.

#![allow(missing_docs, reason = "criterion's groups")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a bench that cannot run must stop")]

mod authorize;
mod decide;
mod filter;
mod processor;
mod snapshot;
#[path = "../support/mod.rs"]
mod support;
mod token;

use criterion::{criterion_group, criterion_main};
use processor::ProcessorTime;

/// The server's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group! {
    name = benches;
    config = criterion::Criterion::default().without_plots().with_measurement(ProcessorTime);
    targets = decide::bench, authorize::bench, token::bench, filter::bench, snapshot::bench
}
criterion_main!(benches);
