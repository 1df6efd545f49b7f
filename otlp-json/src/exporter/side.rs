//! A signal beside the metrics, which must cost them nothing.
//!
//! ```text
//!  ready ──▶ taken ──▶ ready
//!        ──▶ 404, 405 ──▶ off, for the life of the exporter
//!        ──▶ anything else ──▶ resting, four times as long as the attempt took ──▶ ready
//! ```
//!
//! An attempt has all the time there is, as one of the metrics has, and a rest is four times as long as the attempt was: a
//! receiver that says nothing takes a fifth of the lane's time.

use std::time::{Duration, Instant};

use barewire::{ExportError, wire::net::OnStale};

use super::{
    Sent,
    http::{Http, Why},
};

/// A rest is as long as the attempt was, times this.
const REST: u32 = 4;
/// The shortest rest, also after an attempt that took no time.
const MIN_REST: Duration = Duration::from_millis(100);

/// A receiver of logs or of traces.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) http: Http,
    state: State,
    /// The document that was refused for good last, and why.
    refused: (Vec<u8>, String),
}

#[derive(Debug)]
enum State {
    Ready,
    /// Nothing is sent before that time, as what was sent last met this error.
    Resting(Instant, ExportError),
    /// The receiver does not take this signal, and said so.
    Off(String),
}

impl Side {
    pub(super) fn new(http: Http) -> Self {
        Side { http, state: State::Ready, refused: Default::default() }
    }

    /// Sends `document`, which the receiver may get twice.
    ///
    /// What is refused for good is an error once; the same document is then not sent again but rejected. If it was the
    /// signal that was refused, every other one is left out.
    pub(super) fn send(&mut self, document: &[u8], deadline: Instant) -> Result<Sent, ExportError> {
        let begun = Instant::now();
        match &self.state {
            State::Off(why) => return Ok(Sent::left_out(why)),
            _ if self.refused.0 == document => return Ok(Sent::rejected(&self.refused.1)),
            State::Resting(until, error) if begun < *until => return Err(error.clone()),
            State::Resting(..) | State::Ready => {}
        }
        self.state = State::Ready;
        self.http.send(document, OnStale::Retry, deadline).map_err(|refusal| {
            if refusal.why == Why::ForGood {
                self.refused = (document.to_vec(), refusal.error.to_string());
            }
            self.state = match refusal.why {
                Why::Nobody => State::Off(refusal.error.to_string()),
                Why::ForNow | Why::ForGood => {
                    let rest = (begun.elapsed() * REST).max(MIN_REST);
                    State::Resting(Instant::now() + rest, refusal.error.clone())
                }
            };
            refusal.error
        })
    }
}
