//! What a scraper says that it takes, a field a line.

#![no_main]

use barewire_fuzz::accept::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|fields: &[u8]| check(fields));
