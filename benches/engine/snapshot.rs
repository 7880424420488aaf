//! How long the snapshot of a firm takes to come into force. The baseline reads its JSON and keeps it as a value.

use crate::processor::{Criterion, bytes};
use crate::support::snapshots;
use criterion::SamplingMode;
use doorward::policy::load;
use std::time::Duration;

pub(crate) fn bench(criterion: &mut Criterion) {
    let json = snapshots::firm().to_string().into_bytes();
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(5));
    group.throughput(bytes(&json));
    group.bench_function("load", |bencher| bencher.iter(|| load(&json).unwrap()));
    group.bench_function("serde_json", |bencher| bencher.iter(|| serde_json::from_slice::<serde_json::Value>(&json).unwrap()));
    group.finish();
}
