//! `floor ADDRESS CONNECTIONS SECONDS`: the least that a client over sockets can do for a request: one `recv` and one
//! `send`, and a share of an `epoll_wait`.
//!
//! It reads nothing of a response but that there is one, counts nothing and looks at no clock but once a round: what it
//! costs a request is the kernel's, and what a load generator costs above it is its own. As the runner does, a round
//! receives all that is there before it sends, and the loopback device gets a congestion control without pacing.

use std::{
    env,
    net::TcpStream,
    time::{Duration, Instant},
};

use rustix::{
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    net::{RecvFlags, SendFlags, recv, send, sockopt::set_tcp_congestion},
};

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let [address, connections, seconds] = &words[..] else {
        panic!("usage: floor ADDRESS CONNECTIONS SECONDS")
    };
    let connections: usize = connections.parse().expect("a number of connections");
    let end = Instant::now() + Duration::from_secs(seconds.parse().expect("seconds"));
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
    let poll = epoll::create(CreateFlags::CLOEXEC).expect("an epoll");
    let streams: Vec<TcpStream> = (0..connections).map(|_| connect(address)).collect();
    for (at, stream) in streams.iter().enumerate() {
        epoll::add(&poll, stream, EventData::new_u64(at as u64), EventFlags::IN | EventFlags::ET)
            .expect("an entry");
        send(stream, &request, SendFlags::DONTWAIT).expect("room for a request");
    }
    let mut events: Vec<Event> = Vec::with_capacity(connections);
    let (mut response, mut ready) = ([0; 4096], Vec::with_capacity(connections));
    let patience = Timespec { tv_sec: 1, tv_nsec: 0 };
    while Instant::now() < end {
        events.clear();
        epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&patience)).expect("events");
        for event in &events {
            let at = usize::try_from(event.data.u64()).expect("a number of a connection");
            let (len, _) = recv(&streams[at], &mut response, RecvFlags::DONTWAIT).expect("a response");
            assert!(len > 0, "the server has hung up");
            ready.push(at);
        }
        for at in ready.drain(..) {
            send(&streams[at], &request, SendFlags::DONTWAIT).expect("room for a request");
        }
    }
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a server");
    stream.set_nodelay(true).expect("a socket");
    // Where the kernel has none of that name, it stays as it is.
    let _ = set_tcp_congestion(&stream, "reno");
    stream
}
