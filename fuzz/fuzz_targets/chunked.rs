//! Bytes behind a head that says they are chunks, cut anywhere.

#![no_main]

use barewire_fuzz::message::{Cuts, check_chunks};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Cuts, &[u8])| check_chunks(input.0, input.1));
