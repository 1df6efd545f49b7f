//! What it costs to read a response and to write a request, in groups called `http_codec/<case>/<implementation>`.
//!
//! `barewire` reads a response whose head it knows, as a load does nearly always; `barewire_new_head` one whose head
//! differs from the one before. `httparse` finds the fields of a head and nothing more: neither where the body ends nor
//! whether the connection stays.

use std::{hint::black_box, io::Write};

use barewire::wire::http::{Event, Header, KnownHead, ResponseDecoder, Url, push_request_head};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const BODY: &[u8] = b"Hello from the other end of the wire.\n";

/// A response such as small servers give.
fn response(second: u32) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: example\r\nDate: Thu, 01 Jan 2026 00:00:{second:02} GMT\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n",
        BODY.len()
    );
    [head.as_bytes(), BODY].concat()
}

fn responses(criterion: &mut Criterion) {
    let seconds = [response(0), response(1)];
    let mut group = criterion.benchmark_group("http_codec/response");
    group.throughput(Throughput::Elements(1));
    let mut subject = |name: &str, inputs: &[Vec<u8>], read: &mut dyn FnMut(&[u8]) -> (u16, usize)| {
        let mut next = inputs.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(read(black_box(next.next().expect("a cycle"))), (200, BODY.len())));
        });
    };
    let mut known = KnownHead::default();
    subject("barewire", &seconds[..1], &mut |input| read(&mut known, input));
    subject("barewire_new_head", &seconds, &mut |input| read(&mut known, input));
    subject("httparse", &seconds, &mut |input| {
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let mut head = httparse::Response::new(&mut fields);
        let status = head.parse(input).expect("a response");
        (head.code.expect("a status"), input.len() - status.unwrap())
    });
}

/// The status, and the length of the body.
fn read(known: &mut KnownHead, input: &[u8]) -> (u16, usize) {
    let (mut decoder, mut rest) = (ResponseDecoder::new(false), input);
    let (mut status, mut body_len) = (0, 0);
    loop {
        let (consumed, event) = decoder.decode_known(known, rest).expect("a response");
        rest = &rest[consumed..];
        match event {
            Event::Head(head) => status = head.status,
            Event::Body(run) => body_len += run.len(),
            Event::End => return (status, body_len),
            Event::NeedMore => panic!("the response is whole"),
        }
    }
}

fn requests(criterion: &mut Criterion) {
    let [first, second]: [Url; 2] = ["http://localhost:4318/v1/metrics", "http://localhost:4318/v1/tracing"]
        .map(|url| url.parse().expect("a URL"));
    let headers = [("Content-Type", "application/json"), ("User-Agent", "example")];
    let fields = headers.map(|(name, value)| Header::new(name, value).expect("a header"));
    let expected = |url: &Url| {
        let mut out = Vec::new();
        push_formatted(&mut out, url, &headers, 12_345);
        out
    };
    let expected = [(&first, expected(&first)), (&second, expected(&second))];

    let mut out = Vec::with_capacity(1024);
    let mut group = criterion.benchmark_group("http_codec/request");
    group.throughput(Throughput::Elements(1));
    let mut subject = |name: &str, push: &mut dyn FnMut(&mut Vec<u8>, &Url, &[u8])| {
        let mut next = expected.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (url, expected) = next.next().expect("a cycle");
                out.clear();
                push(&mut out, black_box(url), expected);
                assert_eq!(&out, expected);
            });
        });
    };
    subject("barewire", &mut |out, url, _| {
        push_request_head(out, "POST", url.target(), url.authority(), &fields, Some(black_box(12_345)));
    });
    subject("std_fmt", &mut |out, url, _| push_formatted(out, url, &headers, black_box(12_345)));
    subject("memcpy", &mut |out, _, expected| out.extend_from_slice(expected));
}

fn push_formatted(out: &mut Vec<u8>, url: &Url, headers: &[(&str, &str)], len: u64) {
    let (target, host) = (url.target(), url.authority());
    write!(out, "POST {target} HTTP/1.1\r\nHost: {host}\r\n").expect("memory takes all");
    for (name, value) in headers {
        write!(out, "{name}: {value}\r\n").expect("memory takes all");
    }
    write!(out, "Content-Length: {len}\r\n\r\n").expect("memory takes all");
}

criterion_group!(name = benches; config = barewire_bench::criterion(); targets = responses, requests);
criterion_main!(benches);
