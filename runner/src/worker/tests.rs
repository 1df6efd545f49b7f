use rustix::time::{ClockId, clock_gettime};

use super::*;
use crate::{Behaviour, Delay, Plan, Target};

/// How often this thread allocates in a whole run.
fn allocations(target: &Target, plan: Plan, sampling: Sampling) -> u64 {
    let workload = Arc::new(Plan { threads: Some(1), ..plan }.check().unwrap());
    let registry = Registry::new("test");
    registry.keep_samples(sampling.capacity());
    let never = Arc::new(AtomicU64::new(u64::MAX));
    let worker =
        Worker::new(&workload, 0, target.local_addr(), &registry, sampling, &Arc::new(Pool::new(1)), &never)
            .unwrap();
    let scheduled = workload.scheduled().unwrap();
    let counted = allocation_counter::measure(|| {
        let totals = worker.run(now_ns()).unwrap();
        assert_eq!(totals.completed, scheduled);
    });
    counted.count_total
}

#[test]
fn a_request_allocates_nothing_however_many_there_are_and_however_many_are_shown() {
    let target = Target::bind("127.0.0.1:0".parse().unwrap(), Behaviour::default()).unwrap();
    let plan = Plan { connections: Some(4), ..Plan::get(format!("http://{}/", target.local_addr())) };
    let closed = |iterations| Plan { iterations: Some(iterations), ..plan.clone() };
    let open = |ms| Plan { rate: Some(5e3), duration: Some(Duration::from_millis(ms)), ..plan.clone() };
    for (rate, traces) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5)] {
        let sampling = Sampling::new(rate, traces).unwrap();
        let of = |plan| allocations(&target, plan, sampling);
        assert_eq!(of(closed(100)), of(closed(2_000)), "{sampling:?}");
        assert_eq!(of(open(100)), of(open(1_000)), "{sampling:?}");
    }
}

/// What a run costs this thread, of the processor's time.
fn processor_time(target: &Target, plan: Plan) -> Duration {
    let workload = Arc::new(Plan { threads: Some(1), ..plan }.check().unwrap());
    let registry = Registry::new("test");
    let never = Arc::new(AtomicU64::new(u64::MAX));
    let sampling = Sampling::default();
    let worker =
        Worker::new(&workload, 0, target.local_addr(), &registry, sampling, &Arc::new(Pool::new(1)), &never)
            .unwrap();
    let spent = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = spent();
    worker.run(now_ns()).unwrap();
    spent() - before
}

#[test]
fn a_thread_sleeps_until_an_arrival_is_near_and_while_no_connection_is_free() {
    let lasts = Duration::from_secs(1);
    let spent = |rate, behaviour| {
        let target = Target::bind("127.0.0.1:0".parse().unwrap(), behaviour).unwrap();
        let plan = Plan::get(format!("http://{}/", target.local_addr()));
        let arrivals = Plan { rate: Some(rate), duration: Some(lasts), connections: Some(2), ..plan };
        processor_time(&target, Plan { timeout: Some(lasts), ..arrivals })
    };
    assert!(spent(100.0, Behaviour::default()) < lasts / 4);
    let slow = Behaviour { delay: Delay::Constant(Duration::from_millis(100)), ..Behaviour::default() };
    assert!(spent(10_000.0, slow) < lasts / 4);
}
