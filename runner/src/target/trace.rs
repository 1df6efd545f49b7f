//! When each request came, as text: one integer a line, in nanoseconds since the server began.
//!
//! ```text
//! 501203944
//! 501704011
//! ```
//!
//! A line costs its digits and nothing else until a block is full. That block is written by the server's own thread,
//! which takes microseconds where a file is at the other end; so the memory is bounded, however long a trace gets.

use std::{
    fmt,
    io::{self, Write},
};

use barewire::wire::text::{MAX_U64_LEN, push_u64};

/// Some five thousand lines.
const BLOCK_BYTES: usize = 64 * 1024;

/// Where the lines go. What cannot be written ends the trace, not the server.
pub(super) struct Trace {
    out: Box<dyn Write + Send>,
    block: Vec<u8>,
    failure: Option<io::Error>,
}

impl Trace {
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        Trace { out: Box::new(out), block: Vec::with_capacity(BLOCK_BYTES), failure: None }
    }

    pub(super) fn push(&mut self, at_ns: u64) {
        if self.block.len() + MAX_U64_LEN + 1 > BLOCK_BYTES {
            self.write_block();
        }
        push_u64(&mut self.block, at_ns);
        self.block.push(b'\n');
    }

    /// Writes what is left; the failure if there was one, now or before.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.write_block();
        match self.failure {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    fn write_block(&mut self) {
        if self.failure.is_none() {
            self.failure = self.out.write_all(&self.block).err();
        }
        self.block.clear();
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("failure", &self.failure).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is written, up to a limit.
    #[derive(Clone)]
    struct Page(Arc<Mutex<Vec<u8>>>, usize);

    impl Page {
        fn new(limit: usize) -> Self {
            Page(Arc::default(), limit)
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut text = self.0.lock().unwrap();
            if text.len() + bytes.len() > self.1 {
                return Err(io::Error::other("the page is full"));
            }
            text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_arrival_is_a_line_and_a_block_is_all_that_waits() {
        let page = Page::new(usize::MAX);
        let mut trace = Trace::new(page.clone());
        let arrivals: Vec<u64> = (0..100_000).map(|n| n * n).chain([u64::MAX]).collect();
        for at_ns in &arrivals {
            trace.push(*at_ns);
            assert!(trace.block.capacity() == BLOCK_BYTES);
        }
        assert!(page.text().len() > 10 * BLOCK_BYTES);
        trace.end().unwrap();
        let told: Vec<u64> = page.text().lines().map(|line| line.parse().unwrap()).collect();
        assert!(told == arrivals);
    }

    #[test]
    fn a_trace_that_cannot_be_written_says_so_at_its_end_and_keeps_what_was() {
        let page = Page::new(3 * BLOCK_BYTES);
        let mut trace = Trace::new(page.clone());
        (0..100_000).for_each(|at_ns| trace.push(at_ns));
        assert_eq!(trace.end().unwrap_err().to_string(), "the page is full");
        assert!(page.text().starts_with("0\n1\n2\n"));
    }
}
