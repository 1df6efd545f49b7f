//! A wall clock that is set while a program runs, backwards or forwards, changes no time of a snapshot.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use barewire::Registry;

/// A registry reads the wall clock when it is made. The other reader is a pause that ends at a date.
const READERS: [&str; 2] = ["record/registry.rs", "wire/net/mod.rs"];

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn the_wall_clock_is_read_once_a_registry_and_never_for_a_snapshot() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut readers = Vec::new();
    for file in files(&src) {
        let text = fs::read_to_string(&file).unwrap();
        let times = text.matches("SystemTime::now()").count();
        readers.extend(vec![file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned(); times]);
    }
    readers.sort();
    assert_eq!(readers, READERS);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_time_of_a_snapshot_is_the_start_and_what_the_monotonic_clock_says_since() {
    let registry = Registry::new("test");
    let (mut last, start) = (registry.start_unix_ns(), registry.start_unix_ns());
    for _ in 0..5 {
        let before = registry.elapsed_ns();
        let snapshot = registry.snapshot();
        let after = registry.elapsed_ns();
        assert_eq!(snapshot.start_unix_ns(), start);
        assert!((start + before..=start + after).contains(&snapshot.unix_ns()));
        assert!(snapshot.unix_ns() >= last);
        last = snapshot.unix_ns();
        thread::sleep(Duration::from_millis(1));
    }
}
