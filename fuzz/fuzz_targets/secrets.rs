//! A text in which the secrets of a request are repeated.

#![no_main]

use barewire_fuzz::secrets::{Told, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|told: Told| check(&told));
