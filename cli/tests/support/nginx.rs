//! nginx: a target that counts what it was asked.

use super::{Child, PATIENCE, http_get, program, serve};
use rustix::process::{Signal, geteuid};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

const CONFIG: &str = include_str!("nginx.conf");
const STATUS: &str = "/status";

/// A running nginx with one worker: `/` answers 200 with a small fixed body on connections that stay open.
#[derive(Debug)]
pub(crate) struct Nginx {
    pub(crate) child: Child,
    addr: SocketAddr,
    /// How often we asked for its figures: it counts that too.
    own_requests: AtomicU64,
}

impl Nginx {
    pub(crate) const BODY: &str = "barewire\n";

    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With more directives for its server.
    pub(crate) fn start_with(directives: &str) -> Self {
        let (child, [port]) = serve(
            |dir, [port]| {
                // A worker that gave up its rights could not write into our folder.
                let user = if geteuid().is_root() { "user root;" } else { "" };
                let config = CONFIG
                    .replace("@USER@", user)
                    .replace("@PORT@", &port.to_string())
                    .replace("@DIRECTIVES@", directives)
                    .replace("@BODY@", Self::BODY);
                let mut command = Command::new(program("nginx"));
                command.arg("-e").arg("stderr").arg("-p").arg(dir.path());
                command.arg("-c").arg(dir.write("nginx.conf", &config));
                command
            },
            |_| true,
        );
        Self { child, addr: (Ipv4Addr::LOCALHOST, port).into(), own_requests: AtomicU64::new(0) }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// The requests it has begun to serve so far, without those of this method.
    pub(crate) fn requests(&self) -> u64 {
        let own = self.own_requests.fetch_add(1, Ordering::Relaxed) + 1;
        let page = http_get(self.addr, STATUS).expect("its figures").text();
        let figures = page.lines().nth(2).expect("the line of accepts, handled, requests");
        let all: u64 = figures.split_whitespace().nth(2).expect("requests").parse().expect("a number");
        all - own
    }

    /// Lets it end in order, and counts the requests in its access log.
    pub(crate) fn quit(mut self) -> u64 {
        self.child.signal(Signal::QUIT);
        let exit = self.child.wait(PATIENCE);
        assert!(exit.success(), "{exit}: {}", self.child.log());
        self.child.dir().read("access.log").lines().count() as u64
    }
}
