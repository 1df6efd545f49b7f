//! What the Agent flushes to: takes everything, and keeps series and sketches.

use flate2::read::ZlibDecoder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const LIMIT_BYTES: u64 = 64 << 20;

/// A listener of this process. Its threads end with it.
#[derive(Debug)]
pub(crate) struct Intake {
    addr: SocketAddr,
    flushed: Arc<Mutex<Flushed>>,
}

/// Everything that was flushed so far.
#[derive(Debug, Default)]
struct Flushed {
    series: Vec<Series>,
    sketches: Vec<Sketch>,
}

/// One series of one flush.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    /// `gauge`, `rate` or `count`.
    pub(crate) kind: String,
    /// How many seconds a rate is of.
    pub(crate) interval: f64,
    pub(crate) values: Vec<f64>,
}

/// The distribution of one series in one flush, or of several.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sketch {
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) sum: f64,
    /// Counts by key.
    pub(crate) bins: BTreeMap<i64, u64>,
}

impl Intake {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port from the kernel");
        let addr = listener.local_addr().expect("its number");
        let flushed = Arc::<Mutex<Flushed>>::default();
        let kept = Arc::clone(&flushed);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { addr, flushed }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The series of that name whose tags include all of `tags`.
    pub(crate) fn series(&self, name: &str, tags: &[&str]) -> Vec<Series> {
        let flushed = self.flushed.lock().expect("what was flushed");
        flushed
            .series
            .iter()
            .filter(|series| series.name == name && has(&series.tags, tags))
            .cloned()
            .collect()
    }

    /// Everything so far by name, kind (`sketch` for a distribution) and tags.
    pub(crate) fn shapes(&self) -> Vec<(String, String, Vec<String>)> {
        let flushed = self.flushed.lock().expect("what was flushed");
        let series = flushed.series.iter().map(|it| (it.name.clone(), it.kind.clone(), it.tags.clone()));
        let sketches = flushed.sketches.iter();
        series.chain(sketches.map(|it| (it.name.clone(), "sketch".to_owned(), it.tags.clone()))).collect()
    }

    /// The sum of a counter of that name over all flushes and series whose tags include all of `tags`.
    pub(crate) fn total(&self, name: &str, tags: &[&str]) -> f64 {
        self.series(name, tags).iter().map(Series::total).sum()
    }

    /// All distributions of that name whose tags include all of `tags`, as one.
    pub(crate) fn sketch(&self, name: &str, tags: &[&str]) -> Option<Sketch> {
        let flushed = self.flushed.lock().expect("what was flushed");
        let matching =
            flushed.sketches.iter().filter(|sketch| sketch.name == name && has(&sketch.tags, tags));
        matching.cloned().reduce(Sketch::plus)
    }
}

impl Series {
    /// How far a counter came in this flush.
    pub(crate) fn total(&self) -> f64 {
        let seconds = if self.kind == "rate" { self.interval } else { 1.0 };
        self.values.iter().map(|value| value * seconds).sum()
    }
}

impl Sketch {
    /// The value of the bin of the `q`-quantile. The Agent's bins grow by 1/64, so it is off by 0.8 % at most.
    #[allow(clippy::cast_possible_truncation, reason = "a rank")]
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        let rank = (q * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let key = self.bins.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        value_of(*key.expect("a bin of that rank").0)
    }

    fn plus(mut self, other: Sketch) -> Sketch {
        for (key, count) in other.bins {
            *self.bins.entry(key).or_default() += count;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self
    }
}

/// What a key stands for: the Agent's sketch has a relative accuracy of 1/128 and a smallest value of 10^-9.
fn value_of(key: i64) -> f64 {
    const GAMMA: f64 = 1.0 + 2.0 / 128.0;
    let bias = 1.0 - (1e-9_f64.ln() / GAMMA.ln()).floor();
    match key {
        0 => 0.0,
        key => GAMMA.powf(key.abs() as f64 - bias) * key.signum() as f64,
    }
}

fn has(tags: &[String], wanted: &[&str]) -> bool {
    wanted.iter().all(|wanted| tags.iter().any(|tag| tag == wanted))
}

fn serve(stream: TcpStream, flushed: &Mutex<Flushed>) {
    // An Agent that hangs up in the middle has nothing more to say.
    drop(serve_all(stream, flushed));
}

fn serve_all(stream: TcpStream, flushed: &Mutex<Flushed>) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut packed) = (0, false);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
                "content-encoding" => packed = value.trim() == "deflate",
                _ => {}
            }
        }
        let mut body = Vec::new();
        reader.by_ref().take(length).read_to_end(&mut body)?;
        if packed {
            let mut plain = Vec::new();
            ZlibDecoder::new(body.as_slice()).take(LIMIT_BYTES).read_to_end(&mut plain)?;
            body = plain;
        }
        keep(&path, &body, &mut flushed.lock().expect("what was flushed"));
        writer.write_all(
            b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        )?;
    }
}

