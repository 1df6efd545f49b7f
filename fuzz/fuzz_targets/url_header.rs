//! A line with a URL, and one with a header field.

#![no_main]

use barewire_fuzz::field::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| check(text));
