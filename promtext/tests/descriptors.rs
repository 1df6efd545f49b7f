//! A process without a descriptor left: in a test binary of its own, because the limit is that of the process.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use barewire_promtext::PromText;
use rustix::{
    process::{Resource, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

#[test]
fn an_endpoint_without_descriptors_waits_and_does_not_spin() {
    let limits = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: Some(64), ..limits }).unwrap();
    let endpoint = PromText::bind("0").unwrap();
    let mut files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    files.pop();
    let mut client = TcpStream::connect(endpoint.local_addr()).unwrap();
    assert!(File::open("/dev/null").is_err(), "a descriptor is left");

    let before = cpu_time();
    thread::sleep(Duration::from_millis(500));
    let spent = cpu_time() - before;
    assert!(spent < Duration::from_millis(100), "{spent:?} in half a second");

    files.clear();
    let began = Instant::now();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

/// What this process has used of the processors.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}
