//! Why requests failed: the first reasons of each class, with their counts.
//!
//! A class says whom to ask, a reason what to mend. Reasons are values without text, so that a failed request costs a
//! short search and no formatting; each thread has a list of its own, and the lists are added up when the threads end.

use std::{fmt, io};

use barewire::wire::http::HttpError;
use rustix::io::Errno;

use crate::outcome::Failure;

/// Reasons that are told apart in one class; a target that thinks of more has the rest counted together.
const MAX_REASONS: usize = 8;

/// Errors by which the system says that this machine has no more of something: local ports, descriptors, memory, or a
/// permission.
const LOCAL: [Errno; 9] = [
    Errno::ADDRNOTAVAIL,
    Errno::ADDRINUSE,
    Errno::MFILE,
    Errno::NFILE,
    Errno::NOBUFS,
    Errno::NOMEM,
    Errno::NOSPC,
    Errno::ACCESS,
    Errno::PERM,
];

/// The reason of a failed request, more exact than its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An error of the system, by its number.
    System(i32),
    /// A rule of HTTP/1.1 that the response breaks, or a bound that it exceeds.
    Http(HttpError),
    /// The status code of a response that was not expected.
    Status(u16),
    /// The connection was not made within the time-out.
    NoConnection,
    /// No byte of a response came within the time-out.
    NoResponse,
    /// A part of the response came within the time-out, and the rest did not.
    PartOfResponse,
    /// The peer closed the connection before the first byte of its response.
    Closed,
    /// The peer closed a kept connection before the first byte of its response, and the method is none that may be sent
    /// twice.
    Stale,
    /// Reasons beyond the first eight of a class.
    Others,
}

/// A failed request: the class and the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) failure: Failure,
    pub(crate) reason: Reason,
}

/// Counts of the first reasons of each class of failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasons {
    counts: Vec<(Fault, u64)>,
}

impl Fault {
    pub(crate) fn new(failure: Failure, reason: Reason) -> Self {
        Fault { failure, reason }
    }

    pub(crate) fn of_status(status: u16) -> Self {
        Fault::new(Failure::Status, Reason::Status(status))
    }

    /// An error of a socket: of the class [`Failure::Local`] where it blames this machine, of `otherwise` elsewhere.
    pub(crate) fn of_socket(error: Errno, otherwise: Failure) -> Self {
        // A connect that would block, of a socket that does not, found no local port.
        let is_port = error == Errno::AGAIN && otherwise == Failure::Connect;
        let failure = if is_port || LOCAL.contains(&error) { Failure::Local } else { otherwise };
        Fault::new(failure, Reason::System(error.raw_os_error()))
    }

    /// The same of an error that went through the standard library.
    pub(crate) fn of_io(error: &io::Error, otherwise: Failure) -> Self {
        Fault::of_socket(Errno::from_io_error(error).unwrap_or(Errno::IO), otherwise)
    }
}

impl Reason {
    /// The remedy for a want of this machine; `None` where there is none to name.
    pub fn remedy(self) -> Option<&'static str> {
        let Reason::System(number) = self else { return None };
        Some(match Errno::from_raw_os_error(number) {
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE | Errno::AGAIN => {
                "no local port was free: keep connections alive, ask for fewer, or widen the range with \
                 'sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"'"
            }
            Errno::MFILE => "no file descriptor was free: raise the limit with 'ulimit -n'",
            Errno::NFILE => "the system had no file descriptor left: raise 'fs.file-max' with sysctl",
            Errno::NOBUFS | Errno::NOMEM => {
                "the kernel had no memory for sockets: ask for fewer connections, or raise 'net.ipv4.tcp_mem'"
            }
            Errno::NOSPC => {
                "the kernel watches no more sockets: raise 'fs.epoll.max_user_watches' with sysctl"
            }
            Errno::ACCESS | Errno::PERM => "the system forbade it: look at this machine's firewall",
            _ => return None,
        })
    }
}

impl Reasons {
    /// Every reason, those of a class together and the most frequent first: its class, itself, its count.
    pub fn list(&self) -> Vec<(Failure, Reason, u64)> {
        let mut list: Vec<_> =
            self.counts.iter().map(|(fault, count)| (fault.failure, fault.reason, *count)).collect();
        list.sort_by_key(|(class, reason, count)| {
            (*class, *reason == Reason::Others, std::cmp::Reverse(*count))
        });
        list
    }

