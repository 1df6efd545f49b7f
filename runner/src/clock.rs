//! The clock and the alarm of a thread: nanoseconds, where `mio`'s own time-out knows milliseconds.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

const SECOND_NS: u64 = 1_000_000_000;

/// Nanoseconds of the monotonic clock.
pub(crate) fn now_ns() -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    tv_sec.unsigned_abs() * SECOND_NS + tv_nsec.unsigned_abs()
}

/// How long before a time a thread wakes up, to look at the clock until it has come.
///
/// A wake-up takes some 50 µs, and never the same: an alarm alone is late by that. Awake, a thread is late by a look at
/// the clock. The price is at most so much of a processor's time an arrival, about what the wake-up costs anyway.
pub(crate) const TAIL_NS: u64 = 60_000;

/// A timer that ends a poll. Its expiry is not rounded up to the slack of the thread, as a time-out would be.
#[derive(Debug)]
pub(crate) struct Alarm {
    fd: OwnedFd,
    /// When it goes off, or last went off.
    at_ns: u64,
}

impl Alarm {
    /// An alarm that wakes polls of `registry` by the name of `token`.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // Edge-triggered, so an expiry is told once and never has to be read.
        registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Alarm { fd, at_ns: 0 })
    }

    /// Goes off at `at_ns` or before: an earlier alarm that has not gone off yet stays, and costs one poll round.
    pub(crate) fn set(&mut self, now_ns: u64, at_ns: u64) -> io::Result<()> {
        if self.at_ns > now_ns && self.at_ns <= at_ns {
            return Ok(());
        }
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let expiry = Itimerspec { it_interval: never, it_value: timespec(at_ns.max(1)) };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &expiry)?;
        self.at_ns = at_ns;
        Ok(())
    }
}

/// Instants of this clock are far below the range of a signed number.
fn timespec(at_ns: u64) -> Timespec {
    Timespec { tv_sec: (at_ns / SECOND_NS).cast_signed(), tv_nsec: (at_ns % SECOND_NS).cast_signed() }
}
