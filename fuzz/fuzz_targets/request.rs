//! Bytes of a client, cut anywhere.

#![no_main]

use barewire_fuzz::message::{Cuts, check_requests};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Cuts, &[u8])| check_requests(input.0, input.1));
