//! Any frames, parts and events as lines of InfluxDB.

#![no_main]

use barewire_fuzz::influx::{Told, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|told: Told| check(told));
