//! One document a line.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
};

use barewire::{
    Error, ExportError,
    wire::{self, lines::NamedFile},
};

use super::{Sent, refused_destination};

/// A file of lines, or standard output.
pub(super) struct Lines {
    name: String,
    line: Vec<u8>,
    out: wire::lines::Lines<Box<dyn Write + Send>>,
}

impl Lines {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = NamedFile::create(path).map_err(|error| {
            refused_destination(format!("cannot create '{name}': {error}: name a file that can be written"))
        })?;
        Ok(Self::new(name, file))
    }

    pub(super) fn stdout() -> Self {
        Self::new("standard output".to_owned(), io::stdout())
    }

    fn new(name: String, out: impl Write + Send + 'static) -> Self {
        Lines { name, line: Vec::new(), out: wire::lines::Lines::new(Box::new(out)) }
    }

    /// Writes `document` as one line, to the end.
    pub(super) fn send(&mut self, document: &[u8]) -> Result<Sent, ExportError> {
        let Lines { name, line, out } = self;
        line.clear();
        line.extend_from_slice(document);
        line.push(b'\n');
        out.write(line).map_err(|error| ExportError::Failed(format!("cannot write to {name}: {error}")))?;
        Ok(Sent { bytes: line.len() as u64, ..Sent::default() })
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_names_the_file() {
        let sent = Lines::new("a.jsonl".to_owned(), Full).send(b"{}").map(|sent| sent.bytes);
        assert_eq!(sent, Err(ExportError::Failed("cannot write to a.jsonl: no storage space".to_owned())));
    }
}
