//! Signals that come before the load, and those that are no reason to end.

mod support;

use rustix::process::Signal;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use support::{Child, Dir, Door, Ended, Misbehaving, PATIENCE, RESULTS, Target, barewire, poll};

/// A listener whose queue is full, so that a connect to it hangs; the connections keep it so.
fn full() -> (Misbehaving, Vec<TcpStream>) {
    let deaf = Misbehaving::start(Door::Deaf, Vec::new());
    let connect = || TcpStream::connect_timeout(&deaf.addr(), Duration::from_millis(200)).ok();
    let queue = std::iter::from_fn(connect).collect();
    (deaf, queue)
}

/// Whether somebody waits for a connection to `addr`.
fn is_waited_for(addr: SocketAddr) -> bool {
    const SYN_SENT: &str = "02";
    let peer = format!(":{:04X}", addr.port());
    let table = fs::read_to_string("/proc/net/tcp").expect("the connections");
    let rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.into_iter().any(|row| row.len() > 3 && row[2].ends_with(&peer) && row[3] == SYN_SENT)
}

#[test]
fn a_signal_during_a_first_connect_that_hangs_ends_the_process_at_once() {
    let (deaf, _queue) = full();
    poll(PATIENCE, "the end of the attempts that filled the queue", || {
        (!is_waited_for(deaf.addr())).then_some(())
    });
    for (signal, name, code) in
        [(Signal::INT, "SIGINT", 130), (Signal::TERM, "SIGTERM", 143), (Signal::HUP, "SIGHUP", 129)]
    {
        let mut run = barewire(["run", &deaf.url(), "--timeout", "50s", "--results", RESULTS]);
        poll(PATIENCE, "a connect that hangs", || is_waited_for(deaf.addr()).then_some(()));
        run.signal(signal);
        let asked = Instant::now();
        assert_eq!(run.wait(PATIENCE).code(), Some(code), "{name}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        let ended = Ended::of(run);
        assert_eq!(ended.stderr, format!("barewire: ended by {name} before the load began\n"));
    }
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let target = Target::start(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_barewire")]);
    command.args(["run", &target.url(), "-c", "2", "-d", "1500ms", "--results", RESULTS]);
    let run = Child::start(command, Dir::new());
    poll(PATIENCE, "the start of the load", || run.stdout().contains("loading ").then_some(()));
    run.signal(Signal::HUP);
    let ended = Ended::of(run);
    assert_eq!((ended.code, &ended.results["status"]), (0, &"passed".into()), "{}", ended.stderr);
}
