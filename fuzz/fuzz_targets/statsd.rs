//! Any frames, samples, events and checks as lines of DogStatsD.

#![no_main]

use barewire_fuzz::statsd::{Told, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|told: Told| check(told));