    /// The reasons of one class, the most frequent first, each with its count.
    pub fn of(&self, class: Failure) -> impl Iterator<Item = (Reason, u64)> {
        let of_class = self.list().into_iter().filter(move |(known, ..)| *known == class);
        of_class.map(|(_, reason, count)| (reason, count))
    }

    /// Requests that failed for a want of this machine, if they are most of all that failed.
    pub fn blame_this_machine(&self) -> Option<u64> {
        let local: u64 = self.of(Failure::Local).map(|(_, count)| count).sum();
        let all: u64 = self.counts.iter().map(|(_, count)| *count).sum();
        (local > 0 && local * 2 >= all).then_some(local)
    }

    pub(crate) fn count(&mut self, fault: Fault) {
        self.add(fault, 1);
    }

    /// Adds what another thread counted.
    pub(crate) fn merge(&mut self, other: &Reasons) {
        other.counts.iter().for_each(|(fault, count)| self.add(*fault, *count));
    }

    fn add(&mut self, fault: Fault, n: u64) {
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == fault) {
            *count += n;
            return;
        }
        let of_class = self.counts.iter().filter(|(known, _)| known.failure == fault.failure);
        let is_full = of_class.filter(|(known, _)| known.reason != Reason::Others).count() >= MAX_REASONS;
        if is_full && fault.reason != Reason::Others {
            return self.add(Fault { reason: Reason::Others, ..fault }, n);
        }
        self.counts.push((fault, n));
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::System(number) => write!(f, "{}", io::Error::from_raw_os_error(*number)),
            Reason::Http(error) => write!(f, "{error}"),
            Reason::Status(status) => write!(f, "{status}"),
            Reason::NoConnection => f.write_str("no connection within the time-out"),
            Reason::NoResponse => f.write_str("no byte of a response within the time-out"),
            Reason::PartOfResponse => f.write_str("only a part of the response within the time-out"),
            Reason::Closed => f.write_str("closed before a byte of the response"),
            Reason::Stale => f.write_str(
                "a kept connection closed before a byte of the response, and this method is not sent twice",
            ),
            Reason::Others => f.write_str("others"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_not_blamed_on_the_target_and_has_a_remedy() {
        for error in LOCAL {
            for otherwise in [Failure::Connect, Failure::Reset] {
                let fault = Fault::of_socket(error, otherwise);
                assert_eq!(fault.failure, Failure::Local, "{error}");
                assert!(fault.reason.remedy().is_some(), "{error}");
            }
        }
        for error in [Errno::CONNREFUSED, Errno::TIMEDOUT, Errno::HOSTUNREACH, Errno::CONNRESET, Errno::PIPE]
        {
            let fault = Fault::of_socket(error, Failure::Connect);
            assert_eq!((fault.failure, fault.reason.remedy()), (Failure::Connect, None), "{error}");
        }
        assert_eq!(Fault::of_socket(Errno::AGAIN, Failure::Connect).failure, Failure::Local);
        assert_eq!(Fault::of_socket(Errno::AGAIN, Failure::Reset).failure, Failure::Reset);
    }

    #[test]
    fn the_first_reasons_of_a_class_are_told_apart_and_no_count_is_lost() {
        let mut one = Reasons::default();
        for status in (400..420).chain([405, 405]) {
            one.count(Fault::of_status(status));
        }
        one.count(Fault::new(Failure::Reset, Reason::Closed));
        let mut both = Reasons::default();
        both.count(Fault::of_status(503));
        both.merge(&one);
        both.merge(&one);
        let list = both.list();
        let told: Vec<String> =
            list.iter().map(|(class, reason, count)| format!("{} {reason} {count}", class.name())).collect();
        assert_eq!(told.first().map(String::as_str), Some("reset closed before a byte of the response 2"));
        assert_eq!(told[1], "status 405 6");
        assert_eq!(told.last().map(String::as_str), Some("status others 26"));
        assert_eq!(list.len(), 1 + MAX_REASONS + 1);
        assert_eq!(list.iter().map(|(.., count)| count).sum::<u64>(), 47);
    }
}
