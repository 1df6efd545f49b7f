//! Any labels and events in the JSON log, on a disk that is full now and then.

#![no_main]

use barewire_fuzz::json_log::{Told, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|told: Told| check(told));
