//! The filter of a list, strictly read: through the verdicts of real policies as a door runs it, and
//! alone with a judge that looks at nothing. The baselines copy the bytes, and read and write them as
//! a JSON value.

use crate::processor::{Criterion, ProcessorTime, bytes};
use crate::support::answers;
use crate::support::world::{LIST, Request, world};
use criterion::{BenchmarkGroup, SamplingMode};
use doorward::authorize::{AnswerFilter, Progress};
use doorward::json_filter::{Filter, FilterPlan, ItemVerdict, Judge, Limits, Pattern, Pointer, Property, PropertyNames, Rule, RuleKind};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// As much as a socket gives at once.
const CHUNK: usize = 64 * 1024;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filter");
    sizes(&mut group, "1MB", 1_000_000);
    group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(5));
    sizes(&mut group, "100MB", 100_000_000);
    group.finish();
}

fn sizes(group: &mut BenchmarkGroup<'_, ProcessorTime>, size: &str, length: usize) {
    let list = answers::portfolios(length);
    group.throughput(bytes(&list));
    let (world, request) = (world(), Request::of("some"));
    let summary = answer(request.filter(&world, LIST), &list);
    assert!(summary.items_removed() > 0 && summary.properties_removed > 0 && summary.properties_kept > 0);
    group.bench_function(format!("answer/{size}"), |bencher| bencher.iter(|| answer(request.filter(&world, LIST), &list)));
    let plan = plan();
    group.bench_function(format!("json/{size}"), |bencher| bencher.iter(|| json(&plan, &list)));
    group.bench_function(format!("memcpy/{size}"), |bencher| bencher.iter(|| copy(&list)));
    group.bench_function(format!("serde_json/{size}"), |bencher| bencher.iter(|| value(&list)));
}

fn answer(mut filter: Box<AnswerFilter>, list: &[u8]) -> doorward::authorize::Summary {
    let mut out = Vec::with_capacity(2 * CHUNK);
    for chunk in list.chunks(CHUNK) {
        out.clear();
        assert_eq!(filter.write(chunk, &mut out).unwrap(), Progress::Ready);
    }
    filter.end(&mut out).unwrap();
    filter.summary()
}

fn json(plan: &Arc<FilterPlan>, list: &[u8]) -> u64 {
    let mut filter = Filter::new(Arc::clone(plan), Limits { item_bytes: 8 << 20, depth: 128 });
    let mut out = Vec::with_capacity(2 * CHUNK);
    for chunk in list.chunks(CHUNK) {
        out.clear();
        filter.write(chunk, &mut EveryOther(0), &mut out).unwrap();
    }
    filter.end(&mut EveryOther(0), &mut out).unwrap();
    filter.counts()[0].items_removed
}

fn copy(list: &[u8]) -> usize {
    let mut out = Vec::with_capacity(2 * CHUNK);
    for chunk in list.chunks(CHUNK) {
        out.clear();
        out.extend_from_slice(black_box(chunk));
    }
    out.len()
}

fn value(list: &[u8]) -> usize {
    let value: serde_json::Value = serde_json::from_slice(list).unwrap();
    serde_json::to_vec(&value).unwrap().len()
}

/// Keeps every other item and every property but those of `cost`.
struct EveryOther(u64);

impl Judge for EveryOther {
    fn item(&mut self, _: usize, _: Option<&str>, facts: &[Option<&[u8]>]) -> ItemVerdict {
        black_box(facts);
        self.0 += 1;
        if self.0.is_multiple_of(2) { ItemVerdict::Drop } else { ItemVerdict::Keep }
    }

    fn property(&mut self, _: usize, property: Property<'_>) -> bool {
        !property.name.unwrap_or_default().starts_with("Portfolio/cost/")
    }
}

fn plan() -> Arc<FilterPlan> {
    let pointer = |text: &str| Pointer::parse(text).unwrap();
    let items = RuleKind::Items {
        facts: vec![pointer("/id/scope"), pointer("/id/code"), pointer("/version/asAtDate")],
        properties: vec![Pattern::parse("/properties").unwrap()],
    };
    let rule = Rule { place: Pattern::parse("/values/*").unwrap(), optional: false, kind: items };
    Arc::new(FilterPlan::new(vec![rule], vec![], PropertyNames::default()).unwrap())
}
