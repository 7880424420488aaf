//! The whole verdict on a call, with the map of the LUSID API: of a caller who sees everything, of
//! one whose answer is filtered, of one who is refused. The baseline is the route alone.

use crate::processor::Criterion;
use crate::support::world::{LIST, Request, world};
use doorward::authorize::{Step, Verdict};
use std::hint::black_box;

pub(crate) fn bench(criterion: &mut Criterion) {
    let world = world();
    let mut group = criterion.benchmark_group("authorize");
    let is_filtered = |user: &str| match Request::of(user).step(&world, LIST) {
        Step::Done(Verdict::Admit(admission)) => Some(admission.is_filtered()),
        _ => None,
    };
    assert_eq!([is_filtered("all"), is_filtered("some"), is_filtered("none")], [Some(false), Some(true), None]);
    for (name, user) in [("unrestricted", "all"), ("filtered", "some"), ("refused", "none")] {
        let request = Request::of(user);
        group.bench_function(name, |bencher| bencher.iter(|| request.step(&world, black_box(LIST))));
    }
    group.bench_function("route_alone", |bencher| bencher.iter(|| world.maps.find("GET", black_box("/api/portfolios")).is_ok()));
    group.finish();
}
