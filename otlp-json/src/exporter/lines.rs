//! One document a line.

use std::{
    fmt,
    fs::File,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

use barewire::{Error, ExportError};

use super::{Sent, refused_destination};

/// A file of lines, or standard output.
pub(super) struct Lines {
    name: String,
    out: Box<dyn Write + Send>,
    /// The same file once more, if somebody may remove it.
    named: Option<File>,
    /// Whether a line was begun and not ended.
    torn: bool,
}

impl Lines {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let create = || {
            let file = File::create(path)?;
            // One that has no name from the start, as behind a descriptor, is read by whoever holds it.
            let named = if is_removed(&file)? { None } else { Some(file.try_clone()?) };
            Ok((file, named))
        };
        let (file, named) = create().map_err(|error: io::Error| {
            refused_destination(format!("cannot create '{name}': {error}: name a file that can be written"))
        })?;
        Ok(Lines { named, ..Self::new(name, file) })
    }

    pub(super) fn stdout() -> Self {
        Self::new("standard output".to_owned(), io::stdout())
    }

    fn new(name: String, out: impl Write + Send + 'static) -> Self {
        Lines { name, out: Box::new(out), named: None, torn: false }
    }

    /// Writes `document` as one line, to the end.
    pub(super) fn send(&mut self, document: &mut Vec<u8>) -> Result<Sent, ExportError> {
        document.push(b'\n');
        self.write(document)
            .map_err(|error| ExportError::Failed(format!("cannot write to {}: {error}", self.name)))?;
        Ok(Sent { bytes: document.len() as u64, rejected: 0 })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        // The system would take what nobody can read any more.
        if let Some(file) = &self.named
            && is_removed(file)?
        {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was removed"));
        }
        if self.torn {
            self.out.write_all(b"\n")?;
        }
        self.torn = true;
        self.out.write_all(line)?;
        self.torn = false;
        self.out.flush()
    }
}

/// Whether no folder has the file any more.
fn is_removed(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        env, fs, process,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[test]
    fn a_file_that_was_removed_is_not_written_to_and_one_that_was_moved_is() {
        let path = |name: &str| env::temp_dir().join(format!("barewire-lines-{}-{name}", process::id()));
        let (old, new) = (path("old"), path("new"));
        let mut lines = Lines::create(&old).unwrap();
        let mut send = || lines.send(&mut b"{1}".to_vec()).map(|sent| sent.bytes);
        assert_eq!(send(), Ok(4));
        fs::rename(&old, &new).unwrap();
        assert_eq!(send(), Ok(4));
        assert_eq!(fs::read(&new).unwrap(), b"{1}\n{1}\n");
        fs::remove_file(&new).unwrap();
        let told = format!("cannot write to {}: it was removed", old.display());
        assert_eq!(send(), Err(ExportError::Failed(told)));
    }

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
