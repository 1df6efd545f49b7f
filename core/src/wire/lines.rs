//! One document a line, to whatever takes bytes: a file, standard output.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// A way out for whole lines.
///
/// A write that fails may leave the beginning of a line behind. The line that follows starts on one of its own, so
/// that what is lost is the torn line and nothing else.
///
/// ```
/// use barewire::wire::lines::Lines;
///
/// let mut lines = Lines::new(Vec::new());
/// lines.write(b"{\"hits\":1}\n{\"hits\":2}\n")?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    /// Whether a line was begun and not ended.
    torn: bool,
}

impl<W: Write> Lines<W> {
    /// Lines to `out`, which is at the beginning of one.
    pub fn new(out: W) -> Self {
        Lines { out, torn: false }
    }

    /// Writes `text`, whole lines of which the last one ends too, and flushes.
    ///
    /// # Errors
    /// As [`Write::write_all`]. A part of the text may have been written.
    pub fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.torn {
            self.out.write_all(b"\n")?;
        }
        self.torn = true;
        self.out.write_all(text)?;
        self.torn = false;
        self.out.flush()
    }
}

/// A file that takes nothing any more once it was removed: the system would, and nobody could read it. One that was
/// moved is written on.
#[derive(Debug)]
pub struct NamedFile {
    file: File,
    /// False for what has no name from the start, as what stands behind a descriptor may not: whoever holds it reads it.
    has_name: bool,
}

impl NamedFile {
    /// As [`File::create`].
    ///
    /// # Errors
    /// As [`File::create`].
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::create(path)?;
        let has_name = !is_removed(&file)?;
        Ok(NamedFile { file, has_name })
    }
}

impl Write for NamedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.has_name && is_removed(&self.file)? {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it was removed"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether no folder has the file any more.
fn is_removed(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() == 0)
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn a_file_that_was_removed_is_not_written_to_and_one_that_was_moved_is() {
        let path = |name: &str| env::temp_dir().join(format!("barewire-lines-{}-{name}", process::id()));
        let (old, new) = (path("old"), path("new"));
        let mut lines = Lines::new(NamedFile::create(&old).unwrap());
        lines.write(b"{1}\n").unwrap();
        fs::rename(&old, &new).unwrap();
        lines.write(b"{2}\n").unwrap();
        assert_eq!(fs::read(&new).unwrap(), b"{1}\n{2}\n");
        fs::remove_file(&new).unwrap();
        assert_eq!(lines.write(b"{3}\n").unwrap_err().to_string(), "it was removed");
    }

    /// A disk with room for some bytes, which is then made room on.
    #[derive(Default)]
    struct Disk {
        room: usize,
        bytes: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = bytes.len().min(self.room);
            self.room -= room;
            self.bytes.extend_from_slice(&bytes[..room]);
            if room == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(room) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_behind_a_torn_one_starts_clean() {
        let mut lines = Lines::new(Disk::default());
        let mut write = |text: &[u8], room| {
            lines.out.room += room;
            lines.write(text).map_err(|error| error.kind())
        };
        assert_eq!(write(b"{1}\n", 4), Ok(()));
        assert_eq!(write(b"{2}\n", 2), Err(io::ErrorKind::StorageFull));
        assert_eq!(write(b"{3}\n", 0), Err(io::ErrorKind::StorageFull));
        assert_eq!(write(b"{4}\n", 2), Err(io::ErrorKind::StorageFull));
        assert_eq!(write(b"{5}\n", 9), Ok(()));
        assert_eq!(lines.out.bytes, b"{1}\n{2\n{\n{5}\n");
    }

    proptest! {
        #[test]
        fn what_was_written_is_whole_and_what_was_not_is_at_most_its_beginning(
            writes in vec(("[a-c]{0,12}", 0..16_usize), 0..24),
        ) {
            let mut lines = Lines::new(Disk::default());
            let (mut taken, mut all) = (Vec::new(), Vec::new());
            for (number, (text, room)) in writes.iter().enumerate() {
                lines.out.room += room;
                let line = format!("{number:02} {text}\n").into_bytes();
                taken.extend(lines.write(&line).is_ok().then(|| line.clone()));
                all.push(line);
            }
            let found: Vec<&[u8]> = lines.out.bytes.split_inclusive(|byte| *byte == b'\n').collect();
            for line in &taken {
                prop_assert_eq!(found.iter().filter(|found| *found == line).count(), 1);
            }
            for line in found {
                let torn = line.strip_suffix(b"\n").unwrap_or(line);
                prop_assert!(all.iter().any(|all| all.starts_with(torn)));
            }
        }
    }
}
