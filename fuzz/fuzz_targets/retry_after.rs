//! Any value of `Retry-After`.

#![no_main]

use barewire_fuzz::retry_after::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, &[u8])| check(input.0, input.1));
