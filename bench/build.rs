//! Takes the writer of metrics-exporter-dogstatsd out of its published source, as it is private there and only a thread
//! with a clock of its own drives it: the benches compile the very text, and measure it without the thread.

use std::{env, fs, path::Path, process::Command};

use serde_json::Value;

const RIVAL: &str = "metrics-exporter-dogstatsd";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    let cargo = env::var("CARGO").expect("cargo runs this");
    let metadata = Command::new(cargo).args(["metadata", "--format-version=1", "--locked"]).output();
    let metadata: Value =
        serde_json::from_slice(&metadata.expect("cargo starts").stdout).expect("what cargo knows");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let rival = packages.iter().find(|package| package["name"] == RIVAL).expect("the rival among them");
    let manifest = Path::new(rival["manifest_path"].as_str().expect("a path"));
    let source = fs::read_to_string(manifest.with_file_name("src").join("writer.rs")).expect("its writer");
    let (writer, _tests) = source.split_once("#[cfg(test)]").expect("tests at its end");
    let out = env::var("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&out).join("dogstatsd_writer.rs"), writer).expect("room for it");
}
