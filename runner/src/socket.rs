//! The sockets of a load: what one costs is most of what a request costs.
//!
//! Bytes go by one system call each way, straight to the kernel. The functions of libc are points at which a thread
//! may be cancelled; in a process of several threads that takes two locked instructions before each call and two after
//! it, for something that nobody here does.
//!
//! A connection that stays on this machine has no bottleneck to probe for, so it asks for the congestion control that
//! does the least. Some kernels come with `bbr` for all, which paces: it computes a rate with every acknowledgement,
//! and holds segments back by a timer. On loopback that is work for nothing, on both ends, and the sender does the
//! receiver's too. It has to be asked for before there is a connection: pacing, once begun, goes on.

use std::{
    io,
    net::{self, SocketAddr},
    os::fd::AsFd,
};

use mio::net::TcpStream;
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
        sockopt::{set_tcp_congestion, set_tcp_nodelay},
    },
};

/// In every kernel, and allowed to everybody.
const LEAST: &str = "reno";

/// Begins to connect to `addr`.
pub(crate) fn begin_connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    set_tcp_nodelay(&socket, true)?;
    spare_loopback(&socket, addr);
    match connect(&socket, &addr) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from_std(net::TcpStream::from(socket))),
        Err(error) => Err(error.into()),
    }
}

/// Does without congestion control that costs something, if `addr`, to which the socket is bound or will connect, is of
/// loopback. A system that refuses that does what it always does.
pub(crate) fn spare_loopback(socket: impl AsFd, addr: SocketAddr) {
    if addr.ip().to_canonical().is_loopback() {
        // Refused or not, the connection works.
        set_tcp_congestion(socket, LEAST).unwrap_or_default();
    }
}

/// Writes as many of the bytes as the socket takes.
#[inline]
pub(crate) fn write(stream: &TcpStream, bytes: &[u8]) -> Result<usize, Errno> {
    send(stream, bytes, SendFlags::NOSIGNAL)
}

/// Reads what has come, as much as there is room for; nothing is the end.
#[inline]
pub(crate) fn read(stream: &TcpStream, buffer: &mut [u8]) -> Result<usize, Errno> {
    recv(stream, buffer, RecvFlags::empty()).map(|(len, _)| len)
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::tcp_congestion;

    use super::*;

    fn control(socket: impl AsFd) -> String {
        tcp_congestion(socket).unwrap()
    }

    #[test]
    fn loopback_is_spared_and_nothing_else_is() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let default = control(&listener);
        let stream = begin_connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!((control(&stream), stream.nodelay().unwrap()), (LEAST.to_owned(), true));
        for (addr, expected) in [("192.0.2.1:80", &*default), ("[::ffff:127.0.0.1]:80", LEAST)] {
            let socket = net::TcpListener::bind("127.0.0.1:0").unwrap();
            spare_loopback(&socket, addr.parse().unwrap());
            assert_eq!(control(&socket), expected, "{addr}");
        }
    }
}
