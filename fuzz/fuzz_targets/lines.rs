//! Whole lines to a disk that is full now and then.

#![no_main]

use barewire_fuzz::lines::{Write, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|writes: Vec<Write>| check(&writes));
