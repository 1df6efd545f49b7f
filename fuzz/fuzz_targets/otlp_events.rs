//! Any events and samples as OTLP/JSON requests of logs and of traces.

#![no_main]

use barewire_fuzz::event::{Told, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|told: Told| check(told));
