//! Bytes of a server, cut anywhere.

#![no_main]

use barewire_fuzz::message::{Cuts, check_responses};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Cuts, &[u8])| check_responses(input.0, input.1));
