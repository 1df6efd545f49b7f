//! Lines on their way into datagrams.

#![no_main]

use barewire_fuzz::datagram::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| check(input.0, input.1));
