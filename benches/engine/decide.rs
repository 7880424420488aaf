//! One decision among few and among many policies, and the subject that asks. The baseline is a look
//! into a hash map of the same ids.

use crate::processor::Criterion;
use crate::support::{snapshots, world::now};
use doorward::policy::{Context, Dates, Interval, MetadataOf, NoHeaders, Policies, Question, RoleSource, Subject, load};
use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::HashMap;
use std::hint::black_box;

type Id = [(&'static str, Option<Cow<'static, str>>); 2];

pub(crate) fn bench(criterion: &mut Criterion) {
    decisions(criterion);
    subjects(criterion);
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for count in [10, 10_000] {
        let policies = load(snapshots::role_of(count).to_string().as_bytes()).unwrap();
        let subject = subject(&policies, "00u0");
        let ids: Vec<Id> = (0..count).map(id).collect();
        assert!(ids.iter().all(|id| subject.decide(&question(id)).granted));
        let mut turn = (0..ids.len()).cycle();
        group.bench_function(count.to_string(), |bencher| {
            bencher.iter(|| subject.decide(black_box(&question(&ids[turn.next().unwrap_or_default()]))));
        });
        let places: HashMap<(String, String), usize> = (0..count).map(|number| (parts(number), number)).collect();
        let keys: Vec<(String, String)> = (0..count).map(parts).collect();
        let mut turn = keys.iter().cycle();
        group.bench_function(format!("hash_map/{count}"), |bencher| bencher.iter(|| turn.next().and_then(|key| places.get(black_box(key)))));
    }
    group.finish();
}

fn subjects(criterion: &mut Criterion) {
    let policies = LazyCell::new(|| load(snapshots::firm().to_string().as_bytes()).unwrap());
    let mut group = criterion.benchmark_group("subject");
    let users: Vec<String> = (0..1_000).map(|number| format!("00u{number}")).collect();
    let mut turn = users.iter().cycle();
    let mut user = || turn.next().and_then(|user| policies.user(black_box(user))).unwrap();
    group.bench_function("user_alone", |bencher| bencher.iter(|| black_box(user()).id.len()));
    group.bench_function("new", |bencher| {
        bencher.iter(|| {
            black_box(Subject::new(&policies, RoleSource::Snapshot(user()), context()));
        });
    });
    group.finish();
}

fn subject<'p>(policies: &'p Policies, user: &str) -> Subject<'p> {
    Subject::new(policies, RoleSource::Snapshot(policies.user(user).unwrap()), context())
}

fn context() -> Context<'static> {
    Context { now: now(), headers: &NoHeaders, claims: None, scopes: &[], feature: Some(("LUSID", "f")) }
}

fn parts(number: usize) -> (String, String) {
    (format!("scope-{number}"), format!("code-{number}"))
}

fn id(number: usize) -> Id {
    let (scope, code) = parts(number);
    [("scope", Some(Cow::Owned(scope))), ("code", Some(Cow::Owned(code)))]
}

fn question(id: &Id) -> Question<'_> {
    let dates = Dates::Between(Interval::at(now()));
    Question {
        application: "LUSID",
        action_scope: "default",
        activity: "Read",
        entity: "Portfolio",
        id,
        metadata: MetadataOf::Unknown,
        effective: dates,
        as_at: dates,
        policy: None,
    }
}
