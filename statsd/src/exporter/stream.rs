//! Frames over a Unix stream. A frame that was written in part would shift all that follow, so the connection ends with
//! it.

use std::{
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use barewire::{Error, ExportError, wire::net::check_unix_path};
use socket2::{Domain, SockAddr, Socket, Type};

use super::way::failed;
use crate::encode::event::push_stream_frame;

/// A stream to the socket at one path, connected with the first frame and anew after an error.
pub(super) struct Stream {
    path: PathBuf,
    peer: String,
    socket: Option<Socket>,
    frame: Vec<u8>,
}

impl Stream {
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        check_unix_path(path)?;
        let peer = path.to_string_lossy().into_owned();
        Ok(Stream { path: path.to_owned(), peer, socket: None, frame: Vec::new() })
    }

    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Writes `payload` as one frame. A connection that was kept and turns out to be closed is replaced once: nothing of
    /// the frame was taken.
    pub(super) fn send(&mut self, payload: &[u8], deadline: Instant) -> Result<(), ExportError> {
        self.frame.clear();
        if !push_stream_frame(&mut self.frame, payload) {
            return Err(failed(format!("{}: a frame of {} bytes is too long", self.peer, payload.len())));
        }
        if let Some(kept) = self.socket.take() {
            match self.write(kept, deadline) {
                Err(Broken { error, written: 0 }) if is_closed(error.kind()) => {}
                done => return done.map_err(|broken| self.told(&broken.error)),
            }
        }
        let socket =
            connect(&self.path).map_err(|error| failed(format!("{}: cannot connect: {error}", self.peer)))?;
        self.write(socket, deadline).map_err(|broken| self.told(&broken.error))
    }

    /// Writes the frame; `socket` is kept if the frame is whole or untouched.
    fn write(&mut self, mut socket: Socket, deadline: Instant) -> Result<(), Broken> {
        let mut written = 0;
        let error = loop {
            if written == self.frame.len() {
                self.socket = Some(socket);
                return Ok(());
            }
            match write_some(&mut socket, &self.frame[written..], deadline) {
                Ok(0) => break ErrorKind::WriteZero.into(),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        if written == 0 && !is_closed(error.kind()) {
            self.socket = Some(socket);
        }
        Err(Broken { error, written })
    }

    fn told(&self, error: &io::Error) -> ExportError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                ExportError::TimedOut(format!("{} while sending", self.peer))
            }
            _ => failed(format!("{}: cannot send: {error}", self.peer)),
        }
    }
}

/// A frame that was not written whole.
struct Broken {
    error: io::Error,
    written: usize,
}

/// A connection, or at once an error where the receiver has too many waiting.
fn connect(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    socket.set_nonblocking(false)?;
    Ok(socket)
}

fn write_some(socket: &mut Socket, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
    let rest = deadline.saturating_duration_since(Instant::now());
    if rest.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    socket.set_write_timeout(Some(rest))?;
    socket.write(bytes)
}

fn is_closed(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::WriteZero
    )
}

#[cfg(test)]
mod tests {
    use std::{env, fs, io::Read, os::unix::net::UnixListener, process, time::Duration};

    use super::*;

    #[test]
    fn a_frame_that_breaks_off_ends_its_connection_and_the_next_is_whole() {
        let path = env::temp_dir().join(format!("barewire-stream-{}.socket", process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let mut stream = Stream::new(&path).unwrap();
        let socket = connect(&path).unwrap();
        // A frame needs many turns through so small a buffer, so it breaks off in the middle.
        socket.set_send_buffer_size(1).unwrap();
        stream.socket = Some(socket);
        let error = stream.send(&[b'x'; 8192], Instant::now() + Duration::from_millis(200)).unwrap_err();
        assert!(matches!(error, ExportError::TimedOut(_)), "{error}");
        assert!(stream.socket.is_none());
        let mut broken = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut broken).unwrap();
        assert!((1..8196).contains(&broken.len()), "{}", broken.len());

        stream.send(b"a:1|c\n", Instant::now() + Duration::from_secs(60)).unwrap();
        drop(stream);
        let mut whole = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut whole).unwrap();
        assert_eq!(whole, b"\x06\0\0\0a:1|c\n");
        fs::remove_file(&path).unwrap();
    }
}
