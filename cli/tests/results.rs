//! Results are replaced whole or not at all, and are those of the run that they are taken for.

mod support;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use support::{Child, Dir, Ended, RESULTS, Target, barewire_to_end, free_port};

const OLDER: &str = r#"{"run_id": "1-1", "status": "passed", "requests": 1}"#;

/// A run in `dir`, by a shell that does `before` first.
fn run_in<S: AsRef<OsStr>>(dir: Dir, before: &str, args: impl IntoIterator<Item = S>) -> Ended {
    let mut command = Command::new("sh");
    let script = format!("{before} exec \"$@\"");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_barewire"), "run", "--quiet"]).args(args);
    Ended::of(Child::start(command, dir))
}

/// The names of all files, but for what the test itself keeps there.
fn names(dir: &Dir) -> Vec<String> {
    let files = fs::read_dir(dir.path()).expect("a folder").flatten();
    let names = files.map(|file| file.file_name().into_string().expect("UTF-8"));
    let mut names: Vec<_> = names.filter(|name| !["stdout", "stderr"].contains(&name.as_str())).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_pipe_is_opened_once_and_its_reader_sees_the_end() {
    let target = Target::start(&[]);
    let ended = run_in(
        Dir::new(),
        "mkfifo p; cat p >read &",
        [target.url().as_str(), "-c", "2", "-d", "200ms", "--results", "p"],
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let read = || serde_json::from_str::<Value>(&ended.dir.read("read")).ok();
    let results = support::poll(support::PATIENCE, "what the reader of the pipe read", read);
    assert_eq!(results["requests"], target.requests());
}

#[test]
fn a_full_disk_leaves_older_results_as_they_were() {
    let target = Target::start(&[]);
    let dir = Dir::new();
    dir.write(RESULTS, OLDER);
    let args = [target.url().as_str(), "-c", "2", "-d", "200ms", "--results", RESULTS].map(str::to_owned);
    // A block is less than results need, and more than the error does.
    let ended = run_in(dir, "trap '' XFSZ; ulimit -f 1;", args);
    assert_eq!(ended.code, 70, "{}", ended.stderr);
    assert!(ended.stderr.contains("'r.json' could not be written, and is as it was: "), "{}", ended.stderr);
    assert_eq!((ended.dir.read(RESULTS).as_str(), names(&ended.dir)), (OLDER, vec![RESULTS.to_owned()]));
}

#[test]
fn a_run_that_cannot_start_leaves_no_results_neither_empty_nor_older_ones() {
    let nobody = format!("http://127.0.0.1:{}/", free_port());
    for (args, code) in [([nobody.as_str(), "-d", "1s"], 3), (["http://127.0.0.1/", "--rate", "0"], 2)] {
        for (before, left) in [(None, None), (Some(OLDER), None), (Some("notes"), Some("notes"))] {
            let dir = Dir::new();
            before.map(|text| dir.write(RESULTS, text));
            let ended = run_in(dir, "", args.iter().chain(&["--results", RESULTS]));
            assert_eq!(ended.code, code, "{}", ended.stderr);
            let left: Vec<_> = left.into_iter().map(|_| RESULTS.to_owned()).collect();
            assert_eq!(names(&ended.dir), left, "{args:?}, {before:?}");
        }
    }
}

#[test]
fn results_on_standard_output_are_alone_there() {
    let target = Target::start(&[]);
    let mut before = 0;
    // Standard output is a file here, and a file behind a name of its own must not be replaced.
    for path in ["-", "/dev/stdout", "/dev/fd/1"] {
        let ended = barewire_to_end(["run", &target.url(), "-c", "2", "-d", "200ms", "--results", path]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let results: Value = serde_json::from_str(&ended.stdout).expect("a document and nothing else");
        assert_eq!(results["requests"], target.requests() - before, "{path}");
        assert!(ended.stderr.contains(" requests, "), "{path}: {}", ended.stderr);
        before = target.requests();
    }
}
