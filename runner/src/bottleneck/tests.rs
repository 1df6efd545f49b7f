use rustix::io::Errno;

use super::*;
use crate::{Plan, fault::Fault};

const MS: u64 = 1_000_000;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn capacity(connections: usize, needed: u64) -> Option<Capacity> {
    Some(Capacity { connections, held: s(1), carries: 1.0, asked: 1.0, needed })
}

fn crowding(few_ms: u64, all_ms: u64) -> Option<Crowding> {
    let ms = Duration::from_millis;
    Some(Crowding { few: ms(few_ms), all: ms(all_ms), is_certain: true })
}

/// A run that waited for connections all the time, and needs more of them.
const WAITED: Evidence = Evidence {
    behind: Duration::from_secs(90),
    waited: Duration::from_secs(89),
    available: Duration::from_secs(100),
    is_local: false,
    is_cpu_full: false,
    is_mute: false,
    capacity: None,
    crowding: None,
};

#[test]
fn whoever_held_up_a_rate_is_told_apart_by_what_was_seen() {
    use Bottleneck::{Connections, ConnectionsOrTarget, Generator, Target};
    let more = Evidence { capacity: capacity(4, 24), ..WAITED };
    let none = s(0);
    for (why, evidence, expected) in [
        ("in time", Evidence { behind: none, waited: none, ..more }, None),
        ("a hiccup", Evidence { behind: s(9), waited: none, ..more }, None),
        ("behind, and at work", Evidence { behind: s(10), waited: s(4), ..more }, Some(Generator)),
        ("nothing to wait in", Evidence { behind: none, waited: none, available: none, ..more }, None),
        ("no local port", Evidence { behind: none, is_local: true, ..more }, Some(Generator)),
        (
            "as fast with all connections as with few",
            Evidence { crowding: crowding(5, 5), ..more },
            Some(Connections),
        ),
        ("slower with all of them", Evidence { crowding: crowding(5, 20), ..more }, Some(Target)),
        ("somewhat slower", Evidence { crowding: crowding(10, 14), ..more }, Some(ConnectionsOrTarget)),
        ("slow at first", Evidence { crowding: crowding(50, 5), ..more }, Some(ConnectionsOrTarget)),
        ("nothing to compare with", more, Some(ConnectionsOrTarget)),
        (
            "enough connections for the mean",
            Evidence { capacity: capacity(64, 24), crowding: crowding(5, 5), ..WAITED },
            Some(Target),
        ),
        ("no answers", Evidence { is_mute: true, crowding: crowding(5, 5), ..more }, Some(Target)),
        ("not one answer", WAITED, Some(Target)),
        ("full processors", Evidence { is_cpu_full: true, ..more }, Some(Generator)),
        (
            "full processors, and a target that is slower for it",
            Evidence { is_cpu_full: true, crowding: crowding(5, 20), ..more },
            Some(Generator),
        ),
        (
            "full processors, and few connections",
            Evidence { is_cpu_full: true, crowding: crowding(5, 5), ..more },
            Some(Connections),
        ),
    ] {
        assert_eq!(Bottleneck::of(&evidence), expected, "{why}");
    }
}

#[test]
fn a_tenth_of_requests_without_an_answer_is_not_for_want_of_connections() {
    let mut totals = Totals { completed: 20, ..Totals::default() };
    assert_eq!(totals.mute(), None);
    let mut fail = |failure| totals.reasons.count(Fault::new(failure, crate::Reason::Closed));
    [Failure::Reset, Failure::Status, Failure::Check].into_iter().for_each(&mut fail);
    assert_eq!(totals.mute(), None);
    totals.reasons.count(Fault::new(Failure::Timeout, crate::Reason::NoResponse));
    assert_eq!(totals.mute(), Some(2));
}

/// Arrivals of a thread with four connections, each with its service time and so many busy.
fn occupancy(arrivals: &[(usize, u64)]) -> Occupancy {
    let mut holders = Holders::new(4);
    for &(busy, ms) in arrivals {
        holders.begin(0, 7 * MS, busy);
        holders.answered(0, ms * MS);
        holders.end(0, (7 + ms) * MS);
    }
    holders.occupancy
}

#[test]
fn the_connections_that_a_rate_takes_are_arrivals_a_second_times_the_seconds_each_holds_one() {
    let plan = Plan { rate: Some(4000.0), connections: Some(4), ..Plan::get("http://h/") };
    let workload = plan.check().unwrap();
    let mut totals = Totals { occupancy: occupancy(&[(4, 5), (4, 5), (4, 6), (4, 5)]), ..Totals::default() };
    totals.occupancy.merge(&occupancy(&[(4, 5)]));
    let told = totals.capacity(&workload).unwrap();
    assert_eq!((told.connections, told.held, told.asked), (4, Duration::from_micros(5200), 4000.0));
    assert_eq!((told.carries.round(), told.needed), (769.0, 24));
    assert_eq!(Totals::default().capacity(&workload), None);
    let closed = Plan::get("http://h/").check().unwrap();
    assert_eq!(totals.capacity(&closed), None);
}

#[test]
fn means_are_compared_where_enough_was_measured_and_not_otherwise() {
    let alike = |arrivals: &[(usize, u64)]| {
        occupancy(arrivals).crowding().map(|crowding| (crowding.is_alike(), crowding.is_slower()))
    };
    assert_eq!(alike(&[(4, 5); 9]), None, "nothing with few");
    assert_eq!(alike(&[(1, 5); 9]), None, "nothing with all");
    assert_eq!(alike(&[(1, 5), (3, 99), (4, 5), (4, 5)]), Some((true, false)));
    assert_eq!(alike(&[(2, 5), (4, 20), (4, 20)]), Some((false, true)));
    // Times as spread as these say nothing of one alone.
    let spread = [(4, 1), (4, 1), (4, 20), (4, 1), (4, 2), (4, 1)].repeat(100);
    assert_eq!(alike(&[&[(1, 4)], spread.as_slice()].concat()), Some((false, false)));
    assert_eq!(alike(&[vec![(1, 4); 100], spread].concat()), Some((true, false)));
}

#[test]
fn a_target_is_not_to_blame_for_what_this_machine_lacks() {
    let behind = s(5);
    let plan = Plan { rate: Some(10.0), threads: Some(1), ..Plan::get("http://h/") };
    let workload = plan.check().unwrap();
    let mut totals = Totals { behind, waited: behind, elapsed: 2 * behind, ..Totals::default() };
    assert_eq!(totals.bottleneck(&workload, false), Some(Bottleneck::Target));
    let mut fail = |error| totals.reasons.count(Fault::of_socket(error, Failure::Connect));
    fail(Errno::CONNREFUSED);
    fail(Errno::ADDRNOTAVAIL);
    assert_eq!(totals.bottleneck(&workload, false), Some(Bottleneck::Generator));
    totals.reasons.count(Fault::of_status(500));
    assert_eq!(totals.bottleneck(&workload, false), Some(Bottleneck::Target));
}
