//! The formats, each by the encoder that its exporter uses.

use barewire::{
    Event,
    wire::datagram::{Datagrams, UDP_LIMIT_BYTES, UNIX_LIMIT_BYTES},
};
use barewire_influx::{Row as InfluxRow, push_event as push_annotation};
use barewire_otlp_json::LogEncoder;
use barewire_promtext::{Escaping, Format as TextFormat};
use barewire_statsd::{Style, push_event_within, push_service_check, push_stream_frame};
use clap::{Args, ValueEnum};

use super::input::{Document, Row};

/// A format to print points in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One OTLP/JSON export request
    OtlpJson,
    /// DogStatsD, line after line as datagrams have them
    #[value(name = "dogstatsd")]
    DogStatsd,
    /// InfluxDB line protocol
    Influx,
    /// Prometheus text 0.0.4
    Prometheus,
    /// OpenMetrics text 1.0
    #[value(name = "openmetrics")]
    OpenMetrics,
}

/// How to print, where a format leaves a choice.
#[derive(Debug, Args)]
pub(super) struct Manner {
    /// Prometheus and OpenMetrics: how names are written that are not [a-zA-Z_:][a-zA-Z0-9_:]*: allow-utf-8, underscores,
    /// dots or values [default: underscores]
    #[arg(long, value_name = "SCHEME")]
    escaping: Option<Escaping>,
    /// DogStatsD: as the frames of a Unix stream, each behind its length
    #[arg(long)]
    framed: bool,
    /// DogStatsD: what stands before every name, with a point between
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// DogStatsD and InfluxDB: a tag of every line; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_tag)]
    tag: Vec<(String, String)>,
    /// DogStatsD: the time of every counter and gauge
    #[arg(long)]
    timestamps: bool,
    /// DogStatsD: the container that it all comes from
    #[arg(long, value_name = "ID")]
    container: Option<String>,
}

/// What became of a document.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) left_out: u64,
    /// What is not printed as it was given.
    pub(super) warnings: Vec<String>,
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or("a tag is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Format {
    /// Appends the bytes, and says what of the document is not among them, or not as it was given.
    ///
    /// # Errors
    /// A manner that the format has not.
    pub(super) fn push(
        self,
        document: &Document,
        manner: &Manner,
        out: &mut Vec<u8>,
    ) -> Result<Printed, String> {
        self.check(manner)?;
        let left_out = match self {
            Format::OtlpJson => push_otlp(document, out),
            Format::DogStatsd => push_dogstatsd(document, manner, out),
            Format::Influx => return Ok(push_influx(document, manner, out)),
            Format::Prometheus => push_text(document, TextFormat::Text004, manner, out),
            Format::OpenMetrics => push_text(document, TextFormat::OpenMetrics, manner, out),
        };
        Ok(Printed { left_out, warnings: Vec::new() })
    }

    pub(super) fn lament(self, left_out: u64) -> String {
        let (points, them) = if left_out == 1 { ("point", "it") } else { ("points", "them") };
        format!("{left_out} {points} left out: {} cannot carry {them}", self.name())
    }

    fn name(self) -> String {
        self.to_possible_value().expect("no format is hidden").get_name().to_owned()
    }

    fn check(self, manner: &Manner) -> Result<(), String> {
        let is_text = matches!(self, Format::Prometheus | Format::OpenMetrics);
        let is_statsd = self == Format::DogStatsd;
        let given = [
            ("--escaping", manner.escaping.is_some(), is_text),
            ("--framed", manner.framed, is_statsd),
            ("--prefix", manner.prefix.is_some(), is_statsd),
            ("--tag", !manner.tag.is_empty(), is_statsd || self == Format::Influx),
            ("--timestamps", manner.timestamps, is_statsd),
            ("--container", manner.container.is_some(), is_statsd),
        ];
        match given.iter().find(|(_, is_given, has_meaning)| *is_given && !has_meaning) {
            Some((flag, ..)) => Err(format!("{flag} has no meaning for {}: leave it out", self.name())),
            None => Ok(()),
        }
    }
}

