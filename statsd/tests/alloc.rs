//! A steady tick allocates nothing. (`allocation_counter` is the global allocator of this binary.)

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use allocation_counter::measure;
use barewire::{Exporter, Metric, Registry, Unit};
use barewire_statsd::Statsd;

#[test]
fn a_steady_export_allocates_nothing() {
    let registry = Registry::new("shop");
    let hits = registry.counter(Metric::new("hits").label("route", "/a|b"));
    let users = registry.gauge(Metric::new("users"));
    let took = registry.histogram(Metric::new("took").unit(Unit::Seconds));
    let mut shard = registry.shard();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap().to_string();
    let mut statsd =
        Statsd::udp(&address).unwrap().prefix("shop").tag("region", "eu").timestamps().telemetry();
    let mut buffer = [0; 2000];
    for tick in 0..50u64 {
        shard.add(hits, tick);
        shard.set(users, tick as f64);
        for value in 0..1000 {
            shard.record(took, value * 10_000);
        }
        let (snapshot, deadline) = (registry.snapshot(), Instant::now() + Duration::from_secs(60));
        let steady = measure(|| _ = statsd.export(&snapshot, deadline).unwrap());
        assert!(tick > 0 || steady.count_total > 0, "the counter counts");
        assert!(tick < 3 || steady.count_total == 0, "{} at tick {tick}", steady.count_total);
        // What is read leaves room for more.
        receiver.set_nonblocking(true).unwrap();
        while receiver.recv(&mut buffer).is_ok() {}
    }
}
