//! Signals that ask for the end.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use crate::{console, failure::Failure};

/// How often a signal, the end of the run and a last scrape are looked for.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

/// A signal that asks for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal {
    /// Such as `SIGINT`.
    pub(crate) name: &'static str,
    number: i32,
}

const SIGNALS: [Signal; 3] = [
    Signal { name: "SIGINT", number: SIGINT },
    Signal { name: "SIGTERM", number: SIGTERM },
    Signal { name: "SIGHUP", number: SIGHUP },
];

impl Signal {
    /// The exit code of a process that a signal ended, as shells have it.
    pub(crate) fn exit_code(self) -> i32 {
        128 + self.number
    }
}

/// The user's wish for the end. At the second signal, the process ends at once.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    /// The number of the signal; 0 before there was one.
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Begins to listen.
    ///
    /// SIGHUP is left alone where it is ignored, because that is how `nohup` has a process outlive its terminal.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (asked, number) = (Arc::default(), Arc::default());
        for signal in SIGNALS.iter().filter(|signal| signal.number != SIGHUP || !is_ignored(SIGHUP)) {
            let value = usize::try_from(signal.number).unwrap_or_default();
            flag::register_conditional_shutdown(signal.number, signal.exit_code(), Arc::clone(&asked))
                .and_then(|_| flag::register(signal.number, Arc::clone(&asked)))
                .and_then(|_| flag::register_usize(signal.number, Arc::clone(&number), value))
                .map_err(|error| Failure::Defect(format!("signals cannot be handled: {error}")))?;
        }
        Ok(Interrupt { signal: number })
    }

    /// The signal that asked for the end, if one did.
    pub(crate) fn signal(&self) -> Option<Signal> {
        let number = self.signal.load(Ordering::Relaxed);
        SIGNALS.into_iter().find(|signal| usize::try_from(signal.number) == Ok(number))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.signal().is_some()
    }

    /// Ends the process at the first signal, after `last`, until the value is dropped: what comes before the load may
    /// wait for long, such as for a connection, a name or the reader of a pipe, and there is nothing yet to end in order.
    pub(crate) fn leave_at_once(&self, last: impl FnOnce() + Send + 'static) -> Leaving {
        let (alive, dropped) = channel();
        let interrupt = self.clone();
        thread::spawn(move || {
            if let Some(signal) = interrupt.before(&dropped) {
                last();
                console::eprint(&format!("barewire: ended by {} before the load began\n", signal.name));
                std::process::exit(signal.exit_code());
            }
        });
        Leaving { _alive: alive }
    }

    /// The signal, if one comes before the other end of `dropped` is gone.
    fn before(&self, dropped: &Receiver<()>) -> Option<Signal> {
        loop {
            match (self.signal(), dropped.recv_timeout(GLANCE)) {
                (_, Err(RecvTimeoutError::Disconnected)) => return None,
                (Some(signal), _) => return Some(signal),
                (None, _) => {}
            }
        }
    }
}

/// The time in which a signal ends the process at once.
#[derive(Debug)]
pub(crate) struct Leaving {
    _alive: Sender<()>,
}

/// Whether the process was started with that signal ignored, by the mask of its signals in hexadecimal digits.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_by_its_name_and_its_exit_code() {
        let interrupt = Interrupt { signal: Arc::default() };
        assert_eq!((interrupt.signal(), interrupt.is_set()), (None, false));
        for (number, name, code) in
            [(SIGINT, "SIGINT", 130), (SIGTERM, "SIGTERM", 143), (SIGHUP, "SIGHUP", 129)]
        {
            interrupt.signal.store(usize::try_from(number).unwrap(), Ordering::Relaxed);
            let signal = interrupt.signal().unwrap();
            assert_eq!((signal.name, signal.exit_code()), (name, code));
        }
    }

    #[test]
    fn a_process_knows_what_it_ignores() {
        // The runtime ignores SIGPIPE for every program.
        assert!(is_ignored(signal_hook::consts::SIGPIPE) && !is_ignored(SIGTERM));
    }
}
