//! One document a line.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    path::Path,
};

use barewire::{Error, ExportError};

use super::{Sent, refused_destination};

/// A file of lines, or standard output.
pub(super) struct Lines {
    name: String,
    out: Box<dyn Write + Send>,
    /// Whether a line was begun and not ended.
    torn: bool,
}

impl Lines {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| {
            refused_destination(format!("cannot create '{name}': {error}: name a file that can be written"))
        })?;
        Ok(Self::new(name, file))
    }

    pub(super) fn stdout() -> Self {
        Self::new("standard output".to_owned(), io::stdout())
    }

    fn new(name: String, out: impl Write + Send + 'static) -> Self {
        Lines { name, out: Box::new(out), torn: false }
    }

    /// Writes `document` as one line, to the end.
    pub(super) fn send(&mut self, document: &mut Vec<u8>) -> Result<Sent, ExportError> {
        document.push(b'\n');
        self.write(document)
            .map_err(|error| ExportError::Failed(format!("cannot write to {}: {error}", self.name)))?;
        Ok(Sent { bytes: document.len() as u64, ..Sent::default() })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.out.write_all(b"\n")?;
        }
        self.torn = true;
        self.out.write_all(line)?;
        self.torn = false;
        self.out.flush()
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A disk with room for some bytes, which is then made room on.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut disk = self.0.lock().unwrap();
            let room = bytes.len().min(disk.0);
            disk.0 -= room;
            disk.1.extend_from_slice(&bytes[..room]);
            if room == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_behind_a_torn_one_starts_clean() {
        let disk = Disk::default();
        let mut lines = Lines::new("a.jsonl".to_owned(), disk.clone());
        let mut send = |document: &[u8], room| {
            disk.0.lock().unwrap().0 += room;
            lines.send(&mut document.to_vec()).map(|sent| sent.bytes)
        };
        assert_eq!(send(b"{1}", 4), Ok(4));
        let full = ExportError::Failed("cannot write to a.jsonl: no storage space".to_owned());
        assert_eq!(send(b"{2}", 2), Err(full.clone()));
        assert_eq!(send(b"{3}", 0), Err(full.clone()));
        assert_eq!(send(b"{4}", 2), Err(full));
        assert_eq!(send(b"{5}", 9), Ok(4));
        assert_eq!(disk.0.lock().unwrap().1, b"{1}\n{2\n{\n{5}\n");
    }
}