fn keep(path: &str, body: &[u8], flushed: &mut Flushed) {
    if path.starts_with("/api/v1/series") {
        let document: Value = serde_json::from_slice(body).expect("series in JSON");
        flushed.series.extend(super::otlp::items(&document["series"]).map(series));
    } else if path.starts_with("/api/beta/sketches") {
        let sketches = fields(body).into_iter().filter(|(number, _)| *number == 1);
        flushed.sketches.extend(sketches.map(|(_, sketch)| read_sketch(sketch.bytes())));
    }
}

fn series(value: &Value) -> Series {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let tags = super::otlp::items(&value["tags"]).filter_map(|tag| tag.as_str().map(str::to_owned));
    let values = super::otlp::items(&value["points"]).filter_map(|point| point[1].as_f64());
    Series {
        name: text("metric"),
        tags: tags.collect(),
        kind: text("type"),
        interval: value["interval"].as_f64().unwrap_or(0.0),
        values: values.collect(),
    }
}

/// `Sketch` of Datadog's `agent_payload.proto`: metric 1, tags 4, dogsketches 7.
fn read_sketch(bytes: &[u8]) -> Sketch {
    let mut sketch = Sketch { min: f64::INFINITY, max: f64::NEG_INFINITY, ..Sketch::default() };
    let text = |field: Field<'_>| String::from_utf8_lossy(field.bytes()).into_owned();
    for (number, field) in fields(bytes) {
        match number {
            1 => sketch.name = text(field),
            4 => sketch.tags.push(text(field)),
            7 => {
                let (name, tags) = (sketch.name.clone(), sketch.tags.clone());
                sketch = Sketch { name, tags, ..sketch.plus(read_dogsketch(field.bytes())) };
            }
            _ => {}
        }
    }
    sketch
}

/// `Dogsketch`: cnt 2, min 3, max 4, sum 6, k 7 (zigzag), n 8.
fn read_dogsketch(bytes: &[u8]) -> Sketch {
    let (mut sketch, mut keys, mut counts) = (Sketch::default(), Vec::new(), Vec::new());
    for (number, field) in fields(bytes) {
        match number {
            2 => sketch.count = field.int(),
            3 => sketch.min = field.double(),
            4 => sketch.max = field.double(),
            6 => sketch.sum = field.double(),
            7 => keys = varints(field.bytes()),
            8 => counts = varints(field.bytes()),
            _ => {}
        }
    }
    // A bin that outgrew its 16 bits goes on in another one of the same key.
    for (key, count) in keys.into_iter().zip(counts) {
        let key = (key >> 1).cast_signed() ^ -(key & 1).cast_signed();
        *sketch.bins.entry(key).or_default() += count;
    }
    sketch
}

/// A field of protobuf.
#[derive(Debug, Clone, Copy)]
enum Field<'a> {
    Int(u64),
    Bits(u64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn int(self) -> u64 {
        if let Field::Int(int) = self { int } else { panic!("no integer: {self:?}") }
    }

    fn double(self) -> f64 {
        if let Field::Bits(bits) = self { f64::from_bits(bits) } else { panic!("no double: {self:?}") }
    }

    fn bytes(self) -> &'a [u8] {
        if let Field::Bytes(bytes) = self { bytes } else { panic!("no bytes: {self:?}") }
    }
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Int(varint(&mut bytes)),
            1 => Field::Bits(u64::from_le_bytes(split(&mut bytes, 8).try_into().expect("eight bytes"))),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("a length");
                Field::Bytes(split(&mut bytes, length))
            }
            wire => panic!("an unknown wire type: {wire}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn split<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (head, rest) = bytes.split_at(length);
    *bytes = rest;
    head
}

fn varints(mut bytes: &[u8]) -> Vec<u64> {
    std::iter::from_fn(|| (!bytes.is_empty()).then(|| varint(&mut bytes))).collect()
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = split(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a varint without an end")
}
