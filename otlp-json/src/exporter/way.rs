//! Where the signals go.

use std::{fmt, time::Instant};

use barewire::{
    Error, ExportError,
    wire::{
        http::Url,
        net::OnStale,
        post::{Auth, Post},
    },
};

use super::{
    Sent,
    http::{Http, LOGS, METRICS, Refusal, Signal, TRACES},
    lines::Lines,
    side::Side,
};

/// One place for all signals, or for metrics alone.
pub(super) enum Way {
    Http(Box<Receiver>),
    Lines(Lines),
}

/// A receiver over HTTP, with a connection and a pause for each signal.
pub(super) struct Receiver {
    metrics: Http,
    sides: Option<Sides>,
}

struct Sides {
    logs: Side,
    traces: Side,
}

impl Receiver {
    /// Of all signals, each at its path below `base`.
    pub(super) fn below(base: &Url, auth: Option<Auth>) -> Result<Self, Error> {
        let http = |signal: Signal| Http::new(base.join_path(signal.path), auth.clone(), signal);
        let sides = Sides { logs: Side::new(http(LOGS)?), traces: Side::new(http(TRACES)?) };
        Ok(Receiver { metrics: http(METRICS)?, sides: Some(sides) })
    }

    /// Of metrics alone.
    pub(super) fn metrics_at(url: Url, auth: Option<Auth>) -> Result<Self, Error> {
        Ok(Receiver { metrics: Http::new(url, auth, METRICS)?, sides: None })
    }

    /// For what is set of all of them.
    pub(super) fn posts(&mut self) -> impl Iterator<Item = &mut Post> {
        let sides = self.sides.iter_mut().flat_map(|sides| [&mut sides.logs, &mut sides.traces]);
        std::iter::once(&mut self.metrics.post).chain(sides.map(|side| &mut side.http.post))
    }
}

impl Way {
    /// Whether logs and traces are taken, too.
    pub(super) fn takes_all(&self) -> bool {
        match self {
            Way::Http(receiver) => receiver.sides.is_some(),
            Way::Lines(_) => true,
        }
    }

    pub(super) fn send_metrics(
        &mut self,
        document: &[u8],
        on_stale: OnStale,
        deadline: Instant,
    ) -> Result<Sent, ExportError> {
        match self {
            Way::Http(receiver) => {
                receiver.metrics.send(document, on_stale, deadline).map_err(|Refusal { error, .. }| error)
            }
            Way::Lines(lines) => lines.send(document),
        }
    }

    pub(super) fn send_logs(&mut self, document: &[u8], deadline: Instant) -> Result<Sent, ExportError> {
        self.send_beside(document, deadline, |sides| &mut sides.logs)
    }

    pub(super) fn send_spans(&mut self, document: &[u8], deadline: Instant) -> Result<Sent, ExportError> {
        self.send_beside(document, deadline, |sides| &mut sides.traces)
    }

    fn send_beside(
        &mut self,
        document: &[u8],
        deadline: Instant,
        side: fn(&mut Sides) -> &mut Side,
    ) -> Result<Sent, ExportError> {
        match self {
            Way::Http(receiver) => match &mut receiver.sides {
                Some(sides) => side(sides).send(document, deadline),
                None => Ok(Sent::left_out("this url takes metrics alone")),
            },
            Way::Lines(lines) => lines.send(document),
        }
    }
}

/// Names the URL of metrics, its query left out, or the file.
impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Http(receiver) => receiver.metrics.fmt(f),
            Way::Lines(lines) => lines.fmt(f),
        }
    }
}