fn push_otlp(document: &Document, out: &mut Vec<u8>) -> u64 {
    let encoded = barewire_otlp_json::Encoder::new().push_request([&document.frame], out);
    if !document.events.is_empty() {
        if !out.is_empty() {
            out.push(b'\n');
        }
        let mut logs = LogEncoder::new(document.frame.scope.clone());
        logs.push_request(&document.frame.resource, &document.events, out);
    }
    encoded.left_out + count(&document.rows) + count(&document.checks)
}

fn push_text(document: &Document, format: TextFormat, manner: &Manner, out: &mut Vec<u8>) -> u64 {
    let mut encoder = barewire_promtext::Encoder::new(format).escaping(manner.escaping.unwrap_or_default());
    let encoded = encoder.push([&document.frame], out);
    encoded.left_out + count(&document.rows) + count(&document.events) + count(&document.checks)
}

fn push_dogstatsd(document: &Document, manner: &Manner, out: &mut Vec<u8>) -> u64 {
    let style = style(manner);
    let limit_bytes = if manner.framed { UNIX_LIMIT_BYTES } else { UDP_LIMIT_BYTES };
    let mut datagrams = Datagrams::new(limit_bytes);
    let encoded = barewire_statsd::Encoder::new(style.clone()).push_frame(&document.frame, &mut datagrams);
    let mut left_out = encoded.left_out + count(&document.rows);
    let mut push = |write: &dyn Fn(&mut Vec<u8>) -> bool| {
        let mut is_written = false;
        let fits = datagrams.push(|out| is_written = write(out));
        left_out += u64::from(!(fits && is_written));
    };
    document.events.iter().for_each(|event| push(&|out| push_event_within(out, event, &style, limit_bytes)));
    document.checks.iter().for_each(|check| push(&|out| push_service_check(out, check, &style)));
    for datagram in datagrams.iter() {
        if manner.framed {
            push_stream_frame(out, datagram);
        } else {
            out.extend_from_slice(datagram);
        }
    }
    left_out
}

fn style(manner: &Manner) -> Style {
    let mut style = Style::new();
    if let Some(prefix) = &manner.prefix {
        style = style.prefix(prefix);
    }
    for (key, value) in &manner.tag {
        style = style.tag(key, value);
    }
    if let Some(container) = &manner.container {
        style = style.container(container);
    }
    if manner.timestamps { style.timestamps() } else { style }
}

fn push_influx(document: &Document, manner: &Manner, out: &mut Vec<u8>) -> Printed {
    let mut encoder = barewire_influx::Encoder::new();
    for (key, value) in &manner.tag {
        encoder = encoder.tag(key.clone(), value.clone());
    }
    let points = encoder.push([&document.frame], out);
    let rows: Vec<_> = document.rows.iter().map(shown_row).collect();
    let rows = encoder.push_rows(&rows, out);
    let tags: Vec<_> =
        manner.tag.iter().map(|(key, value)| barewire::Label::new(key.clone(), value.clone())).collect();
    let is_left_out = |event: &&Event| !push_annotation(out, event, &tags);
    let events = document.events.iter().filter(is_left_out).count() as u64;
    let left_out = points.left_out + rows.left_out + events + count(&document.checks);
    Printed { left_out, warnings: encoder.warnings().to_vec() }
}

fn shown_row(row: &Row) -> InfluxRow<'_> {
    InfluxRow {
        measurement: &row.name,
        tags: row.labels.iter().map(|label| (label.key.as_str(), label.value.to_text())).collect(),
        fields: row.fields.iter().map(|(key, value)| (key.as_str(), value.shown())).collect(),
        time_unix_ns: row.time_unix_ns,
    }
}

fn count<T>(of: &[T]) -> u64 {
    of.len() as u64
}
