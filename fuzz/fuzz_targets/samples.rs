//! Threads that come, write samples and go, and readers at their own pace.

#![no_main]

use barewire_fuzz::samples::{Step, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, Vec<Step>)| check(input.0, input.1));
