//! Whatever a disk takes of a line: what was written is whole, and what was not is torn off.

use std::{
    io,
    sync::{Arc, Mutex},
};

use arbitrary::Arbitrary;
use barewire::wire::lines::Lines;

/// One call, and how much room is made on the disk before it.
#[derive(Debug, Arbitrary)]
pub struct Write {
    text: String,
    room: u8,
}

/// Writes each as a line of its own, its number before it.
///
/// # Panics
/// When a line that was taken is not there as a whole, or anything else than the beginning of a line that was not.
pub fn check(writes: &[Write]) {
    let disk = Disk::default();
    let mut lines = Lines::new(disk.clone());
    let (mut taken, mut all) = (Vec::new(), Vec::new());
    for (number, write) in writes.iter().enumerate() {
        disk.make_room(write.room.into());
        let text = format!("{number} {}\n", write.text.replace('\n', " "));
        if lines.write(text.as_bytes()).is_ok() {
            taken.push(text.clone());
        }
        all.push(text);
    }
    let bytes = disk.bytes();
    let found: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for text in &taken {
        assert_eq!(found.iter().filter(|line| **line == text.as_bytes()).count(), 1, "{text:?}");
    }
    for line in found {
        let torn = line.strip_suffix(b"\n").unwrap_or(line);
        assert!(all.iter().any(|text| text.as_bytes().starts_with(torn)), "{line:?}");
    }
}

/// A disk with room for some bytes, the same for whoever writes and whoever looks.
#[derive(Debug, Default, Clone)]
pub(crate) struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

impl Disk {
    pub(crate) fn make_room(&self, bytes: usize) {
        self.0.lock().expect("nobody panics with it").0 += bytes;
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("nobody panics with it").1.clone()
    }
}

impl io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (room, written) = &mut *self.0.lock().expect("nobody panics with it");
        let taken = bytes.len().min(*room);
        *room -= taken;
        written.extend_from_slice(&bytes[..taken]);
        if taken == 0 && !bytes.is_empty() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
